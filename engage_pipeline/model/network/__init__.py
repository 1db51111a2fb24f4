"""The network: inputs, architectures, training, scoring."""
