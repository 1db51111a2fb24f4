"""Promotion: which model predicts, by rule, by hand, or by a rollback."""
