"""The first layer for one row at a time: the weights of what differs from a row without anything, and no others.

Most of the known input of a row is that of any row: codes that no token has, and the Fourier features of counters that
are 0. A matrix is then read for nothing, and reading is all that a single row costs.
"""

import torch  # noqa: TID253 - nothing light imports this module
from torch import nn  # noqa: TID253
from torch.nn import functional as F  # noqa: N812, TID253


def lay_out_by_input(linear: nn.Linear) -> None:
    """From now on the weights of `linear` stand input by input, as a SparseFirstLayer reads them."""
    linear.weight = nn.Parameter(linear.weight.detach().t().contiguous().t(), requires_grad=False)


class SparseFirstLayer:
    """`linear` at work on rows that differ from the row `empty` in few places, rounded as `linear` rounds.

    float32 weights that `lay_out_by_input` has seen are shared, others copied.
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
        """known float32 [1, k] -> what `linear` gives, [1, size]."""
        difference = (self._rounded(known) - self.empty)[0]
        places = difference.nonzero().flatten()
        weights, start = difference[places], places.new_zeros(1)
        added = F.embedding_bag(places, self.columns, start, mode="sum", per_sample_weights=weights)
        return (self.of_empty + added).to(self.dtype)

    def _rounded(self, known: torch.Tensor) -> torch.Tensor:
        return known.to(self.dtype).float()
