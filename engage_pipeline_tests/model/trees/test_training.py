"""The trees against rows they never saw, against rows they must never read, and against hand arithmetic."""

import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.machine.threads import training_threads
from engage_pipeline.model.effects.columns import EFFECT_COLUMNS, EFFECT_LOGITS, no_effects
from engage_pipeline.model.out_of_fold import OUT_OF_FOLD
from engage_pipeline.model.trees import training
from engage_pipeline.model.trees.inputs import COLUMNS, LANGUAGE, LOGITS, TreeInputs
from engage_pipeline.model.trees.rows import LogitSource
from engage_pipeline.model.trees.scoring import TreeScorer
from engage_pipeline.model.trees.start import BelowTrees, fit_start
from engage_pipeline.model.trees.training import LEAST_LABELS, lightgbm_parameters, train_trees, trees_file
from engage_pipeline.model.validation_roles import DECIDED
from engage_pipeline.settings.families import DEFAULT_FAMILIES, FURTHER_FAMILIES, REFERENCE_FAMILIES
from engage_pipeline.settings.settings import Settings
from engage_pipeline_tests import samples
from engage_pipeline_tests.samples import feature_table

LAST_CHUNK = 9


def tiny_settings(folder: Path, **values: object) -> Settings:
    """Without effects, unless `values` switch them on."""
    defaults = {"engine": {"threads": 1}, "features": {"families": [family.name for family in REFERENCE_FAMILIES]}}
    return samples.tiny_settings(folder, **{**defaults, **values})


class ViewerLogits:
    """Scores a row by the viewer's likes: a stand-in for the network that is easy to follow."""

    def logits(self, table: pa.Table) -> np.ndarray:
        likes = table["viewer_like"].to_numpy().astype(np.float32)
        return np.column_stack([likes - 1, likes - 2, likes - 3, likes - 4])


def train(
    table: pa.Table,
    folder: Path,
    settings: Settings,
    pretrained: LogitSource | None = None,
    effects: np.ndarray | None = None,
) -> dict:
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / "features.parquet", row_group_size=700)
    output = folder / "trees"
    output.mkdir()
    effects = no_effects(table.num_rows) if effects is None else effects
    return train_trees(folder / "features.parquet", pretrained or ViewerLogits(), effects, output, settings)


def content(folder: Path, prefix: str = "") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "trees").glob(f"{prefix}*"))}


def compared(folder: Path) -> TreeScorer:
    """The trees that are compared on rows of which they know nothing."""
    trees = TreeScorer.load(folder / "trees", prefix=DECIDED)
    assert trees
    return trees


def replaced(table: pa.Table, name: str, values: object) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, pa.array(values, type=table.schema.field(name).type))


def log_loss(logits: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean(np.log1p(np.exp(np.where(labels, -logits, logits)))))


def constant_loss(labels: np.ndarray) -> float:
    rate = labels.mean()
    return float(-(rate * np.log(rate) + (1 - rate) * np.log(1 - rate)))


def test_trees_beat_the_constant_rate_on_unseen_rows(tmp_path: Path) -> None:
    facts = train(feature_table(6000, 1, validation=True), tmp_path, tiny_settings(tmp_path))
    unseen = feature_table(6000, 2)
    logits = TreeScorer.load(tmp_path / "trees").logits(
        unseen, ViewerLogits().logits(unseen), no_effects(unseen.num_rows)
    )
    assert logits.shape == (6000, 4)
    for number, target in enumerate(schema.TARGETS):
        labels = unseen[target].to_numpy()
        assert log_loss(logits[:, number], labels) < 0.97 * constant_loss(labels), target
        figures = facts["engagements"][target]
        assert figures["out_of_fold_loss"] < figures["constant_loss"]
        assert any(target in column for column in list(figures["gain"])[:3])


def test_shuffled_labels_teach_nothing(tmp_path: Path) -> None:
    table = feature_table(4000, 3, validation=True)
    order = np.random.default_rng(0).permutation(4000)
    for target in schema.TARGETS:
        table = replaced(table, target, table[target].to_numpy()[order])
    train(table, tmp_path, tiny_settings(tmp_path))
    unseen = feature_table(8000, 4)
    logits = TreeScorer.load(tmp_path / "trees").logits(
        unseen, ViewerLogits().logits(unseen), no_effects(unseen.num_rows)
    )
    shuffled = np.random.default_rng(1).permutation(8000)
    for number, target in enumerate(schema.TARGETS):
        labels = unseen[target].to_numpy()[shuffled]
        assert log_loss(logits[:, number], labels) > 0.998 * constant_loss(labels), target


class LostLogits:
    """Logits far from every rate."""

    def logits(self, table: pa.Table) -> np.ndarray:
        return np.full((table.num_rows, 4), -15, np.float32)


def test_what_holds_in_no_other_fold_gets_no_trees(tmp_path: Path) -> None:
    table = feature_table(2000, 16, validation=True)
    follows = table["engagee_follows_engager"].to_numpy()
    table = replaced(table, "reply", follows ^ (table[schema.SPLIT].to_numpy() % 2 == 1))
    facts = train(table, tmp_path, tiny_settings(tmp_path, trees={"n_estimators": 5, "folds": 2}))
    figures = facts["engagements"]["reply"]
    assert figures["trees"] == 0
    assert len(figures["curve"]) == 1
    logits = compared(tmp_path).logits(table, ViewerLogits().logits(table), no_effects(table.num_rows))
    expected = figures["intercept"] + figures["pretrained_slope"] * ViewerLogits().logits(table)[:, 3]
    assert np.allclose(logits[:, schema.TARGETS.index("reply")], expected)


def test_the_constant_rate_is_better_than_a_network_that_is_lost(tmp_path: Path) -> None:
    table = feature_table(200, 17, validation=True)
    trained = np.isin(table[schema.SPLIT].to_numpy(), range(LAST_CHUNK + 1))
    labels = np.random.default_rng(2).random(200) < 0.3
    table = replaced(table, "like", labels)
    facts = train(table, tmp_path, tiny_settings(tmp_path, trees={"min_child_samples": 1000}), LostLogits())
    figures = facts["engagements"]["like"]
    assert figures["reason"] == "nothing beats the constant rate"
    assert figures["out_of_fold_loss"] >= figures["constant_loss"]
    for trees, rows in ((compared(tmp_path), trained), (TreeScorer.load(tmp_path / "trees"), np.full(200, True))):
        logits = trees.logits(table, LostLogits().logits(table), no_effects(table.num_rows))[:, 0]
        positives = labels[rows].sum()
        assert np.allclose(logits, np.log((positives + 0.5) / (rows.sum() - positives + 0.5)))


def test_the_start_has_the_highest_posterior() -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(-1, 2, 300)
    labels = rng.random(300) < 1 / (1 + np.exp(-(0.5 + 0.6 * logits)))
    found = fit_start(BelowTrees(logits), labels)

    def loss(intercept: float, slope: float) -> float:
        total = len(labels) * log_loss(intercept + slope * logits, labels)
        shift = intercept + (slope - 1) * logits.mean()
        return float(total + (shift / 0.5) ** 2 / 2 + ((slope - 1) / 0.25) ** 2 / 2)

    best = loss(found.intercept, found.pretrained_slope)
    assert all(
        loss(found.intercept + a, found.pretrained_slope + b) > best
        for a in (-0.01, 0, 0.01)
        for b in (-0.01, 0, 0.01)
        if a or b
    )


def test_a_start_with_effects_has_the_highest_posterior() -> None:
    """A plain minimum over a grid of the loss, with the prior written out: sum of slopes 1, the network's share 1/4."""
    rng = np.random.default_rng(13)
    effects = rng.normal(-1, 2, 300)
    network = 0.5 * effects + rng.normal(0, 1, 300)
    labels = rng.random(300) < 1 / (1 + np.exp(-(0.2 + 0.9 * effects)))
    found = fit_start(BelowTrees(network, effects), labels)

    def loss(intercept: float, a: float, b: float) -> float:
        total = len(labels) * log_loss(intercept + a * network + b * effects, labels)
        shift = intercept + (a - 0.25) * network.mean() + (b - 0.75) * effects.mean()
        share = 0.75 * (a - 0.25) - 0.25 * (b - 0.75)
        return float(total + (shift / 0.5) ** 2 / 2 + ((a + b - 1) / 0.25) ** 2 / 2 + (share / 0.2) ** 2 / 2)

    best = loss(found.intercept, found.pretrained_slope, found.effects_slope)
    steps = (-0.01, 0, 0.01)
    assert found.effects_slope > 2 * found.pretrained_slope
    assert all(
        loss(found.intercept + x, max(found.pretrained_slope + y, 0), found.effects_slope + z) >= best
        for x in steps
        for y in steps
        for z in steps
    )


@pytest.mark.parametrize("wrong", ["network", "effects"])
def test_no_slope_of_a_start_with_effects_is_negative(wrong: str) -> None:
    rng = np.random.default_rng(14)
    right, other = rng.normal(-1, 2, (2, 300))
    labels = rng.random(300) < 1 / (1 + np.exp(2 * other - right))
    found = fit_start(BelowTrees(other, right) if wrong == "network" else BelowTrees(right, other), labels)
    slopes = [found.pretrained_slope, found.effects_slope]
    assert min(slopes) == slopes[wrong == "effects"] == 0


def test_effects_that_know_the_label_are_believed(tmp_path: Path) -> None:
    table = feature_table(3000, 21, validation=True)
    labels = table["reply"].to_numpy()
    effects = no_effects(3000)
    effects[:, EFFECT_COLUMNS.index(EFFECT_LOGITS[schema.TARGETS.index("reply")])] = np.where(labels, 1.0, -4.0)
    settings = tiny_settings(tmp_path, features={"families": list(DEFAULT_FAMILIES)})
    figures = train(table, tmp_path, settings, effects=effects)["engagements"]["reply"]
    assert figures["effects_slope"] > 0.5
    logits = TreeScorer.load(tmp_path / "trees").logits(table, ViewerLogits().logits(table), effects)
    assert log_loss(logits[:, schema.TARGETS.index("reply")], labels) < 0.3 * constant_loss(labels)


def test_the_curve_starts_at_the_start(tmp_path: Path) -> None:
    table = feature_table(2500, 5, validation=True)
    facts = train(table, tmp_path, tiny_settings(tmp_path, trees={"n_estimators": 5, "learning_rate": 1e-6}))
    for figures in facts["engagements"].values():
        assert len(figures["curve"]) > 1
        assert figures["curve"] == pytest.approx([figures["curve"][0]] * len(figures["curve"]), abs=1e-5)


def test_holdout_rows_teach_the_published_trees_alone(tmp_path: Path) -> None:
    table = feature_table(2500, 5, validation=True)
    spared = table[schema.SPLIT].to_numpy() == schema.HOLDOUT
    poisoned = replaced(table, LANGUAGE, np.where(spared, "poison", table[LANGUAGE].to_numpy(zero_copy_only=False)))
    for target in schema.TARGETS:
        poisoned = replaced(poisoned, target, np.where(spared, True, table[target].to_numpy()))
    for name in (*schema.NUMBERS, *schema.EXPOSURE_FEATURES):
        poisoned = replaced(poisoned, name, np.where(spared, 99, table[name].to_numpy()))
    settings = tiny_settings(tmp_path)
    train(table, tmp_path / "clean", settings)
    train(poisoned, tmp_path / "poisoned", settings)
    clean, dirty = content(tmp_path / "clean"), content(tmp_path / "poisoned")
    assert {name for name in clean if clean[name] == dirty[name]} == {
        name for name in clean if name.startswith((DECIDED, OUT_OF_FOLD))
    }


def test_without_refit_the_published_trees_are_the_compared_ones(tmp_path: Path) -> None:
    facts = train(feature_table(2500, 5, validation=True), tmp_path, tiny_settings(tmp_path, refit=False))
    found = content(tmp_path)
    del found[OUT_OF_FOLD]
    assert len(found) == 2 * (1 + sum(one["trees"] > 0 for one in facts["engagements"].values()))
    assert all(found[f"{DECIDED}{name}"] == found[name] for name in found if not name.startswith(DECIDED))


def test_every_other_row_matters(tmp_path: Path) -> None:
    table = feature_table(2500, 5, validation=True)
    trained = table[schema.SPLIT].to_numpy() == LAST_CHUNK - 1
    poisoned = replaced(table, "like", np.where(trained, True, table["like"].to_numpy()))
    settings = tiny_settings(tmp_path)
    train(table, tmp_path / "clean", settings)
    train(poisoned, tmp_path / "poisoned", settings)
    clean, dirty = content(tmp_path / "clean"), content(tmp_path / "poisoned")
    assert all(clean[trees_file("like", prefix)] != dirty[trees_file("like", prefix)] for prefix in (DECIDED, ""))


@pytest.mark.parametrize("rows_per_tree", [None, 400])
def test_same_bytes_whatever_the_threads(
    tmp_path: Path, rows_per_tree: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, few = feature_table(900, 6, validation=True), {"n_estimators": 4, "rows_per_tree": rows_per_tree}
    train(table, tmp_path / "one", tiny_settings(tmp_path, trees=few, engine={"threads": 1}))
    monkeypatch.setattr(training, "ROWS_A_THREAD", 100)
    train(table, tmp_path / "two", tiny_settings(tmp_path, trees=few, engine={"threads": 2}))
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_trees_of_many_rows_grow_on_all_cores_and_few_on_one_whatever_torch_trains_on(tmp_path: Path) -> None:
    settings, cores = tiny_settings(tmp_path, engine={"threads": None}, training_threads=1), os.sched_getaffinity(0)
    with training_threads(settings):
        assert lightgbm_parameters(settings, 10_000 * len(cores))["num_threads"] == len(cores)
        assert [lightgbm_parameters(settings, rows)["num_threads"] for rows in (9, 19_999)] == [1, 1]
    limited = tiny_settings(tmp_path, engine={"threads": 1})
    assert lightgbm_parameters(limited, 1_000_000)["num_threads"] == 1


@pytest.mark.parametrize("value", [False, True])
def test_an_engagement_of_one_class_gets_a_constant(tmp_path: Path, value: bool) -> None:
    table = feature_table(1500, 7, validation=True)
    table = replaced(table, "retweet", np.full(1500, value))
    facts = train(table, tmp_path, tiny_settings(tmp_path))
    split = table[schema.SPLIT].to_numpy()
    rows = int((split >= 0).sum())
    number = schema.TARGETS.index("retweet")
    logits = compared(tmp_path).logits(table, ViewerLogits().logits(table), no_effects(table.num_rows))[:, number]
    expected = (rows + 0.5) / (rows + 1) if value else 0.5 / (rows + 1)
    assert np.allclose(1 / (1 + np.exp(-logits)), expected)
    assert "one-sided" in facts["engagements"]["retweet"]["reason"]
    assert not {trees_file("retweet"), trees_file("retweet", DECIDED)} & content(tmp_path).keys()


def test_too_few_positives_get_a_constant(tmp_path: Path) -> None:
    table = feature_table(1500, 7, validation=True)
    train_rows = np.flatnonzero(np.isin(table[schema.SPLIT].to_numpy(), range(LAST_CHUNK + 1)))
    few = np.isin(np.arange(1500), train_rows[: LEAST_LABELS - 1])
    facts = train(replaced(table, "reply", few), tmp_path, tiny_settings(tmp_path))
    assert facts["engagements"]["reply"]["trees"] == 0
    assert facts["engagements"]["reply"]["positives"] == LEAST_LABELS - 1


def test_disabled_trees_are_said_to_be(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path, trees={"enabled": False})
    assert train(feature_table(300, 8, validation=True), tmp_path, settings) == {"enabled": False}
    assert list(content(tmp_path)) == ["decided_trees.json", "trees.json"]
    assert all(TreeScorer.load(tmp_path / "trees", prefix=prefix) is None for prefix in ("", DECIDED))


def test_two_chunks_are_enough(tmp_path: Path) -> None:
    table = feature_table(2000, 9, validation=True)
    table = replaced(table, schema.SPLIT, np.arange(2000) % 2)
    facts = train(table, tmp_path, tiny_settings(tmp_path, num_validation_chunks=2))
    assert facts["rows"] == 2000
    assert facts["engagements"]["like"]["trees"] > 0


def test_max_rows_limits_the_rows(tmp_path: Path) -> None:
    table = feature_table(2000, 10, validation=True)
    facts = train(table, tmp_path, tiny_settings(tmp_path, trees={"n_estimators": 5, "max_rows": 500}))
    assert facts["rows"] == 500


@pytest.mark.parametrize(("most", "grown"), [(120, False), (1000, True)])
def test_no_tree_is_grown_on_more_rows_than_the_setting(tmp_path: Path, most: int, grown: bool) -> None:
    """A split leaves 100 rows on each side: 120 rows, some more or fewer, are too few for one, and a tree without is a
    constant."""
    table = feature_table(2000, 10, validation=True)
    trees = {"n_estimators": 5, "min_child_samples": 100, "rows_per_tree": most}
    facts = train(table, tmp_path, tiny_settings(tmp_path, trees=trees))
    assert bool(facts["engagements"]["like"]["gain"]) == grown


def test_no_rows_is_the_users_mistake(tmp_path: Path) -> None:
    table = replaced(feature_table(100, 11, validation=True), schema.SPLIT, np.full(100, schema.HOLDOUT))
    with pytest.raises(UserError, match=r"features\.parquet: no fine-tuning rows"):
        train(table, tmp_path, tiny_settings(tmp_path))


def test_other_columns_are_refused(tmp_path: Path) -> None:
    train(feature_table(800, 12, validation=True), tmp_path, tiny_settings(tmp_path))
    path = tmp_path / "trees" / "trees.json"
    values = json.loads(path.read_text())
    values["columns"][3] = "something_else"
    path.write_text(json.dumps(values))
    with pytest.raises(UserError, match=r"trees\.json: its trees read column 'something_else' where"):
        TreeScorer.load(tmp_path / "trees")


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    train(feature_table(2000, 13, validation=True), tmp_path, tiny_settings(tmp_path))
    path = tmp_path / "trees" / trees_file("like")
    path.write_text(path.read_text().replace("author_like ", "other_like "))
    with pytest.raises(UserError, match=r"trees_like\.txt: its columns differ"):
        TreeScorer.load(tmp_path / "trees")
    path.write_text("tree\nnonsense")
    with pytest.raises(UserError, match=r"trees_like\.txt: "):
        TreeScorer.load(tmp_path / "trees")
    path.unlink()
    with pytest.raises(UserError, match=r"trees_like\.txt: no such file"):
        TreeScorer.load(tmp_path / "trees")


def test_columns_by_hand() -> None:
    table = feature_table(3, 14).slice(0, 1)
    for name, value in {
        "author_like": 3,
        "author_exposures": 10,
        "valid_tweet_negative": 6,
        "valid_tweet_exposures": 8,
        "engaged_with_user_follower_count": 99,
        "engaged_with_user_following_count": 9,
        "engaged_with_user_account_age_days": 5,
        "engaging_user_account_age_days": -3,
        "hour": 23,
    }.items():
        table = replaced(table, name, [value])
    table = replaced(table, LANGUAGE, ["pt"])
    rates = {**dict.fromkeys(schema.TARGETS, 0.25), "negative": 0.5}
    inputs = TreeInputs(("en", "pt"), rates, 20.0)
    logits = np.array([[0.1, 0.2, 0.3, 0.4]], np.float32)
    effects = np.arange(len(EFFECT_COLUMNS), dtype=np.float32)[np.newaxis] + 5
    row = dict(zip(COLUMNS, inputs.matrix(table, logits, effects)[0].tolist(), strict=True))
    assert row["author_like"] == 3
    assert row["author_like_rate"] == pytest.approx((3 + 20 * 0.25) / (10 + 20))
    assert row["valid_tweet_negative_rate"] == pytest.approx((6 + 20 * 0.5) / (8 + 20))
    assert row["author_followers_per_following"] == 10
    assert row["author_age_per_viewer_age"] == 6  # an age below 0, of an account made after the tweet, counts as 0
    assert row["hour"] == 23
    assert row[LANGUAGE] == 1
    assert [row[name] for name in LOGITS] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert [row[name] for name in EFFECT_COLUMNS] == list(range(5, 9))
    unseen = inputs.matrix(replaced(table, LANGUAGE, ["xx"]), logits, effects)[0]
    assert np.isnan(unseen[COLUMNS.index(LANGUAGE)])


def test_counters_beyond_the_reference_stand_behind_all_other_columns() -> None:
    families = [family.name for family in FURTHER_FAMILIES]
    table = feature_table(3, 14, families=families)
    table = replaced(replaced(table, "type_like", [3] * 3), "type_exposures", [10] * 3)
    rates = {**dict.fromkeys(schema.TARGETS, 0.25), "negative": 0.5}
    plain = TreeInputs(("en", "pt"), rates, 20.0)
    inputs = TreeInputs(("en", "pt"), rates, 20.0, schema.further_counters(families))
    logits, effects = np.zeros((3, 4), np.float32), no_effects(3)
    matrix = inputs.matrix(table, logits, effects)
    assert inputs.columns[: len(COLUMNS)] == plain.columns == COLUMNS
    assert np.array_equal(matrix[:, : len(COLUMNS)], plain.matrix(table, logits, effects), equal_nan=True)
    row = dict(zip(inputs.columns, matrix[0].tolist(), strict=True))
    assert len(row) == len(COLUMNS) + 2 * 5 + 2 * 4
    assert row["type_like"] == 3
    assert row["type_like_rate"] == pytest.approx((3 + 20 * 0.25) / (10 + 20))
    assert TreeInputs.from_json(inputs.to_json(), "trees.json") == inputs
    assert TreeInputs.from_json(plain.to_json(), "trees.json") == plain


def test_counts_inside_the_scored_file_stand_last_and_are_missing_where_there_are_none() -> None:
    table = feature_table(3, 14)
    rates = {**dict.fromkeys(schema.TARGETS, 0.25), "negative": 0.5}
    inputs = TreeInputs(("en", "pt"), rates, 20.0, scored_file=True)
    names = schema.SCORED_FILE_FEATURES
    assert inputs.columns == (*COLUMNS, *names)
    assert TreeInputs.from_json(inputs.to_json(), "trees.json") == inputs
    logits, effects = np.zeros((3, 4), np.float32), no_effects(3)
    assert np.isnan(inputs.matrix(table, logits, effects)[:, -len(names) :]).all()
    for place, name in enumerate(names):
        table = table.append_column(name, pa.array([place, None, place + 0.5], pa.float32()))
    matrix = inputs.matrix(table, logits, effects)[:, -len(names) :]
    assert matrix[0].tolist() == list(range(len(names)))
    assert np.isnan(matrix[1]).all()
    assert matrix[2].tolist() == [place + 0.5 for place in range(len(names))]


def test_columns_do_not_know_the_label_or_its_day() -> None:
    table = feature_table(50, 15)
    inputs = TreeInputs(("en",), dict.fromkeys((*schema.TARGETS, "negative"), 0.1), 20.0)
    logits, effects = np.zeros((50, 4), np.float32), no_effects(50)
    other = replaced(table, schema.ENGAGEMENT_DAY, np.zeros(50))
    for target in schema.TARGETS:
        other = replaced(other, target, ~table[target].to_numpy())
    assert np.array_equal(inputs.matrix(table, logits, effects), inputs.matrix(other, logits, effects), equal_nan=True)
    assert len(set(COLUMNS)) == len(COLUMNS)
