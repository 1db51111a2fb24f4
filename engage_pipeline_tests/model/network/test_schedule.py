import numpy as np
import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.model.network.schedule import RowRange, Stretch, cosine, day_by_day, decaying, repeated, shuffled
from engage_pipeline_tests.model.network.network_samples import set_column, write_parts, write_validation
from engage_pipeline_tests.samples import FIRST_DAY, feature_table


def write_days(folder, *parts, row_group_size=None):
    """Parts whose rows have the given days, counted from the first."""
    paths = [folder / f"part-{place}.parquet" for place in range(len(parts))]
    for path, days in zip(paths, parts, strict=True):
        table = feature_table(len(days), 0)
        pq.write_table(
            set_column(table, schema.ENGAGEMENT_DAY, [FIRST_DAY + day for day in days]),
            path,
            row_group_size=row_group_size,
        )
    return paths


def described(stretch, paths):
    ranges = [(paths.index(r.path), r.start, r.stop) for r in stretch.ranges]
    return stretch.name, ranges, stretch.rows, stretch.n_decays, stretch.fresh_optimizer


def test_days_go_in_order_with_a_fresh_optimizer_and_a_decay_each(tmp_path):
    paths = write_days(tmp_path, [0, 0, 2, 2, 2], [0, 1, 1, 2], [2])
    assert [described(stretch, paths) for stretch in day_by_day(paths, 1, 4, seed=1)] == [
        ("2021-02-04", [(0, 0, 2), (1, 0, 1)], 3, 0, True),
        ("2021-02-05", [(1, 1, 3)], 2, 1, True),
        ("2021-02-06", [(0, 2, 5), (1, 3, 4), (2, 0, 1)], 5, 2, True),
    ]


def test_a_day_of_many_parts_goes_in_pieces_and_passes_under_one_optimizer(tmp_path):
    paths = write_days(tmp_path, [0], [0], [0, 1])
    first = [("2021-02-04", [(0, 0, 1), (1, 0, 1)], 2, 0, True), ("2021-02-04", [(2, 0, 1)], 1, 0, False)]
    again = [(*stretch[:4], False) for stretch in first]
    last = [("2021-02-05", [(2, 1, 2)], 1, 1, True), ("2021-02-05", [(2, 1, 2)], 1, 1, False)]
    assert [described(stretch, paths) for stretch in day_by_day(paths, 2, 2, seed=1)] == [*first, *again, *last]


def test_days_must_rise(tmp_path):
    paths = write_days(tmp_path, [0, 1, 0])
    with pytest.raises(UserError, match=r"part-0\.parquet: not in order of engagement_day"):
        day_by_day(paths, 1, 1, seed=1)


def test_shuffled_takes_every_part_once_an_epoch(tmp_path):
    paths = write_parts(tmp_path, [30, 0, 20, 10, 5, 7, 3])
    stretches = shuffled(paths, 3, 2, seed=1)
    assert [stretch.name for stretch in stretches] == [f"epoch {epoch}" for epoch in (1, 1, 1, 2, 2, 2, 3, 3, 3)]
    for epoch in range(3):
        ranges = [r for stretch in stretches[3 * epoch : 3 * epoch + 3] for r in stretch.ranges]
        assert sorted(ranges, key=str) == [
            RowRange(paths[i], 0, size, size) for i, size in ((0, 30), (2, 20), (3, 10), (4, 5), (5, 7), (6, 3))
        ]
    assert len({stretch.ranges for stretch in stretches}) > 3
    assert shuffled(paths, 3, 2, seed=1) == stretches
    assert shuffled(paths, 3, 2, seed=2) != stretches


@pytest.mark.parametrize(("rows", "sizes"), [(1, [1]), (64, [64]), (65, [33, 32]), (200, [50] * 4)])
def test_batches_hold_every_row_once_in_even_sizes(rows, sizes):
    batches = Stretch("x", (), rows).batches(64, [5, 0])
    assert [len(batch) for batch in batches] == sizes
    assert len(batches) == Stretch("x", (), rows).n_batches(64)
    assert sorted(np.concatenate(batches).tolist()) == list(range(rows))


def test_batches_depend_on_the_seed():
    stretch = Stretch("x", (), 100)
    assert np.array_equal(stretch.batches(10, [5, 0]), stretch.batches(10, [5, 0]))
    assert not np.array_equal(stretch.batches(10, [5, 0]), stretch.batches(10, [5, 1]))


def test_repeats_decay_after_each_pass(tmp_path):
    path = write_validation(tmp_path, 300)
    split = pq.read_table(path)[schema.SPLIT].to_numpy()
    stretches = repeated("pass", path, lambda split: split == 4, 3, seed=1)
    assert [(stretch.name, stretch.n_decays) for stretch in stretches] == [("pass 1", 0), ("pass 2", 1), ("pass 3", 2)]
    for stretch in stretches:
        assert [(one.start, one.stop, one.rows) for one in stretch.ranges] == [
            (low, high, np.count_nonzero(split[low:high] == 4)) for low, high in ((0, 110), (110, 220), (220, 300))
        ]
        assert stretch.rows == np.count_nonzero(split == 4)


def test_a_row_group_without_chosen_rows_is_not_read(tmp_path):
    table = set_column(feature_table(9, 0, validation=True), schema.SPLIT, [4, 4, 4, 5, 5, 5, 4, 5, 5])
    pq.write_table(table, tmp_path / "validation.parquet", row_group_size=3)
    (stretch,) = repeated("pass", tmp_path / "validation.parquet", lambda split: split == 4, 1, seed=1)
    assert [(one.start, one.rows) for one in stretch.ranges] == [(0, 3), (6, 1)]
    assert repeated("pass", tmp_path / "validation.parquet", lambda split: split == 7, 1, seed=1) == []


@pytest.fixture
def small_buffers(monkeypatch):
    monkeypatch.setattr("engage_pipeline.model.network.schedule.BUFFER_ROWS", 45)


@pytest.mark.usefixtures("small_buffers")
def test_more_rows_than_a_buffer_are_mixed_by_row_groups_in_a_seeded_order(tmp_path):
    paths = write_parts(tmp_path, [60, 45, 60, 3], row_group_size=15)
    stretches = shuffled(paths, 2, 2, seed=1)
    for epoch in ("epoch 1", "epoch 2"):
        ranges = [one for stretch in stretches if stretch.name == epoch for one in stretch.ranges]
        groups = [(place, low) for place, rows in enumerate((60, 45, 60, 3)) for low in range(0, rows, 15)]
        assert sorted((paths.index(one.path), one.start) for one in ranges) == groups
    assert all(sum(one.rows for one in stretch.ranges) == stretch.rows <= 45 for stretch in stretches)
    assert all(list(stretch.ranges) == sorted(stretch.ranges) for stretch in stretches)
    assert max(len({one.path for one in stretch.ranges}) for stretch in stretches) == 2
    assert any(np.diff([one.start for one in stretch.ranges]).max() > 15 for stretch in stretches)
    assert shuffled(paths, 2, 2, seed=1) == stretches
    assert {stretch.ranges for stretch in shuffled(paths, 2, 2, seed=2)} != {stretch.ranges for stretch in stretches}


@pytest.mark.usefixtures("small_buffers")
def test_a_row_group_beyond_the_buffer_is_a_stretch_of_its_own(tmp_path):
    paths = write_parts(tmp_path, [100, 10])
    assert sorted(stretch.rows for stretch in shuffled(paths, 1, 2, seed=1)) == [10 + 30, 70]


@pytest.mark.usefixtures("small_buffers")
def test_a_long_day_goes_in_buffers_under_one_optimizer(tmp_path):
    days = [0] * 20 + [1] * 80
    paths = write_days(tmp_path, days, row_group_size=30)
    stretches = day_by_day(paths, 1, 4, seed=1)
    assert [(stretch.name, stretch.fresh_optimizer) for stretch in stretches[:2]] == [
        ("2021-02-04", True),
        ("2021-02-05", True),
    ]
    assert not any(stretch.fresh_optimizer for stretch in stretches[2:])
    ranges = [one for stretch in stretches[1:] for one in stretch.ranges]
    assert sorted((one.start, one.stop) for one in ranges) == [(20, 30), (30, 60), (60, 90), (90, 100)]
    assert all(stretch.rows <= 45 for stretch in stretches)


def test_learning_rates_by_hand():
    by_day = decaying(1e-4, 0.96)
    assert [by_day(7, Stretch("x", (), 1, n)) for n in (0, 1, 20)] == [1e-4, 0.96e-4, 1e-4 * 0.96**20]
    at = cosine(0.8, 100)
    stretch = Stretch("x", (), 1)
    rising = [0.8 / 5, 0.8 * 2 / 5, 0.8 * 3 / 5, 0.8 * 4 / 5, 0.8]
    np.testing.assert_allclose([at(step, stretch) for step in range(5)], rising)
    # 95 steps of descent from step 5; cos(pi/3) = 1/2 would be at a third of them
    np.testing.assert_allclose(at(5 + 19, stretch), 0.4 * (1 + np.cos(np.pi / 5)))
    assert at(99, stretch) < 0.001 * 0.8
    assert cosine(0.8, 1)(0, stretch) == 0.8
