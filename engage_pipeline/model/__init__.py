"""The network, the trees, their blend and how well they predict."""
