"""Many rows get fewer sweeps."""

import logging
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engage_pipeline.model.effects.chain import Chain
from engage_pipeline.model.effects.scoring import load_clusters
from engage_pipeline.model.effects.sweeps import LEAST_SWEEPS, Sweeps, enough_sweeps
from engage_pipeline.model.effects.training import train_effects
from engage_pipeline.settings.features import EffectSettings
from engage_pipeline_tests.model.bundles import quiet_settings, write_clusters
from engage_pipeline_tests.samples import feature_table

COUNTS = st.integers(1, 10**10)


@pytest.mark.parametrize(
    ("wanted", "rows", "row_sweeps", "expected"),
    [
        (60, 1_000, 60_000, 60),
        (60, 1_001, 60_000, 60),
        (60, 1_018, 60_000, 59),
        (60, 2_000, 60_000, 30),
        (60, 4_000, 60_000, 15),
        (60, 9_000, 60_000, 15),
        (4, 9_000, 60_000, 4),
        (60, 0, 60_000, 60),
    ],
)
def test_sweeps_by_hand(wanted: int, rows: int, row_sweeps: int, expected: int) -> None:
    assert enough_sweeps(wanted, rows, row_sweeps) == expected


@given(wanted=st.integers(1, 1000), rows=COUNTS, more=COUNTS, row_sweeps=COUNTS)
def test_more_rows_get_no_more_sweeps_and_take_no_less_time(wanted: int, rows: int, more: int, row_sweeps: int) -> None:
    few, many = (enough_sweeps(wanted, count, row_sweeps) for count in (rows, rows + more))
    assert min(wanted, LEAST_SWEEPS) <= many <= few <= wanted
    assert few in (wanted, LEAST_SWEEPS) or row_sweeps <= rows * few < row_sweeps + rows


@pytest.mark.parametrize(
    ("rows", "expected"), [(500_000, 30), (20_000_000, 30), (30_000_000, 20), (750_000_000, LEAST_SWEEPS)]
)
def test_sweeps_of_the_defaults(rows: int, expected: int) -> None:
    assert Sweeps.of(rows, EffectSettings()) == Sweeps(expected, expected)


def fit_by(name: str, folder: Path, **settings: int) -> dict[str, bytes]:
    """The files of the effects of 300 training and 150 validation rows, fitted in the folder `name`."""
    output = folder / name
    output.mkdir()
    training, validation = feature_table(300, 1), feature_table(150, 3, validation=True)
    pq.write_table(training, folder / "part.parquet")
    pq.write_table(validation, folder / "validation.parquet")
    own = quiet_settings(folder, effects=settings)
    write_clusters(validation, output, own)
    train_effects([folder / "part.parquet"], folder / "validation.parquet", load_clusters(output), output, own)
    return {path.name: path.read_bytes() for path in sorted(output.glob("*effect*"))}


def test_a_fit_of_many_rows_is_one_with_fewer_sweeps(tmp_path: Path) -> None:
    wanted = {"sweeps": 24, "kept_sweeps": 20}
    cut = fit_by("cut", tmp_path, **wanted, row_sweeps=450 * 16)
    assert cut == fit_by("fewer", tmp_path, sweeps=16, kept_sweeps=16)
    assert cut != fit_by("all", tmp_path, **wanted)


def test_few_rows_give_the_same_bytes_with_and_without_a_limit(tmp_path: Path) -> None:
    wanted = {"sweeps": 24, "kept_sweeps": 20}
    default = fit_by("default", tmp_path, **wanted)
    assert len(default) > 20
    assert default == fit_by("just", tmp_path, **wanted, row_sweeps=450 * 24)
    assert default == fit_by("unlimited", tmp_path, **wanted, row_sweeps=10**15)


@pytest.mark.parametrize(
    ("row_sweeps", "first", "total"),
    [
        (
            450 * 16,
            "16 to settle and 16 kept instead of 24 and 20: effects.row_sweeps is 7,200, and 15 are the least",
            16 + 3 * (4 + 6) + 3 * (2 + 6),
        ),
        (
            600_000_000,
            "24 to settle and 20 kept, as effects.sweeps and effects.kept_sweeps say",
            24 + 3 * (6 + 7) + 3 * (3 + 7),
        ),
    ],
)
def test_the_log_tells_the_sweeps_and_progress_counts_them(
    row_sweeps: int,
    first: str,
    total: int,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("engage_pipeline.progress.SECONDS_BETWEEN_LINES", 0.0)
    made: list[bool] = []
    sweep = Chain.sweep

    def counted(self: Chain, *, keep: bool = False, learn: bool = False) -> None:
        made.append(keep)
        sweep(self, keep=keep, learn=learn)

    monkeypatch.setattr(Chain, "sweep", counted)
    with caplog.at_level(logging.INFO, "engage_pipeline"):
        fit_by("effects", tmp_path, sweeps=24, kept_sweeps=20, row_sweeps=row_sweeps)
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("engagement_effects")]
    assert lines[0] == f"engagement_effects: {total} sweeps of 450 rows, {first}"
    assert f"engagement_effects: {total} of {total} sweeps" in lines[-2]
    assert lines[-1].startswith(f"engagement_effects: {total} sweeps in ")
    assert len(made) == total


@pytest.mark.parametrize(("settled", "refit", "total"), [(True, True, 123), (False, True, 93), (True, False, 81)])
def test_the_sweeps_of_all_chains(settled: bool, refit: bool, total: int) -> None:
    # 30 to settle, 3 chains of 7 and 10, and 3 of 4 and 10 of all rows
    assert Sweeps(30, 30).total(3, settled=settled, refit=refit) == total
