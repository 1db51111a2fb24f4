"""Effects of whole tables: what they know of rows they never saw, and what they must not know."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.files.atomic import scratch_folder
from engage_pipeline.model.effects.columns import EFFECT_COLUMNS, EFFECT_LOGITS, VALIDATION, read_columns
from engage_pipeline.model.effects.fitting import Fit
from engage_pipeline.model.effects.keyed_values import InMemory, Memory
from engage_pipeline.model.effects.leveling import level
from engage_pipeline.model.effects.row_state import RowState
from engage_pipeline.model.effects.scoring import EffectScorer, load_clusters
from engage_pipeline.model.effects.tables import EFFECTS_FILE
from engage_pipeline.model.effects.training import train_effects
from engage_pipeline.model.validation_roles import DECIDED, effect_folds
from engage_pipeline.settings.families import COUNTER_FAMILIES, EFFECT_FAMILIES
from engage_pipeline.settings.settings import Settings
from engage_pipeline_tests.model.bundles import quiet_settings, write_clusters
from engage_pipeline_tests.samples import feature_table
from engage_pipeline_tests.token_lists import token_arrays

ROWS = 4000
SWEEPS = {"sweeps": 12}


def people_table(seed: int, *, validation: bool, shuffled: bool = False) -> pa.Table:
    """Rows whose likes and retweets depend on who sees whom, each person alike in every table; texts name a person."""
    table = feature_table(ROWS, seed, validation=validation)
    viewers, authors = (
        np.array([int(name.removeprefix("user")) for name in table[column].to_pylist()])
        for column in ("engaging_user_id", "engaged_with_user_id")
    )
    taste = np.random.default_rng(0).normal(0, 1.5, (ROWS, 2))
    log_odds = taste[viewers, 0] + taste[authors, 1] - 0.5
    rng = np.random.default_rng([seed, 2])
    order = rng.permutation(ROWS) if shuffled else np.arange(ROWS)
    for target, shift in zip(schema.TARGETS, (0.0, -1.0, -3.0, -2.0), strict=True):
        labels = rng.random(ROWS) < 1 / (1 + np.exp(-(log_odds + shift)))
        table = table.set_column(table.column_names.index(target), target, pa.array(labels[order]))
    texts = [
        [schema.CLS_TOKEN, schema.AT_TOKEN, 1000, 1000 + author % 7, 1010 + author % 3, schema.SEP_TOKEN]
        for author in authors.tolist()
    ]
    for name, column in token_arrays(texts).items():
        table = table.set_column(table.column_names.index(name), name, column)
    return table


def fit(folder: Path, settings: Settings, *, shuffled: bool = False) -> tuple[dict, pa.Table, Path]:
    """Facts, the validation rows, and the folder of the effects fitted to two parts and their fine-tuning rows."""
    paths = [folder / "part-0.parquet", folder / "part-1.parquet"]
    for seed, path in enumerate(paths):
        pq.write_table(people_table(seed, validation=False, shuffled=shuffled), path, row_group_size=1500)
    validation = people_table(7, validation=True, shuffled=shuffled)
    pq.write_table(validation, folder / "validation.parquet", row_group_size=900)
    output = folder / "effects"
    output.mkdir()
    write_clusters(validation, output, settings)
    facts = train_effects(paths, folder / "validation.parquet", load_clusters(output), output, settings)
    return facts, validation, output


def rce(logits: np.ndarray, labels: np.ndarray) -> float:
    loss = np.logaddexp(0, np.where(labels, -logits, logits)).mean()
    rate = labels.mean()
    return float(100 * (1 - loss / -(rate * np.log(rate) + (1 - rate) * np.log1p(-rate))))


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, pa.Table, Path]:
    folder = tmp_path_factory.mktemp("effects")
    return fit(folder, quiet_settings(folder, effects=SWEEPS))


def test_fine_tuning_rows_are_scored_about_as_well_as_rows_never_seen(fitted: tuple[dict, pa.Table, Path]) -> None:
    _, validation, folder = fitted
    columns, new = read_columns(folder), people_table(8, validation=False)
    published = EffectScorer.load(folder).columns(new)
    split = validation[schema.SPLIT].to_numpy()
    for target in ("like", "retweet"):
        place = EFFECT_COLUMNS.index(EFFECT_LOGITS[schema.TARGETS.index(target)])
        unseen = rce(published[:, place], new[target].to_numpy())
        tuned = rce(columns[split >= 0, place], validation[target].to_numpy()[split >= 0])
        assert unseen > 15
        assert abs(tuned - unseen) < 5, target


def test_holdout_rows_are_scored_by_effects_that_decide(fitted: tuple[dict, pa.Table, Path]) -> None:
    _, validation, folder = fitted
    held_out = validation[schema.SPLIT].to_numpy() == schema.HOLDOUT
    published = EffectScorer.load(folder, decided=True).columns(validation)
    columns = read_columns(folder)
    np.testing.assert_allclose(columns[held_out], published[held_out], atol=1e-5)
    assert not np.allclose(columns[~held_out], published[~held_out], atol=1e-2)


def test_shuffled_labels_teach_nothing(tmp_path: Path) -> None:
    """An effect that had seen its own row's label would score the fine-tuning rows far above the rate."""
    _, validation, folder = fit(tmp_path, quiet_settings(tmp_path, effects=SWEEPS), shuffled=True)
    columns, split = read_columns(folder), validation[schema.SPLIT].to_numpy()
    for rows in (split >= 0, split == schema.HOLDOUT):
        for place in range(2):
            assert rce(columns[rows, place], validation[schema.TARGETS[place]].to_numpy()[rows]) < 1


def refit(fitted: tuple[dict, pa.Table, Path], turned: np.ndarray, output: Path, threads: int = 1) -> np.ndarray:
    """The columns of the validation rows, as `fitted` to the same rows but for the labels of the `turned` ones."""
    _, other, folder = fitted
    for target in schema.TARGETS:
        labels = other[target].to_numpy()
        other = other.set_column(other.column_names.index(target), target, pa.array(np.where(turned, ~labels, labels)))
    pq.write_table(other, output / "validation.parquet")
    parts = [folder.parent / "part-0.parquet", folder.parent / "part-1.parquet"]
    settings = quiet_settings(output, effects=SWEEPS, engine={"threads": threads, "memory_limit": "1GB"})
    train_effects(parts, output / "validation.parquet", load_clusters(folder), output, settings)
    return read_columns(output)


def test_holdout_labels_teach_the_published_effects_and_nothing_that_decides(
    fitted: tuple[dict, pa.Table, Path], tmp_path: Path
) -> None:
    _, validation, folder = fitted
    columns = refit(fitted, validation[schema.SPLIT].to_numpy() == schema.HOLDOUT, tmp_path)
    for path in sorted(folder.glob("*effect*")):
        if path.name != VALIDATION:
            same = (tmp_path / path.name).read_bytes() == path.read_bytes()
            assert same == path.name.startswith(DECIDED), path.name
    assert np.array_equal(columns, read_columns(folder))


def test_the_labels_of_a_fold_change_the_columns_of_all_rows_but_its_own(
    fitted: tuple[dict, pa.Table, Path], tmp_path: Path
) -> None:
    _, validation, folder = fitted
    members = effect_folds(validation[schema.SPLIT].to_numpy(), 2) == 0
    before, after = read_columns(folder), refit(fitted, members, tmp_path)
    assert 0 < members.sum() < ROWS
    assert np.array_equal(after[members], before[members])
    assert (after[~members] != before[~members]).mean() > 0.99


def assert_same_effects(folder: Path, expected: Path) -> None:
    """All files of the published effects are the same bytes."""
    for path in sorted(expected.glob("effect*")):
        assert (folder / path.name).read_bytes() == path.read_bytes(), path.name


@pytest.mark.parametrize(("threads", "bytes_a_row"), [(1, 1 << 40), (2, 50), (5, 50), (3, 1 << 40)])
def test_bytes_are_the_same_in_memory_and_in_files_by_any_number_of_threads(
    fitted: tuple[dict, pa.Table, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    threads: int,
    bytes_a_row: int,
) -> None:
    monkeypatch.setattr("engage_pipeline.model.effects.training._HELD_BYTES", bytes_a_row)
    refit(fitted, np.zeros(ROWS, np.bool_), tmp_path, threads)
    assert_same_effects(tmp_path, fitted[2])


@pytest.mark.parametrize("arrays", [0, 1, 2])
def test_a_quarter_of_the_limit_holds_arrays_of_rows_of_the_fit_that_sweeps(
    fitted: tuple[dict, pa.Table, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arrays: int
) -> None:
    """Where it is too little for whole fits. One that waits or is published holds none."""
    in_memory, waiting = set[tuple[bool, ...]](), set[int]()
    wake, branch = RowState.wake, Fit.branch

    def watched(rows: RowState, memories: Sequence[Memory]) -> None:
        wake(rows, memories)
        in_memory.add(tuple(isinstance(one, InMemory) for one in (rows.residual, rows.step, rows.breadth)))

    def branched(start: Fit, *where: Any) -> Fit:
        waiting.add(len(start.rows.residual))
        return branch(start, *where)

    monkeypatch.setattr(RowState, "wake", watched)
    monkeypatch.setattr(Fit, "branch", branched)
    monkeypatch.setattr("engage_pipeline.model.effects.training.memory_bytes", lambda _: 4 * 16 * 3 * ROWS * arrays)
    refit(fitted, np.zeros(ROWS, np.bool_), tmp_path, 2)
    assert in_memory == {tuple(place < arrays for place in range(3))}
    assert waiting == {0}
    assert_same_effects(tmp_path, fitted[2])


def test_all_columns_are_levelled(
    fitted: tuple[dict, pa.Table, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raised(one: Fit) -> None:
        level(one)
        one.level += 2

    monkeypatch.setattr("engage_pipeline.model.effects.training.level", raised)
    columns = refit(fitted, np.zeros(ROWS, np.bool_), tmp_path)
    assert (columns > read_columns(fitted[2]) + 1).all()
    intercepts = [json.loads((folder / EFFECTS_FILE).read_text())["intercepts"] for folder in (fitted[2], tmp_path)]
    assert np.subtract(*intercepts) == pytest.approx([-2] * 4)


def test_no_fit_goes_on_when_a_table_cannot_be_written(
    fitted: tuple[dict, pa.Table, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise ValueError("no table")

    @contextmanager
    def watched(parent: Path, prefix: str) -> Iterator[Path]:
        with scratch_folder(parent, prefix) as folder:
            try:
                yield folder
            finally:
                left.append(set(threading.enumerate()) - before)

    before, left = set(threading.enumerate()), list[set[threading.Thread]]()
    monkeypatch.setattr("engage_pipeline.model.effects.training.write_table", fail)
    monkeypatch.setattr("engage_pipeline.model.effects.training.scratch_folder", watched)
    with pytest.raises(ValueError, match="no table"):
        refit(fitted, np.zeros(ROWS, np.bool_), tmp_path, threads=2)
    assert left == [set()]


def test_without_training_rows_the_rates_are_those_of_the_fine_tuning_rows(tmp_path: Path) -> None:
    table = feature_table(600, 3, validation=True)
    pq.write_table(table, tmp_path / "validation.parquet")
    settings = quiet_settings(tmp_path, effects=SWEEPS)
    write_clusters(table, tmp_path, settings)
    train_effects([], tmp_path / "validation.parquet", load_clusters(tmp_path), tmp_path, settings)
    columns = read_columns(tmp_path)
    for place, target in enumerate(schema.TARGETS):
        expected = table[target].to_numpy().mean()
        assert 0.3 * expected < (1 / (1 + np.exp(-columns[:, place]))).mean() < 3 * expected, target


def test_batches_change_nothing(fitted: tuple[dict, pa.Table, Path]) -> None:
    _, validation, folder = fitted
    scorer = EffectScorer.load(folder)
    pieces = [scorer.columns(validation.slice(start, 700)) for start in range(0, ROWS, 700)]
    assert np.array_equal(np.concatenate(pieces), scorer.columns(validation))


def test_facts_tell_keys_and_deviations(fitted: tuple[dict, pa.Table, Path]) -> None:
    facts, validation, _ = fitted
    assert facts["rows"] == 2 * ROWS + np.count_nonzero(validation[schema.SPLIT].to_numpy() >= 0)
    assert 900 < facts["effects"]["viewer"]["keys"] <= ROWS // 4 + 1
    deviations = facts["effects"]["viewer"]["deviations"]
    assert set(deviations) == {*schema.TARGETS}
    assert deviations["like"] > 0.5


@pytest.mark.parametrize("left_out", EFFECT_FAMILIES)
def test_a_family_that_is_left_out_is_not_fitted(left_out: str, tmp_path: Path) -> None:
    families = [name for name in (*COUNTER_FAMILIES, *EFFECT_FAMILIES) if name != left_out]
    settings = quiet_settings(tmp_path, features={"families": families})
    table = feature_table(200, 3, validation=True)
    pq.write_table(table, tmp_path / "validation.parquet")
    write_clusters(table, tmp_path, settings)
    train_effects([], tmp_path / "validation.parquet", load_clusters(tmp_path), tmp_path, settings)
    found = EffectScorer.load(tmp_path).scores(table).families
    for place, family in enumerate(EFFECT_FAMILIES):
        assert found[:, place].any() == (family != left_out), family


def test_without_effects_nothing_is_said(tmp_path: Path) -> None:
    settings = quiet_settings(tmp_path, features={"families": list(COUNTER_FAMILIES)})
    facts, validation, folder = fit(tmp_path, settings)
    scorer = EffectScorer.load(folder)
    assert facts == {"effects": {}}
    assert not scorer.enabled
    assert not scorer.columns(validation).any()
    assert not read_columns(folder).any()


def test_rows_count_less_the_older_they_are(tmp_path: Path) -> None:
    """With a half-life of a few minutes only the newest rows say anything."""
    (tmp_path / "even").mkdir()
    (tmp_path / "decayed").mkdir()
    folders = [
        fit(tmp_path / name, quiet_settings(tmp_path, effects={**SWEEPS, "half_life_days": days}))[2]
        for name, days in (("even", None), ("decayed", 0.003))
    ]
    even, decayed = (read_columns(folder).std(axis=0).mean() for folder in folders)
    assert decayed < even / 2


def test_damaged_or_foreign_effects_are_refused(fitted: tuple[dict, pa.Table, Path], tmp_path: Path) -> None:
    _, _, folder = fitted
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "effect_pair.arrow").unlink()
    with pytest.raises(UserError, match=r"effect_pair\.arrow: no such file"):
        EffectScorer.load(tmp_path)
    text = (folder / EFFECTS_FILE).read_text(encoding="utf-8")
    (tmp_path / EFFECTS_FILE).write_text(text.replace('"pair"', '"pears"'), encoding="utf-8")
    with pytest.raises(UserError, match="made for other effects"):
        EffectScorer.load(tmp_path)
    (tmp_path / EFFECTS_FILE).write_text("[1", encoding="utf-8")
    with pytest.raises(UserError, match="not a description of effects"):
        EffectScorer.load(tmp_path)
