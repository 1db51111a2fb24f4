"""The linear layers of networks that are trained side by side."""

import math

import torch  # noqa: TID253 - nothing light imports this module
from torch import nn  # noqa: TID253


class MemberLinear(nn.Module):
    """A linear layer for each member: [n, members, inputs] -> [n, members, size]."""

    def __init__(self, members: int, inputs: int, size: int) -> None:
        """Random weights and biases from the distribution of nn.Linear's."""
        super().__init__()
        bound = 1 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(members, inputs, size).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(members, 1, size).uniform_(-bound, bound))

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """[n, members, inputs] -> [n, members, size]."""
        return torch.baddbmm(self.bias, input.transpose(0, 1), self.weight).transpose(0, 1)
