"""Dropout that is the same for a row whichever process trains on it, and after a training was resumed."""

import torch  # noqa: TID253 - nothing light imports this module
from torch import nn  # noqa: TID253


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
        kept = torch.rand(rows, values.shape[1], generator=generator, device=generator.device)[share]
        return values * (kept >= self.probability) / (1 - self.probability)


def draw_for(network: nn.Module, generator: torch.Generator, rows: int, share: slice) -> None:
    """Makes all RowDropouts of `network` draw from `generator` for the next batch, of which `rows` rows the network is
    given those at `share`."""
    for module in network.modules():
        if isinstance(module, RowDropout):
            module._drawn = generator, rows, share
