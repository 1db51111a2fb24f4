"""Which model predicts: the rule, the decision, the way back."""
