"""Explanations of predictions: contributions of the features to the logits of network, trees and effects."""
