"""Dropout that is the same for a row whichever process trains on it, and after a training was resumed."""

import math

import torch  # noqa: TID253 - nothing light imports this module
from torch import nn  # noqa: TID253

_N_DRAWS = 2**16
"""A number is left out or stays by a draw of so many, so that its probability is one of their shares."""


class RowDropout(nn.Module):
    """In training sets each number to 0 with a probability, and divides the others by the probability to stay.

    Each process draws for all rows of the batch and takes those of its rows, so `draw_for` comes before each batch.
    """

    def __init__(self, probability: float) -> None:
        """Nothing is drawn yet."""
        super().__init__()
        self.probability = probability
        self._drawn: tuple[torch.Generator, int, slice] | None = None

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """[n, k] -> [n, k]; before `draw_for` by torch's own generator."""
        if not self.training:
            return values
        generator, rows, share = self._drawn or (torch.default_generator, len(values), slice(None))
        kept = _draws(rows, values.shape[1], generator)[share] >= round(self.probability * _N_DRAWS) - _N_DRAWS // 2
        return values * kept.to(values.dtype).mul_(1 / (1 - self.probability))


def _draws(rows: int, columns: int, generator: torch.Generator) -> torch.Tensor:
    """Returns draws of _N_DRAWS around 0, int16 [rows, columns]: four from each number of the generator, which takes a
    fifth of the time."""
    count = rows * columns
    drawn = torch.empty(math.ceil(count / 4), dtype=torch.int64, device=generator.device)
    drawn.random_(torch.iinfo(torch.int64).min, None, generator=generator)
    return drawn.view(torch.int16)[:count].view(rows, columns)


def draw_for(network: nn.Module, generator: torch.Generator, rows: int, share: slice) -> None:
    """Makes all RowDropouts of `network` draw from `generator` for the next batch, of which `rows` rows the network is
    given those at `share`."""
    for module in network.modules():
        if isinstance(module, RowDropout):
            module._drawn = generator, rows, share
