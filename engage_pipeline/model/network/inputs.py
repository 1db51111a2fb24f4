"""The network's input: turns rows into tensors.

Order of the known part: tweet sketch, Fourier features, binary features, and smoothed rates if the network reads them.
The embeddings (language, hour, day of month) follow. They are learned, so the network itself looks them up.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch  # noqa: TID253 - nothing light imports this module

from engage_pipeline import schema
from engage_pipeline.model.network.fourier import FEATURES_PER_NUMBER, fourier_features
from engage_pipeline.model.network.rows import Rows
from engage_pipeline.model.network.smoothed_rates import history_features, n_history_features
from engage_pipeline.model.network.tweet_sketch import count_codes, normalize_sketch, sketch_of_one


class Inputs(NamedTuple):
    """One batch: known float32 [n, known_size], categories int64 [n, 3]."""

    known: torch.Tensor
    categories: torch.Tensor


def known_size(sketch_depth: int, sketch_width: int, *, smoothed_rates: bool, further: int = 0) -> int:
    """Returns the number of columns of `Inputs.known`: depth x width + 16 x 73 + 12, plus those of the smoothed rates.

    `further` is the number of counters beyond the reference that also have smoothed rates.
    """
    size = sketch_depth * sketch_width + FEATURES_PER_NUMBER * len(schema.NUMBERS) + len(schema.BINARY_FEATURES)
    return size + n_history_features(further) * smoothed_rates


class InputBuilder:
    """Turns rows into the network's input on `device`, with one sketch `codes` int32 [vocabulary, depth] for all.

    With `base_rates`, in the order of TARGETS, the input includes smoothed rates.
    """

    def __init__(
        self, codes: np.ndarray, sketch_width: int, device: torch.device, base_rates: Sequence[float] = ()
    ) -> None:
        """Copies the codes to the device."""
        self.codes = torch.from_numpy(np.ascontiguousarray(codes, np.int32)).to(device)
        self.sketch_width = sketch_width
        self.device = device
        self.base_rates = base_rates

    def build(self, rows: Rows) -> Inputs:
        """Returns the input of `rows`, in their order."""
        counts = count_codes(self._tensor(rows.tokens), self._tensor(rows.lengths), self.codes, self.sketch_width)
        numbers = self._tensor(rows.numbers)
        pieces = [
            normalize_sketch(counts),
            fourier_features(numbers[:, : len(schema.NUMBERS)]),
            self._tensor(rows.flags).float(),
        ]
        if self.base_rates:
            pieces.append(history_features(numbers, self._tensor(rows.exposures), self.base_rates))
        return Inputs(torch.cat(pieces, dim=1), self._tensor(rows.categories))

    def build_one(self, rows: Rows) -> Inputs:
        """Does the same for one row on the CPU, in calls of numpy, which are cheaper than torch's."""
        pieces = [
            sketch_of_one(rows.tokens, self.codes.numpy(), self.sketch_width),
            fourier_features(rows.numbers[:, : len(schema.NUMBERS)])[0],
            rows.flags[0],
        ]
        if self.base_rates:
            numbers, exposures = self._tensor(rows.numbers), self._tensor(rows.exposures)
            pieces.append(history_features(numbers, exposures, self.base_rates)[0].numpy())
        known = np.concatenate(pieces, dtype=np.float32)
        return Inputs(self._tensor(known[np.newaxis]), self._tensor(rows.categories))

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self.device)
