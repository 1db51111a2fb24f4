"""What the UI shows of a version: scores that it plots over time, files that people open, and short JSON."""

import json
import re
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from engage_pipeline import schema
from engage_pipeline.model.evaluation.holdout import SCORES, read_scores
from engage_pipeline.model.promotion.facts import CANDIDATE, CURRENT
from engage_pipeline.orchestration.assets.figures import LONGEST_JSON, describe, quality_figures
from engage_pipeline.orchestration.checks.finding import LOOKS, result_of
from engage_pipeline.store.manifests import Manifest, read_manifest
from engage_pipeline.store.opening import current_paths
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline_tests import worlds
from engage_pipeline_tests.model.promotion.promotions import mean_of_the_counted

MEANS = ("mean", "mean_by_group")


def with_facts(folder: Path, artifact: str, **facts: Any) -> tuple[ArtifactStore, Manifest]:
    """A version of `artifact` that holds one file and these facts."""
    store = worlds.store_of(worlds.write_config(folder))
    with store.publish(artifact) as draft:
        draft.path("file").write_text("1", encoding="utf-8")
        draft.facts |= facts
    manifest = store.manifest(artifact)
    assert manifest is not None
    return store, manifest


def four_digits(value: float | None) -> float | None:
    """The number as people read it."""
    return None if value is None else float(f"{value:.3e}")


@pytest.mark.long
def test_the_scores_of_an_evaluation_are_numbers_over_time(world: Path) -> None:
    config = world / "config.yaml"
    with dg.DagsterInstance.ephemeral() as instance:
        worlds.write_config(world, evaluation={"follower_edges": [500]}, promotion={"tolerance": 1e6})
        worlds.run(config, "evaluation", instance)
        event = instance.get_latest_materialization_event(dg.AssetKey("evaluation"))
    assert event is not None
    assert event.asset_materialization is not None
    shown = event.asset_materialization.metadata
    version = worlds.store_of(config).open("evaluation")
    scores = read_scores(version.path(SCORES))["blend"]
    for target, one in scores.engagements.items():
        for metric in ("ap", "rce"):
            value = shown.get(f"{metric}_{target}")
            expected = getattr(one.overall, metric)
            assert (value.value if value else None) == four_digits(expected)
            assert value is None or isinstance(value, dg.FloatMetadataValue)
        share = shown[f"share_{target}"]
        assert share == dg.FloatMetadataValue(four_digits(one.overall.positives / one.overall.rows))
    for name, mean in zip(MEANS, (scores.overall_mean, scores.group_mean), strict=True):
        assert shown[f"rce_{name}"].value == four_digits(mean.rce)
        assert shown[f"ap_{name}"].value == four_digits(mean.ap)
    assert shown["report"] == dg.PathMetadataValue(str(version.path("report.html")))


@pytest.mark.long
def test_a_submission_tells_the_path_of_its_results(finished_world: Path) -> None:
    store = worlds.store_of(finished_world / "config.yaml")
    version = store.open("submission")
    assert describe(store, version.manifest)["results"].path == str(version.path("results.csv"))


@pytest.mark.long
def test_the_model_that_predicts_tells_the_path_of_its_card(finished_world: Path) -> None:
    store = worlds.store_of(finished_world / "config.yaml")
    version = store.open("trained_model")
    card = version.path("model-card.md")
    assert describe(store, version.manifest)["model card"].path == str(card)
    assert card in current_paths(store, "trained_model", files=True)
    assert (store.root / "latest" / "model-card.md").samefile(card)
    text = card.read_text(encoding="utf-8")
    training = sum(store.open("tweet_parts", part).manifest.rows or 0 for part in store.parts())
    assert f"| training rows | {training:,} |" in text
    assert f"| like | {version.manifest.facts['candidate_card']['scores']['like']['positives']} | " in text
    assert str(store.root) not in text


@pytest.mark.long
def test_the_model_that_predicts_has_the_same_scores(finished_world: Path) -> None:
    """But for the means, from which the decision leaves out engagements with few rows of a class."""
    store = worlds.store_of(finished_world / "config.yaml")
    evaluated = quality_figures(store.open("evaluation").manifest)
    predicting = quality_figures(store.open("trained_model").manifest)
    assert predicting.keys() == evaluated.keys() - {"ap_mean_by_group", "rce_mean_by_group"}
    assert predicting.keys() >= {f"share_{target}" for target in schema.TARGETS}
    alike = predicting.keys() - {"ap_mean", "rce_mean"}
    assert {name: predicting[name] for name in alike} == pytest.approx({name: evaluated[name] for name in alike})
    scores = read_scores(store.open("evaluation").path(SCORES))
    main = json.loads(store.open("evaluation").path(SCORES).read_text(encoding="utf-8"))["main_model"]
    for metric in ("ap", "rce"):
        assert predicting[f"{metric}_mean"] == pytest.approx(mean_of_the_counted(scores[main], metric))


@pytest.mark.parametrize(("judged", "expected"), [("itself", 2.0), ("another", 1.0)])
def test_a_turned_down_candidate_leaves_the_scores_of_the_model_before(
    tmp_path: Path, judged: str, expected: float
) -> None:
    _, before = with_facts(tmp_path, "trained_model")
    rce = {CANDIDATE: {"like": 2.0, "reply": None}, CURRENT: {"like": 1.0, "reply": None}}
    candidate = before.version if judged == "itself" else "another"
    _, manifest = with_facts(tmp_path, "trained_model", candidate=candidate, rce=rce)
    assert quality_figures(manifest) == {"rce_like": expected}


def test_after_a_rollback_the_score_is_that_of_the_promotion(tmp_path: Path) -> None:
    rce = {CANDIDATE: {"like": 2.0, "mean": 3.0}}
    _, manifest = with_facts(tmp_path, "trained_model", candidate="another", rce=rce, rce_at_promotion=1.5)
    assert quality_figures(manifest) == {"rce_mean": 1.5}
    _, manifest = with_facts(tmp_path, "trained_model", rce={CURRENT: {"mean": 1.25}}, rce_at_promotion=1.5)
    assert quality_figures(manifest) == {"rce_mean": 1.25}


def test_a_model_of_an_earlier_version_of_the_program_has_fewer_figures(tmp_path: Path) -> None:
    for artifact in ("trained_model", "evaluation"):
        _, manifest = with_facts(tmp_path, artifact, rows=3)
        assert quality_figures(manifest) == {}


def test_the_decision_comes_first(tmp_path: Path) -> None:
    store, manifest = with_facts(tmp_path, "trained_model", rows=3, split={"seed": 1}, decision="rolled back")
    assert next(iter(describe(store, manifest).items())) == ("decision", "rolled back")


def test_json_is_short_and_rounded(tmp_path: Path) -> None:
    long = {f"key {i}": 0.1 for i in range(LONGEST_JSON // 8)}
    facts = {"rates": {"like": 0.123456789, "rows": [123456, 0.00001234567]}, "long": long, "seconds": 12345.678}
    store, manifest = with_facts(tmp_path, "emde_sketches", **facts)
    found = describe(store, manifest)
    assert found["rates"].data == {"like": 0.1235, "rows": [123456, 0.00001235]}
    assert found["seconds"] == 12345.678
    assert "long" not in found


def test_no_line_is_too_long_for_the_table(tmp_path: Path) -> None:
    """Of a SHA-256 the first digits, of many files the first names: a longer line hides the table's last column."""
    store = worlds.store_of(worlds.write_config(tmp_path))
    with store.publish("emde_sketches") as draft:
        for number in range(80):
            draft.path(f"file-{number:02}").write_text("1", encoding="utf-8")
        draft.facts |= {"split": {"part": "0123456789abcdef" * 4, "seed": 1}, "days": "2021-02-23 to 2021-02-24"}
    manifest = store.manifest("emde_sketches")
    assert manifest is not None
    found = describe(store, manifest)
    assert found["split"].data == {"part": "0123456789ab", "seed": 1}
    assert found["files"] == "80 files: file-00, file-01, file-02, …"
    assert found["engagement days"] == "2021-02-23 to 2021-02-24"
    assert "days" not in found
    store, manifest = with_facts(tmp_path, "emde_sketches", part="0123456789abcdef" * 3)
    assert describe(store, manifest)["files"] == "file"
    assert describe(store, manifest)["part"] == "0123456789abcdef" * 3


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["blend.json", "codes.parquet", "communities.parquet", "x"], "4 files: blend.json, codes.parquet, …"),
        (["blend.json", "codes.parquet", "communities", "x"], "4 files: blend.json, codes.parquet, communities, …"),
        (["a" * 60, "b", "c", "d"], f"4 files: {'a' * 60}, …"),
    ],
)
def test_files_are_named_as_far_as_the_line_has_room(tmp_path: Path, names: list[str], shown: str) -> None:
    store = worlds.store_of(worlds.write_config(tmp_path))
    with store.publish("emde_sketches") as draft:
        for name in names:
            draft.path(name).write_text("1", encoding="utf-8")
    manifest = store.manifest("emde_sketches")
    assert manifest is not None
    assert describe(store, manifest)["files"] == shown


def test_what_was_forgotten_has_names_that_tell_lines_from_rows(tmp_path: Path) -> None:
    store, manifest = with_facts(tmp_path, "emde_sketches", forgotten=3, forgotten_rows=2)
    found = describe(store, manifest)
    assert (found["forgotten lines"], found["forgotten rows among them"]) == (3, 2)
    assert not {"forgotten", "forgotten_rows"} & found.keys()


@pytest.mark.long
def test_no_artifact_shows_long_json(finished_world: Path) -> None:
    store = worlds.store_of(finished_world / "config.yaml")
    for path in sorted(store.root.rglob("manifest.json")):
        manifest = read_manifest(path.read_bytes(), path.parent)
        for name, value in describe(store, manifest).items():
            if isinstance(value, dg.JsonMetadataValue):
                assert len(json.dumps(value.data)) <= LONGEST_JSON, (manifest.artifact, name)


@pytest.mark.long
def test_no_number_has_a_tail_of_digits(finished_world: Path) -> None:
    """Neither in the metadata of an asset, nor in that of a check, nor in their tables."""
    store = worlds.store_of(finished_world / "config.yaml")
    manifests = [read_manifest(path.read_bytes(), path.parent) for path in sorted(store.root.rglob("manifest.json"))]
    shown = {(one.artifact, name): value for one in manifests for name, value in describe(store, one).items()}
    for asset, looks in LOOKS.items():
        for check, (look, blocking) in looks.items():
            found = result_of(look(store), blocking=blocking).metadata
            shown |= {(asset, f"{check}: {name}"): value for name, value in found.items()}
    numbers = {name: re.findall(r"\d+\.\d+", str(getattr(value, "value", value))) for name, value in shown.items()}
    assert sum(map(len, numbers.values())) > 100
    long = {name: [one for one in its if len(one.replace(".", "").lstrip("0")) > 6] for name, its in numbers.items()}
    assert {name: its for name, its in long.items() if its} == {}
