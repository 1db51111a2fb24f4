"""The network's input: turns rows into tensors.

Order of the known part: tweet sketch, Fourier features, binary features, and smoothed rates if the network reads them.
The embeddings (language, hour, day of month) follow. They are learned, so the network itself looks them up.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
import torch  # noqa: TID253 - nothing light imports this module

from engage_pipeline import schema
from engage_pipeline.model.network.fourier import fourier_features
from engage_pipeline.model.network.rows import Rows
from engage_pipeline.model.network.smoothed_rates import history_features
from engage_pipeline.model.network.tweet_sketch import count_codes, normalize_sketch, write_sketches
from engage_pipeline.model.network.vocabulary import Vocabulary

if TYPE_CHECKING:
    from engage_pipeline.model.network.network import EngagementNetwork

LOG_CENTER, LOG_SPREAD = 6.0, 3.0
_NO_WORDS = np.zeros(0, np.int64)


class Inputs(NamedTuple):
    """One batch: known float32 [n, known_size], bfloat16 where all that reads it rounds it, categories int64 [n, 3].

    With a vocabulary also people int64 [n, 2], and the numbers of the tweets' words, int64 [sum of their lengths], with
    the place of each tweet's first word, int64 [n]; without one these are empty.
    """

    known: torch.Tensor
    categories: torch.Tensor
    people: torch.Tensor
    words: torch.Tensor
    first_words: torch.Tensor

    def split(self, sizes: Sequence[int]) -> "Iterator[Inputs]":
        """Yields the inputs of so many rows each, in their order, which together are all rows."""
        ends = np.append(self.first_words.numpy(force=True), len(self.words)) if len(self.first_words) else None
        for begin, end in pairwise([0, *np.cumsum(sizes).tolist()]):
            rows = slice(begin, end)
            words, firsts = self.words, self.first_words[rows]
            if ends is not None:
                words, firsts = words[ends[begin] : ends[end]], firsts - int(ends[begin])
            yield Inputs(self.known[rows], self.categories[rows], self.people[rows], words, firsts)


class InputBuilder:
    """Turns rows into a network's input on `device`, with one sketch `codes` int32 [vocabulary, depth] for all.

    With `base_rates`, in the order of TARGETS, the input includes smoothed rates; with a width of 0 no sketch. With a
    `vocabulary` it includes the numbers of words, and the profile numbers as logarithms instead of Fourier features.
    """

    def __init__(
        self,
        codes: np.ndarray,
        sketch_width: int,
        device: torch.device,
        base_rates: Sequence[float] = (),
        vocabulary: Vocabulary | None = None,
    ) -> None:
        """Copies the codes to the device."""
        self.codes = torch.from_numpy(np.ascontiguousarray(codes, np.int32)).to(device)
        self.sketch_width = sketch_width
        self.device = device
        self.base_rates = base_rates
        self.vocabulary = vocabulary

    @classmethod
    def of(cls, network: "EngagementNetwork", codes: np.ndarray, device: torch.device) -> Self:
        """Returns a builder of the input of `network`."""
        config = network.config
        return cls(codes, config.sketch_width, device, config.base_rates, network.vocabulary)

    def build(self, rows: Rows) -> Inputs:
        """Returns the input of `rows`, in their order."""
        if self.vocabulary:
            pieces = [profile_logarithms(self._tensor(rows.numbers))]
        else:
            pieces = [fourier_features(self._tensor(rows.known_numbers()))]
        pieces.append(self._tensor(rows.flags).float())
        if self.base_rates:
            pieces.append(history_features(self._tensor(rows.counts), self._tensor(rows.exposures), self.base_rates))
        return self._with_numbers(self._with_sketch(rows, pieces), rows)

    def _with_sketch(self, rows: Rows, pieces: Sequence[torch.Tensor]) -> torch.Tensor:
        """Returns the tweets' sketches, if the input has them, and `pieces` [n, …] behind: float32 [n, known_size]."""
        place = self.codes.shape[1] * self.sketch_width
        known = torch.empty(len(rows), place + sum(piece.shape[1] for piece in pieces), device=self.device)
        if self.sketch_width and self.device.type == "cpu":
            write_sketches(rows.tokens, rows.lengths, self.codes.numpy(), self.sketch_width, known.numpy())
        elif self.sketch_width:
            counts = count_codes(self._tensor(rows.tokens), self._tensor(rows.lengths), self.codes, self.sketch_width)
            known[:, :place] = normalize_sketch(counts)
        for piece in pieces:
            known[:, place : place + piece.shape[1]] = piece
            place += piece.shape[1]
        return known

    def build_one(self, rows: Rows) -> Inputs:
        """Does the same for one row on the CPU, in calls of numpy, which are cheaper than torch's."""
        if self.vocabulary:
            return self.build(rows)
        sketch = np.empty((1, self.codes.shape[1] * self.sketch_width), np.float32)
        write_sketches(rows.tokens, rows.lengths, self.codes.numpy(), self.sketch_width, sketch)
        pieces = [sketch[0], fourier_features(rows.known_numbers())[0], rows.flags[0]]
        if self.base_rates:
            counts, exposures = self._tensor(rows.counts), self._tensor(rows.exposures)
            pieces.append(history_features(counts, exposures, self.base_rates)[0].numpy())
        known = np.concatenate(pieces, dtype=np.float32)
        return self._with_numbers(self._tensor(known[np.newaxis]), rows)

    def _with_numbers(self, known: torch.Tensor, rows: Rows) -> Inputs:
        words, first_words = _NO_WORDS, _NO_WORDS
        if self.vocabulary is not None:
            words, first_words = self.vocabulary.words_of(rows.tokens, rows.lengths)
        numbers = (rows.categories, rows.people, words, first_words)
        return Inputs(known, *(self._tensor(one.astype(np.int64, copy=False)) for one in numbers))

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self.device)


def profile_logarithms(numbers: torch.Tensor) -> torch.Tensor:
    """Returns (log(1 + x) - 6) / 3 of each of PROFILE_NUMBERS, float32 [n, 8], of `numbers` [n, 13] in the
    order of rows.OTHERS: most numbers of followers and days are then between -2 and 2."""
    profile = numbers[:, len(schema.SIMILARITY_FEATURES) :]
    return ((profile.clamp_min(0).log1p() - LOG_CENTER) / LOG_SPREAD).float()
