"""Batch normalisation over a group of processes: of one, here, against torch's own."""

import pytest
import torch  # noqa: TID253 - it is what is tested
from torch import distributed, nn  # noqa: TID253

from engage_pipeline.model.network.batch_norm import BatchNorm


@pytest.fixture
def group(tmp_path, monkeypatch):
    """This process alone as a group."""
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'meeting'}", rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def trained(norm: nn.BatchNorm1d, batches: list[torch.Tensor]) -> list[torch.Tensor]:
    """What the layer gives for each batch, the gradients of a function of it, and its running statistics after all."""
    found = []
    with torch.no_grad():
        norm.weight.copy_(torch.linspace(0.5, 2, 5))
    for batch in batches:
        values = batch.clone().requires_grad_()
        given = norm(values)
        (given.sin() * torch.arange(1.0, 6.0)).sum().backward()
        found += [given.detach(), values.grad]
    return [*found, norm.weight.grad, norm.bias.grad, norm.running_mean, norm.running_var, norm.num_batches_tracked]


def batches(*sizes: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(size, 5, generator=generator) * 3 + 7 for size in sizes]


def test_equals_torch_s_own(group):
    for found, expected in zip(
        trained(BatchNorm(5), batches(40, 3, 17)), trained(nn.BatchNorm1d(5), batches(40, 3, 17)), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=2e-5, atol=2e-5)


def test_one_row_of_all_processes_is_normalised_by_the_running_statistics(group):
    norm = BatchNorm(5)
    *_, before = trained(norm, batches(40))
    (row,) = batches(1)
    expected = (row - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias
    torch.testing.assert_close(norm(row), expected)
    assert norm.num_batches_tracked == before == 1


def test_evaluation_needs_no_other_process(group):
    norm = BatchNorm(5).eval()
    torch.testing.assert_close(norm(batches(4)[0]), nn.BatchNorm1d(5).eval()(batches(4)[0]))
