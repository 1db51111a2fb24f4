"""LightGBM trees over the features, the effects and the sketches."""
