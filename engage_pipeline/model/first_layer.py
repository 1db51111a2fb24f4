"""The first layer for one row at a time: the weights of what differs from a row without anything, and no others.

Most of the known input of a row is that of any row: codes that no token has, and the Fourier features of counters that
are 0. A matrix is then read for nothing, and reading is all that a single row costs.
"""

import torch  # noqa: TID253 - nothing light imports this module
from torch import nn  # noqa: TID253
from torch.nn import functional as F  # noqa: N812, TID253


class SparseFirstLayer:
    """`linear` at work on rows that differ from the row `empty` in few places."""

    def __init__(self, linear: nn.Linear, empty: torch.Tensor) -> None:
        """`empty` float32 [1, k] is the input of a row without tokens, counts and flags.

        The weights of `linear` are from now on kept input by input, not copied.
        """
        columns = linear.weight.detach().t().contiguous()
        linear.weight = nn.Parameter(columns.t(), requires_grad=False)
        self.columns, self.empty = columns, empty
        bias = torch.zeros(len(linear.weight)) if linear.bias is None else linear.bias.detach()
        self.of_empty = empty @ columns.float() + bias.float()

    def __call__(self, known: torch.Tensor) -> torch.Tensor:
        """known float32 [1, k] -> what `linear` gives, float32 [1, size]."""
        difference = (known - self.empty)[0]
        places = difference.nonzero().flatten()
        weights = difference[places].to(self.columns.dtype)
        start = places.new_zeros(1)
        return self.of_empty + F.embedding_bag(places, self.columns, start, mode="sum", per_sample_weights=weights)
