"""Sparse gradients of several tables, averaged over processes that have different rows of them."""

import os
from pathlib import Path

import pytest
import torch  # noqa: TID253 - it is what is tested
from torch import distributed, nn  # noqa: TID253

from engage_pipeline.machine.workers import run_in_processes
from engage_pipeline.model.network.exchange import leave_to_optimizer, rows_of

SIZES = 3, 1, 2
ROWS = {
    (0, 0): [4, 1, 4], (0, 1): [], (0, 2): [2],
    (1, 0): [1], (1, 1): [], (1, 2): [0, 5],
    (2, 0): [], (2, 1): [], (2, 2): [],
}  # fmt: skip
"""The rows of each process, and of each table."""


def gradient(rank: int, table: int) -> torch.Tensor:
    """Random values of the rows of a process."""
    generator = torch.Generator().manual_seed(10 * rank + table)
    rows = torch.tensor([ROWS[rank, table]], dtype=torch.int64)
    values = torch.randn((rows.shape[1], SIZES[table]), generator=generator)
    return torch.sparse_coo_tensor(rows, values, (6, SIZES[table]), check_invariants=True)


def shown(found: list[tuple[torch.Tensor, torch.Tensor]]) -> list[list[list[float]]]:
    """Gradients as matrices, in a form that travels between processes."""
    return [
        torch.zeros(6, size).index_add(0, rows, values).tolist()
        for (rows, values), size in zip(found, SIZES, strict=True)
    ]


def learn(meeting: str, rank: int, count: int) -> tuple[list[list[list[float]]], list[list[float]]]:
    """What a process finds of the gradients of all, and the weights that it learns from after."""
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=count)
    found = shown(rows_of([gradient(rank, table) for table in range(len(SIZES))]))
    none = rows_of([gradient(2, table) for table in range(len(SIZES))])
    assert [rows.tolist() for rows, _ in none] == [[]] * len(SIZES)
    torch.manual_seed(rank)
    network = nn.ModuleDict({"table": nn.Embedding(3, 2), "layer": nn.Linear(2, 1)})
    leave_to_optimizer(network, [network["table"]])
    wrapped = nn.parallel.DistributedDataParallel(network)
    assert "table.weight" in wrapped.parameters_to_ignore
    distributed.destroy_process_group()
    return found, network["table"].weight.tolist()


@pytest.mark.long
@pytest.mark.parametrize("count", [2, 3])
def test_each_process_finds_the_mean_of_all_rows(tmp_path: Path, count: int) -> None:
    results = run_in_processes("learn", learn, [(str(tmp_path / "meeting"), rank, count) for rank in range(count)])
    for table, size in enumerate(SIZES):
        expected = torch.zeros(6, size)
        for rank in range(count):
            expected += gradient(rank, table).to_dense() / count
        for found, _ in results:
            torch.testing.assert_close(torch.tensor(found[table]), expected)
    torch.manual_seed(0)
    assert [weights for _, weights in results] == [nn.Embedding(3, 2).weight.tolist()] * count


def test_one_process_keeps_its_rows() -> None:
    gradients = [gradient(0, table) for table in range(len(SIZES))]
    for (rows, values), expected in zip(rows_of(gradients), gradients, strict=True):
        assert rows.tolist() == expected._indices()[0].tolist()
        assert values.tolist() == expected._values().tolist()
    assert rows_of([]) == []
