"""The first layer for one row: reads only the weights of inputs that differ from an empty row's.

Most known inputs are the same in most rows: codes that no token has, and Fourier features of counters that are 0.
Reading the weights is the main cost of a single row, so skipping those of equal inputs makes it fast.
"""

import torch  # noqa: TID253 - nothing light imports this module
from torch import nn  # noqa: TID253
from torch.nn import functional as F  # noqa: N812, TID253


def lay_out_by_input(linear: nn.Linear) -> None:
    """Stores the weights of `linear` input by input in memory, in the order in which a SparseFirstLayer reads them."""
    linear.weight = nn.Parameter(linear.weight.detach().t().contiguous().t(), requires_grad=False)


class SparseFirstLayer:
    """Computes `linear` for rows that differ from the row `empty` in few places, with the rounding of `linear`.

    float32 weights in the layout of `lay_out_by_input` are shared, others copied.
    """

    def __init__(self, linear: nn.Linear, empty: torch.Tensor) -> None:
        """`empty` float32 [1, k] is the input of a row without tokens, counts and flags."""
        self.dtype = linear.weight.dtype
        self.columns = linear.weight.detach().float().t().contiguous()
        self.empty = self._rounded(empty)
        bias = torch.zeros(len(linear.weight)) if linear.bias is None else linear.bias.detach()
        with torch.autocast(empty.device.type, enabled=False):
            self.of_empty = self.empty @ self.columns + bias.float()

    def __call__(self, known: torch.Tensor) -> torch.Tensor:
        """known float32 [1, k] -> the output of `linear`, [1, size]."""
        difference = (self._rounded(known) - self.empty)[0]
        places = difference.nonzero().flatten()
        weights, start = difference[places], places.new_zeros(1)
        added = F.embedding_bag(places, self.columns, start, mode="sum", per_sample_weights=weights)
        return (self.of_empty + added).to(self.dtype)

    def _rounded(self, known: torch.Tensor) -> torch.Tensor:
        return known.to(self.dtype).float()
