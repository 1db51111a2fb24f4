"""Dropout by row: the same however the rows of a batch are shared out."""

import torch  # noqa: TID253 - it is what is tested

from engage_pipeline.model.network.row_dropout import RowDropout, draw_for


def dropped(values: torch.Tensor, share: slice, seed: int = 3) -> torch.Tensor:
    layers = torch.nn.Sequential(RowDropout(0.3), RowDropout(0.5)).train()
    draw_for(layers, torch.Generator().manual_seed(seed), len(values), share)
    return layers(values[share])


def test_a_share_of_the_rows_is_dropped_as_among_all() -> None:
    values = torch.rand(9, 50)
    whole = dropped(values, slice(None))
    for rank in range(2):
        share = slice(rank, None, 2)
        assert torch.equal(dropped(values, share), whole[share])
    assert not torch.equal(dropped(values, slice(None), seed=4), whole)


def test_keeps_the_mean() -> None:
    found = dropped(torch.ones(400, 400), slice(None))
    assert abs(found.mean().item() - 1) < 0.01  # 5 standard errors
    assert set(found.unique().tolist()) == {0.0, torch.tensor(1 / 0.7 / 0.5).item()}


def test_does_nothing_after_training() -> None:
    values = torch.rand(3, 4)
    assert torch.equal(RowDropout(0.9).eval()(values), values)
