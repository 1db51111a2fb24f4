"""One row: the first layer against the product with all weights, and the network against itself."""

import pytest
import torch  # noqa: TID253 - it is what is tested

from engage_pipeline.model.network.inputs import Inputs
from engage_pipeline.model.network.single_row import SingleRowNetwork, SparseFirstLayer, lay_out_by_input
from engage_pipeline_tests.model.network.network_samples import make_network


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("differing", [0, 1, 40, 200])
def test_gives_what_the_layer_gives(bias: bool, differing: int) -> None:
    torch.manual_seed(differing)
    linear, empty = torch.nn.Linear(200, 30, bias=bias), torch.randn(1, 200)
    known = empty.clone()
    known[0, torch.randperm(200)[:differing]] += torch.randn(differing)
    with torch.inference_mode():
        expected = linear(known)
        lay_out_by_input(linear)
        sparse = SparseFirstLayer(linear, empty)
        torch.testing.assert_close(sparse(known), expected, rtol=0, atol=1e-5)
        torch.testing.assert_close(linear(known), expected, rtol=0, atol=1e-5)
    assert linear.weight.data_ptr() == sparse.columns.data_ptr()


@pytest.mark.parametrize("seed", range(5))
def test_of_a_rounded_layer_input_weights_and_result_are_rounded(seed: int) -> None:
    torch.manual_seed(seed)
    linear, empty = torch.nn.Linear(300, 64).to(torch.bfloat16), torch.rand(1, 300)
    known = torch.where(torch.rand(1, 300) < 0.2, torch.randn(1, 300), empty)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        found = SparseFirstLayer(linear, empty)(known)
    with torch.inference_mode():
        exact = known.bfloat16().double() @ linear.weight.double().t() + linear.bias.double()
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.double(), exact, rtol=2**-8, atol=1e-5)


@pytest.mark.parametrize("words", [[], [0], [2, 1, 2]])
def test_people_and_words_of_one_row_are_read_as_the_network_reads_them(words: list[int]) -> None:
    torch.manual_seed(len(words))
    network = make_network("deep_fm", precision="fp32").eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    empty = torch.zeros(1, network.first_known.in_features)
    places = torch.tensor([[1, 2, 3]]), torch.tensor([[2, 1]])
    inputs = Inputs(torch.randn_like(empty), *places, torch.tensor(words, dtype=torch.int64), torch.tensor([0]))
    with torch.no_grad():
        torch.testing.assert_close(SingleRowNetwork(network, empty)(inputs), network(*inputs))
