"""Products of one row with weights in bfloat16.

Reading the weights is what such a product takes, and torch reads them at less than half of the speed of these loops. As
torch does, input and weights are rounded, products and sums are of float32, and the result is rounded.
"""

import numpy as np
import numpy.typing as npt
import torch  # noqa: TID253 - nothing light imports this module
from torch import nn  # noqa: TID253

from engage_pipeline.model.network.member_linear import MemberLinear
from engage_pipeline.numerics.compilation import compiled, compiled_within

Halves = npt.NDArray[np.uint16]
"""The bits of bfloat16 numbers, which are the upper half of a float32's."""
_AT_ONCE = 8
"""So many rows are read side by side: the processor waits for all of them together, and reads the total once."""


class HalfLinear(nn.Module):
    """A linear layer in bfloat16 for one row; it shares the weights."""

    def __init__(self, linear: nn.Linear) -> None:
        """Takes the weights as they lie, those of an output side by side."""
        super().__init__()
        self.weights, self.shift = halves_of(linear.weight), _numbers(linear.bias, linear.out_features)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """[1, k] -> bfloat16 [1, size]."""
        result = self.shift.copy()
        add_products(self.weights, _rounded(input)[0], result)
        return torch.from_numpy(result).bfloat16().unsqueeze(0)


class HalfMemberLinear(nn.Module):
    """The linear layers of the members in bfloat16 for one row; it shares the weights."""

    def __init__(self, layer: MemberLinear) -> None:
        """Takes the weights as they lie, those of an input side by side."""
        super().__init__()
        self.weights, self.shift = halves_of(layer.weight), _numbers(layer.bias, 0).squeeze(1)
        self.inputs = np.arange(self.weights.shape[1])

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """[1, members, k] -> bfloat16 [1, members, size]."""
        results = self.shift.copy()
        for weights, values, result in zip(self.weights, _rounded(input)[0], results, strict=True):
            add_rows(weights, self.inputs, values, result)
        return torch.from_numpy(results).bfloat16().unsqueeze(0)


def halves_of(weights: torch.Tensor) -> Halves:
    """Returns the bits of bfloat16 weights, a copy only if they do not lie row by row."""
    return weights.detach().contiguous().view(torch.int16).numpy().view(np.uint16)


def _numbers(bias: torch.Tensor | None, size: int) -> npt.NDArray[np.float32]:
    return np.zeros(size, np.float32) if bias is None else bias.detach().float().numpy()


def _rounded(input: torch.Tensor) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(input.bfloat16().float().numpy())


@compiled(any_order=True)
def add_products(weights: Halves, values: npt.NDArray[np.float32], total: npt.NDArray[np.float32]) -> None:
    """Adds the sum of each row of `weights` [size, k] times `values` [k] to `total` [size].

    The rows read side by side lie far apart: the processor asks ahead for each run of addresses by itself.
    """
    apart, zero = len(weights) // _AT_ONCE, np.float32(0)
    for place in range(apart):
        a, b, c, d = weights[place], weights[place + apart], weights[place + 2 * apart], weights[place + 3 * apart]
        e, f = weights[place + 4 * apart], weights[place + 5 * apart]
        g, h = weights[place + 6 * apart], weights[place + 7 * apart]
        of_a, of_b, of_c, of_d, of_e, of_f, of_g, of_h = zero, zero, zero, zero, zero, zero, zero, zero
        for at in range(len(values)):
            value = values[at]
            of_a, of_b = of_a + _wide(a[at]) * value, of_b + _wide(b[at]) * value
            of_c, of_d = of_c + _wide(c[at]) * value, of_d + _wide(d[at]) * value
            of_e, of_f = of_e + _wide(e[at]) * value, of_f + _wide(f[at]) * value
            of_g, of_h = of_g + _wide(g[at]) * value, of_h + _wide(h[at]) * value
        for number, product in enumerate((of_a, of_b, of_c, of_d, of_e, of_f, of_g, of_h)):
            total[place + number * apart] += product
    for place in range(_AT_ONCE * apart, len(weights)):
        row, product = weights[place], zero
        for at in range(len(values)):
            product += _wide(row[at]) * values[at]
        total[place] += product


@compiled()
def add_rows(
    table: Halves, places: npt.NDArray[np.int64], factors: npt.NDArray[np.float32], total: npt.NDArray[np.float32]
) -> None:
    """Adds the rows of `table` [rows, size] at `places` [n], times their `factors` [n], to `total` [size]."""
    last, size = len(places), len(total)
    whole = last - last % _AT_ONCE
    for at in range(0, whole, _AT_ONCE):
        a, b, c, d = table[places[at]], table[places[at + 1]], table[places[at + 2]], table[places[at + 3]]
        e, f, g, h = table[places[at + 4]], table[places[at + 5]], table[places[at + 6]], table[places[at + 7]]
        of_a, of_b, of_c, of_d = factors[at], factors[at + 1], factors[at + 2], factors[at + 3]
        of_e, of_f, of_g, of_h = factors[at + 4], factors[at + 5], factors[at + 6], factors[at + 7]
        for place in range(size):
            first = _wide(a[place]) * of_a + _wide(b[place]) * of_b + (_wide(c[place]) * of_c + _wide(d[place]) * of_d)
            other = _wide(e[place]) * of_e + _wide(f[place]) * of_f + (_wide(g[place]) * of_g + _wide(h[place]) * of_h)
            total[place] += first + other
    for at in range(whole, last):
        row, factor = table[places[at]], factors[at]
        for place in range(size):
            total[place] += _wide(row[place]) * factor


@compiled_within()
def _wide(half: np.uint16) -> np.float32:
    """Returns the float32 with these upper bits."""
    return np.uint32(np.uint32(half) << np.uint32(16)).view(np.float32)
