"""LightGBM trees over the features, the pretrained network's logits and the effects."""
