"""Token vectors one tweet at a time: no padding, no batches, fp32, sums in a dictionary."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch  # noqa: TID253


def token_vectors(model: Any, tweets: Sequence[Sequence[int]], rows: Sequence[int]) -> dict[int, np.ndarray]:
    """The mean last hidden state of each token over the tweets, each weighted by its rows; float64 [dim]."""
    base = model.base_model.eval()
    sums: dict[int, np.ndarray] = {}
    occurrences: dict[int, int] = {}
    with torch.no_grad():
        for tokens, weight in zip(tweets, rows, strict=True):
            hidden = base(input_ids=torch.tensor([tokens])).last_hidden_state[0].double().numpy()
            for token, vector in zip(tokens, hidden, strict=True):
                sums[token] = sums.get(token, 0) + weight * vector
                occurrences[token] = occurrences.get(token, 0) + weight
    return {token: total / occurrences[token] for token, total in sums.items()}
