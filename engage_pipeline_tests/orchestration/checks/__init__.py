"""Tests of the asset checks: every fault is made for real, in files, and seen by the run that meets it."""
