"""`engage explain` on a finished world: the probabilities of predict, taken apart, in words and as JSON."""

import csv
import gzip
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from engage_pipeline import schema
from engage_pipeline.commands.app import app
from engage_pipeline.errors import UserError
from engage_pipeline.files.outputs import find_output
from engage_pipeline.interactions.features.rows import FeatureFile
from engage_pipeline.machine.spill import remove_spilled
from engage_pipeline.model.bundle import TrainedModel
from engage_pipeline.model.explanation.families import FAMILIES, FEATURES, ExplainedFamily
from engage_pipeline.model.explanation.row import explain_row
from engage_pipeline.settings.families import REFERENCE_FAMILIES
from engage_pipeline.settings.settings import Settings, load_settings
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline.submission.explanation.as_json import to_json
from engage_pipeline.submission.explanation.as_text import LEAST_SHOWN, to_text
from engage_pipeline.submission.explanation.explain import explain
from engage_pipeline.submission.explanation.words import describe
from engage_pipeline.submission.predict import predict
from engage_pipeline_tests import worlds
from engage_pipeline_tests.documented import commands
from engage_pipeline_tests.ingest.parsing.parquet_parts import typed, write
from engage_pipeline_tests.model.bundles import quiet_settings
from engage_pipeline_tests.model.network.network_samples import set_column
from engage_pipeline_tests.samples import GOLDEN, tiny_settings
from engage_pipeline_tests.submission.published import publish_golden_model

ROWS = (0, 233)


@pytest.fixture(scope="module")
def settings(own_world: Path) -> Settings:
    return load_settings(own_world / "config.yaml")


@pytest.fixture(scope="module")
def part(finished_world: Path) -> Path:
    return finished_world / "raw" / "test" / "part-00000"


def predicted(part: Path, settings: Settings, output: Path) -> np.ndarray:
    """The probabilities in results.csv, [n, 4] in the order of TARGETS."""
    predict([part], output, settings, threads=1)
    with output.open(newline="", encoding="utf-8") as file:
        rows = [row[2:] for row in csv.reader(file)]
    places = [schema.SUBMISSION_ENGAGEMENTS.index(target) for target in schema.TARGETS]
    return np.array(rows, float)[:, places]


def test_a_row_of_a_parquet_part_is_explained_as_its_line(settings: Settings, part: Path, tmp_path: Path) -> None:
    table = write(typed(part.read_bytes()), tmp_path / "part-00000.parquet", 100)
    found, line = (explain(source, 233, settings, threads=1) for source in (table, part))
    assert (found.tweet, found.features, found.explanation) == (line.tweet, line.features, line.explanation)
    with pytest.raises(UserError, match=r"part-00000\.parquet: no row 9999: it has [0-9,]+ lines"):
        explain(table, 9999, settings, threads=1)


def test_probabilities_are_those_of_predict(settings: Settings, part: Path, tmp_path: Path) -> None:
    expected = predicted(part, settings, tmp_path / "results.csv")
    for row in ROWS:
        explained = explain(part, row, settings, threads=1)
        found = [explanation.probability for explanation in explained.explanation.engagements]
        np.testing.assert_allclose(found, expected[row], rtol=0, atol=1e-6)
        (tmp_path / "one").write_bytes(part.read_bytes().splitlines(keepends=True)[row])
        alone = predicted(tmp_path / "one", settings, tmp_path / "one.csv")[0]
        np.testing.assert_allclose(found, alone, rtol=0, atol=1e-9)
        for explanation in explained.explanation.engagements:
            assert abs(explanation.residual) < 0.05  # bfloat16, where the processor is fast at it
    assert not list(settings.working_dir.glob(".explain-*"))


def without(features: pa.Table, family: str, others: pa.Table) -> pa.Table:
    """The one row `features` once for each of `others`, with what the family counted for that one.

    Contributions are reckoned from the rows on the average, not from rows of which nothing was counted.
    """
    rows = features.take(pa.array([0] * len(others)))
    for name, feature in FEATURES.items():
        if feature.family == family and feature.columns == (name,):
            rows = set_column(rows, name, others[name].to_pylist())
    return rows


def claims(
    store: ArtifactStore,
    *,
    chosen: Callable[[ExplainedFamily], bool],
    least: float,
    without: Callable[[pa.Table, ExplainedFamily], pa.Table],
) -> tuple[list[float], list[float]]:
    """What the first chosen family of a row is said to do to its logits, and what they move without the family.

    Of every third of the first 120 test rows, where that is more than `least`.
    """
    model = TrainedModel.load(store.open("trained_model"), threads=1)
    table = FeatureFile(store.open("test_features").path("part-00000.parquet")).read()
    claimed, moved = [], []
    for row in range(0, 120, 3):
        features = table.slice(row, 1)
        for place, explanation in enumerate(explain_row(model, features).engagements):
            effect = next(effect for effect in explanation.effects() if chosen(effect.family))
            if abs(effect.contribution) > least:
                other = model.components(without(features, effect.family))["blend"][:, place].mean()
                claimed.append(effect.contribution)
                moved.append(explanation.logit - other)
    return claimed, moved


@pytest.mark.long
def test_taking_the_dominating_counters_away_moves_the_logit_back(world: Path) -> None:
    # Where effects are on, they leave the counters hardly anything to say.
    families = [family.name for family in REFERENCE_FAMILIES]
    config = worlds.write_config(world, features={"families": families}, promotion={"tolerance": 100.0})
    worlds.run(config, "trained_model")
    worlds.run(config, "test_features")
    store = worlds.store_of(config)
    others = FeatureFile(store.open("test_features").path("part-00000.parquet")).read().slice(0, 40)
    claimed, moved = claims(
        store,
        chosen=lambda family: bool(family.key),
        least=0.06,
        without=lambda features, family: without(features, family.name, others),
    )
    assert len(claimed) > 10
    assert (np.sign(claimed) == np.sign(moved)).mean() > 0.9
    assert np.corrcoef(claimed, moved)[0, 1] > 0.8


def without_tweet(features: pa.Table) -> pa.Table:
    """`features` as if nobody knew which tweet it is."""
    return set_column(features, "tweet_id", [None] * len(features))


def test_taking_the_tweet_away_moves_the_logit_back_by_its_effect(settings: Settings) -> None:
    claimed, moved = claims(
        ArtifactStore(settings),
        chosen=lambda family: family.name == "tweet_effects",
        least=0.03,
        without=lambda features, _: without_tweet(features),
    )
    assert len(claimed) > 10
    assert (np.sign(claimed) == np.sign(moved)).mean() > 0.9
    assert np.corrcoef(claimed, moved)[0, 1] > 0.9


def test_labels_are_shown_and_change_nothing(finished_world: Path, settings: Settings, tmp_path: Path) -> None:
    lines = (finished_world / "raw" / "validation" / "part-00000").read_bytes().splitlines()
    row = next(number for number, line in enumerate(lines) if not line.endswith(b"\x01" * 4))
    (tmp_path / "part-00000.gz").write_bytes(gzip.compress(b"\n".join(lines[: row + 1])))
    (tmp_path / "unlabelled").write_bytes(b"\x01".join(lines[row].split(b"\x01")[: schema.N_TEST_COLUMNS]))
    labelled = explain(tmp_path / "part-00000", row, settings, threads=1)
    unlabelled = explain(tmp_path / "unlabelled", 0, settings, threads=1)
    times = lines[row].split(b"\x01")[schema.N_TEST_COLUMNS :]
    names = [name.removesuffix("_timestamp") for name in schema.COLUMN_NAMES[schema.N_TEST_COLUMNS :]]
    assert labelled.labels == {name: time != b"" for name, time in zip(names, times, strict=True)}
    assert any(labelled.labels.values())
    assert unlabelled.labels is None
    assert labelled.explanation == unlabelled.explanation
    assert len(re.findall("label: yes", to_text(labelled))) == sum(labelled.labels.values())
    assert "label:" not in to_text(unlabelled)


def test_output_and_help_say_what_the_figures_mean(settings: Settings, part: Path) -> None:
    text, told = to_text(explain(part, 3, settings, threads=1)), re.sub(r"\s+", " ", commands()["explain"].help)
    for word in ("logits", "points", "from", "base rate"):
        assert f"{word}: " in text
        assert f"`{word}` is" in told or f"`{word}` the" in told


def test_what_has_no_prediction_is_named_with_the_reason(settings: Settings, part: Path, tmp_path: Path) -> None:
    good = part.read_bytes().splitlines()[0]
    fields = good.split(b"\x01")
    wrong_time = b"\x01".join([*fields[:8], b"yesterday", *fields[9:]])
    wrong_label = good + b"\x01\x01\x01\x01soon"
    lines = [good, b"", b"too\x01few", good.replace(fields[2], b"\xff"), wrong_time, wrong_label, b"of\x00zero"]
    bad = tmp_path / "part-00000"
    bad.write_bytes(b"\n".join(lines))
    for row, reason in (
        (1, "row 1 is a blank line"),
        (2, "row 2 is rejected: columns: 2 instead of 20"),
        (3, "row 3 is rejected: encoding: invalid UTF-8"),
        (4, "row 4 is rejected: tweet_timestamp: 'yesterday' is no integer"),
        (5, "row 5 is rejected: like_timestamp: 'soon' is no integer"),
        (6, "row 6 is rejected: NUL: a byte 0"),
        (7, "no row 7: it has 7 lines, rows 0 to 6"),
        (-1, "no row -1: it has 7 lines"),
    ):
        with pytest.raises(UserError, match=re.escape(reason)) as caught:
            explain(bad, row, settings)
        assert str(caught.value).startswith(str(bad))
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="no such part"):
        explain(tmp_path / "part-00001", 0, settings)
    assert not list(settings.working_dir.glob(".explain-*"))


def test_a_killed_explanation_leaves_nothing_behind_that_forget_does_not_remove(
    part: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(source: Path, **_: object) -> None:
        assert (source.parent / ".lock").is_file()
        shutil.copytree(source.parent, source.parent.with_name(".explain-killed"))
        remove_spilled(own)
        raise RuntimeError

    own = tiny_settings(tmp_path / "data")
    monkeypatch.setattr("engage_pipeline.submission.explanation.explain.ingest_part", killed)
    with pytest.raises(RuntimeError):
        explain(part, 0, own)
    assert not list(own.working_dir.glob(".explain-*"))


def test_a_missing_value_is_shown_as_missing_and_zero_as_zero(settings: Settings, part: Path, tmp_path: Path) -> None:
    fields = part.read_bytes().splitlines()[0].split(b"\x01")
    lines = []
    for value in (b"", b"0"):
        changed = dict.fromkeys(("engaging_user_follower_count", "tweet_timestamp"), value)
        named = dict(zip(schema.COLUMN_NAMES, fields, strict=False)) | changed | {"engaged_with_user_id": b""}
        lines.append(b"\x01".join(named.values()))
    (tmp_path / "part-00000").write_bytes(b"\n".join(lines) + b"\n")
    missing, zero = (explain(tmp_path / "part-00000", row, settings, threads=1) for row in range(2))
    names = {"engaging_user_follower_count", "hour", "day_of_month"}
    assert names <= {*to_json(missing)["missing"]}
    assert not names & {*to_json(zero)["missing"]}
    assert missing.features["engaging_user_follower_count"] == 0
    said, of_zero = to_text(missing).splitlines(), to_text(zero).splitlines()
    assert "  time missing, " in said[1]
    assert "  1970-01-01 00:00 UTC, " in of_zero[1]
    assert "  followers missing, " in said[3]
    assert "  0 followers, " in of_zero[3]
    counters = next(line for line in said if line.startswith("training") and "the author with all viewers" in line)
    assert counters.endswith("  engaged_with_user_id missing")


def test_the_text_is_short_and_the_json_whole(settings: Settings, part: Path, tmp_path: Path) -> None:
    arguments = ["explain", "--input", str(part), "--row", "17", "--json", str(tmp_path / "row.json")]
    shown = CliRunner().invoke(app, [*arguments, "--config", str(settings.working_dir.parent / "config.yaml")])
    assert shown.exit_code == 0, shown.output
    lines = shown.output.splitlines()
    assert len(lines) < 80
    assert "scored file" not in shown.output
    assert lines[0] == f"{part}, row 17"
    values = json.loads((tmp_path / "row.json").read_text(encoding="utf-8"))
    assert values["tweet"]["tweet_id"] in lines[1]
    for target in schema.TARGETS:
        engagement = values["engagements"][target]
        beginning = f"{target}: {100 * engagement['probability']:.2f} %"
        if engagement["interval"] is not None:
            low, high = (f"{100 * end:.2f}" for end in engagement["interval"])
            beginning += f" ({low} to {high} %)"
        assert any(line.startswith(beginning) for line in lines)
        families = engagement["families"]
        whole = engagement["baseline_logit"] + engagement["residual"] + sum(f["contribution"] for f in families)
        assert whole == pytest.approx(engagement["logit"], abs=1e-9)
        known = {*values["features"], schema.TEXT_TOKENS_HIGH}
        assert {feature["feature"] for family in families for feature in family["features"]} == {
            name for name, feature in FEATURES.items() if known >= {*feature.columns}
        }
        first = families[0]
        begin = f"   {first['contribution']:+.2f}"
        written = [line for line in lines if line.startswith(begin) and first["title"] in line]
        assert bool(written) == (abs(first["contribution"]) >= LEAST_SHOWN)
    table = {tuple(line.split()[:-5]): line.split()[-5:] for line in lines if line.startswith("training")}
    names = ("exposures", *schema.TARGETS)
    counts = [f"{values['features'][f'viewer_{name}']:,}" for name in names]
    assert table["training", "the", "viewer's", "own", "history"] == counts
    (rate,) = (
        feature
        for family in values["engagements"]["like"]["families"]
        for feature in family["features"]
        if feature["feature"] == "viewer_like_rate"
    )
    assert rate["made_of"] == {name: values["features"][name] for name in ("viewer_like", "viewer_exposures")}
    with pytest.raises(UserError, match="is a folder"):
        find_output(tmp_path)


def test_words_for_families() -> None:
    features = {
        **dict.fromkeys(schema.NUMBERS, 0),
        **dict.fromkeys(schema.EXPOSURE_FEATURES, 0),
        **dict.fromkeys(schema.BINARY_FEATURES, False),
        "valid_viewer_like": 1045,
        "valid_viewer_exposures": 2060,
        "similar_reply": 0.5,
        "similar_jaccard_sum": 1.25,
        "is_retweet": True,
        "has_photo": True,
        "n_hashtags": 1,
        "hour": 5,
        "day_of_month": 24,
        "language": None,
        "engaged_with_user_follower_count": 13021,
        "engaged_with_user_is_verified": True,
    }
    for family, engagement, words in (
        ("validation_viewer", "like", "liked 1,045 of 2,060 shown"),
        ("validation_viewer", "retweet_with_comment", "quoted 0 of 2,060 shown"),
        ("training_viewer", "like", "never shown"),
        ("training_similar", "reply", "replied to 0.50, weighted by similarity"),
        ("tweet_content", "like", "retweet, photo, 1 hashtag"),
        ("author_profile", "like", "13,021 followers, follows 0, account of 0 days, verified"),
        ("profiles_compared", "like", "13,021 and 0 followers"),
        ("follows", "like", "engagee_follows_engager is false"),
        ("time", "like", "5:00 to 5:59 UTC, day 25 of the month"),
        ("language", "like", "missing"),
        ("text", "like", "0 tokens"),
    ):
        assert describe(FAMILIES[family], engagement, features) == words
    assert describe(FAMILIES["training_hashtag"], "like", {**features, "n_hashtags": 0}) == "it has none"


def test_a_network_alone_is_explained_too(tmp_path: Path) -> None:
    settings = quiet_settings(tmp_path / "data", trees={"enabled": False})
    publish_golden_model(tmp_path, settings)
    part = GOLDEN / "test" / "part-00000.gz"
    explained = explain(part, 5, settings)
    expected = predicted(part, settings, tmp_path / "results.csv")[5]
    for place, explanation in enumerate(explained.explanation.engagements):
        assert explanation.probability == pytest.approx(expected[place], abs=1e-6)
        assert abs(explanation.residual) < 1e-3
        assert list(explanation.models) == ["network"]
    assert "trees" not in to_text(explained)
    assert list(to_json(explained)["engagements"]["like"]["logits"]) == ["network"]
