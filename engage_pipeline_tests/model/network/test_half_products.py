"""Products of one row with weights in bfloat16, against sums of float64 and torch's own layers."""

import numpy as np
import pytest
import torch  # noqa: TID253 - it is what is tested

from engage_pipeline.model.network.half_products import HalfLinear, HalfMemberLinear, add_rows, halves_of
from engage_pipeline.model.network.member_linear import MemberLinear

HALF_A_STEP = 2**-8
"""By which rounding to the 8 bits of a bfloat16 errs at most, relative."""


@pytest.mark.parametrize("size", [1, 7, 64])
@pytest.mark.parametrize("n_rows", [0, 1, 7, 8, 9, 19])
def test_rows_are_added_by_their_factors(n_rows: int, size: int) -> None:
    torch.manual_seed(n_rows)
    table, factors, before = torch.randn(9, size).bfloat16(), torch.randn(n_rows), torch.randn(size)
    places = torch.randint(9, (n_rows,))
    total = before.numpy().copy()
    add_rows(halves_of(table), places.numpy(), factors.numpy(), total)
    exact = before.double() + factors.double() @ table.double()[places]
    np.testing.assert_allclose(total, exact.numpy(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("size", [1, 7, 8, 9, 50])
def test_a_layer_rounds_input_and_result_alone(size: int, bias: bool) -> None:
    torch.manual_seed(0)
    linear, values = torch.nn.Linear(300, size, bias=bias).bfloat16(), torch.randn(1, 300)
    ours = HalfLinear(linear)
    found = ours(values)
    assert ours.weights.ctypes.data == linear.weight.data_ptr()
    exact = values.bfloat16().double() @ linear.weight.double().t() + (linear.bias.double() if bias else 0)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.double(), exact, rtol=1.001 * HALF_A_STEP, atol=1e-6)


def test_members_are_apart_and_share_the_weights() -> None:
    torch.manual_seed(0)
    layer, values = MemberLinear(3, 40, 30).bfloat16(), torch.randn(1, 3, 40)
    ours = HalfMemberLinear(layer)
    found = ours(values)
    exact = torch.stack(
        [
            values[0, member].bfloat16().double() @ layer.weight[member].double() + layer.bias[member, 0].double()
            for member in range(3)
        ]
    )
    assert found.shape == (1, 3, 30)
    torch.testing.assert_close(found[0].double(), exact, rtol=1.001 * HALF_A_STEP, atol=1e-6)
    assert ours.weights.ctypes.data == layer.weight.data_ptr()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(found, layer(values), rtol=2 * HALF_A_STEP, atol=1e-3)


def test_values_between_others_are_read_as_they_lie() -> None:
    linear, values = torch.nn.Linear(20, 8).bfloat16(), torch.randn(1, 60)
    _, middle, _ = values.chunk(3, dim=1)
    torch.testing.assert_close(HalfLinear(linear)(middle), HalfLinear(linear)(middle.clone()), rtol=0, atol=0)
