"""How well a model predicts the holdout rows, and the report that says so."""
