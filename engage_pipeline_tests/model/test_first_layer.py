"""The first layer of one row, against the product with all weights."""

import pytest
import torch  # noqa: TID253 - it is what is tested

from engage_pipeline.model.first_layer import SparseFirstLayer


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("differing", [0, 1, 40, 200])
def test_gives_what_the_layer_gives(bias: bool, differing: int) -> None:
    torch.manual_seed(differing)
    linear, empty = torch.nn.Linear(200, 30, bias=bias), torch.randn(1, 200)
    known = empty.clone()
    known[0, torch.randperm(200)[:differing]] += torch.randn(differing)
    with torch.inference_mode():
        expected = linear(known)
        sparse = SparseFirstLayer(linear, empty)
        torch.testing.assert_close(sparse(known), expected, rtol=0, atol=1e-5)
        torch.testing.assert_close(linear(known), expected, rtol=0, atol=1e-5)
    assert linear.weight.data_ptr() == sparse.columns.data_ptr()


def test_weights_that_are_rounded_stay_so() -> None:
    linear = torch.nn.Linear(50, 8).to(torch.bfloat16)
    rounded = linear.weight.detach().float().clone()
    known = torch.randn(1, 50)
    with torch.inference_mode():
        found = SparseFirstLayer(linear, torch.zeros(1, 50))(known)
        expected = known.bfloat16().float() @ rounded.t() + linear.bias.float()
    torch.testing.assert_close(found, expected, rtol=0, atol=0.05)
