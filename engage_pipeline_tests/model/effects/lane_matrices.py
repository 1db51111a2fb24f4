"""Matrices for solutions of keys."""

import numpy as np

from engage_pipeline.model.effects.kernels import K


def covariance_of(seed: int) -> np.ndarray:
    """A positive definite matrix, float64 [4, 4]."""
    root = np.random.default_rng(seed).normal(size=(K, K))
    return root @ root.T + np.eye(K)
