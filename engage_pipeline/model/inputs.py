"""The network's input: from rows to tensors.

Order of the known part: tweet sketch, Fourier features, binary features. The embeddings (language, hour, day of month)
follow it, but are looked up inside the network, because they are learned.
"""

from typing import NamedTuple

import numpy as np
import torch  # noqa: TID253 - nothing light imports this module

from engage_pipeline import schema
from engage_pipeline.model.fourier import FEATURES_PER_NUMBER, fourier_features
from engage_pipeline.model.rows import Rows
from engage_pipeline.model.tweet_sketch import count_codes, normalize_sketch


class Inputs(NamedTuple):
    """One batch: known float32 [n, depth x width + 16 x 73 + 12], categories int64 [n, 3]."""

    known: torch.Tensor
    categories: torch.Tensor


def known_size(sketch_depth: int, sketch_width: int) -> int:
    """Columns of `Inputs.known`."""
    return sketch_depth * sketch_width + FEATURES_PER_NUMBER * len(schema.NUMBERS) + len(schema.BINARY_FEATURES)


class InputBuilder:
    """Turns rows into the network's input on `device`, with one sketch `codes` int32 [vocabulary, depth] for all."""

    def __init__(self, codes: np.ndarray, sketch_width: int, device: torch.device) -> None:
        """Copies the codes to the device."""
        self.codes = torch.from_numpy(np.ascontiguousarray(codes, np.int32)).to(device)
        self.sketch_width = sketch_width
        self.device = device

    def build(self, rows: Rows) -> Inputs:
        """The input of `rows`, row by row."""
        counts = count_codes(self._tensor(rows.tokens), self._tensor(rows.lengths), self.codes, self.sketch_width)
        pieces = [
            normalize_sketch(counts),
            fourier_features(self._tensor(rows.numbers)),
            self._tensor(rows.flags).float(),
        ]
        return Inputs(torch.cat(pieces, dim=1), self._tensor(rows.categories))

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self.device)
