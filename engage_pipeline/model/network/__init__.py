"""The residual network: inputs, training, scoring."""
