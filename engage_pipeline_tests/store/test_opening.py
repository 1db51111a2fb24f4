"""What people read from their own programs is the current version, every row once, or one line that says why not."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from engage_pipeline import open_artifact
from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.errors import UserError
from engage_pipeline.locations import location
from engage_pipeline.store.opening import current_paths
from engage_pipeline_tests import worlds
from engage_pipeline_tests.samples import edit_manifest

pytestmark = pytest.mark.long
ENGAGE = str(Path(sys.executable).with_name("engage"))
FEATURES = "interaction_features"
EXAMPLE = re.compile(r"^```(?P<language>python|sql)\n(?P<code>.*?)^```", re.MULTILINE | re.DOTALL)
_, _, READING = (
    (worlds.REPOSITORY / "docs" / "data.md").read_text(encoding="utf-8").partition("## Reading what was made")
)


def made_again(config: Path, part: str) -> None:
    """Makes a part's features again, with the same content in another folder."""
    store = worlds.store_of(config)
    before = store.open(FEATURES, part)
    with store.publish(FEATURES, part) as draft:
        for name in before.manifest.files:
            draft.path(name).write_bytes(before.path(name).read_bytes())
        draft.rows = before.manifest.rows
        draft.facts = dict(before.manifest.facts)


def test_every_artifact_opens(finished_world: Path) -> None:
    config = finished_world / "config.yaml"
    store = worlds.store_of(config)
    folders = set()
    for name, artifact in ARTIFACTS.items():
        opened = open_artifact(name, config=config)
        manifests = [store.open(name, key).manifest for key in (store.parts() if artifact.partitioned else [None])]
        if isinstance(opened, Path):
            folders.add(name)
            assert sorted(path.name for path in opened.iterdir()) == sorted(manifests[0].files)
        elif all(manifest.rows is not None for manifest in manifests) and name != "engagement_effects":
            assert opened.count_rows() == opened.to_table().num_rows == sum(one.rows or 0 for one in manifests), name
    assert folders == {
        "interaction_counts",
        "validation_counts",
        "finetuned_encoder",
        "tweet_topics",
        "pretrained_network",
        "finetuned_network",
        "engagement_trees",
        "candidate_model",
        "trained_model",
    }


def test_a_part_that_was_made_again_is_read_once(world: Path) -> None:
    config = world / "config.yaml"
    naive = sorted((world / "data" / "interactions" / FEATURES).glob("part-*/*-*/features.parquet"))
    made_again(config, "part-00001")
    again = sorted((world / "data" / "interactions" / FEATURES).glob("part-*/*-*/features.parquet"))
    assert len(again) == len(naive) + 1
    rows = sum(pq.read_metadata(path).num_rows for path in naive)
    opened = open_artifact(FEATURES, config=config)
    assert isinstance(opened, ds.Dataset)
    assert opened.count_rows() == rows
    table = opened.to_table(columns=["line_number", "part"])
    assert len(set(zip(*table.to_pydict().values(), strict=True))) == rows
    linked = sorted((world / "data" / "interactions" / FEATURES).glob("*/current/features.parquet"))
    assert sum(pq.read_metadata(path).num_rows for path in linked) == rows


def test_a_part_or_another_file_is_chosen(finished_world: Path) -> None:
    config = finished_world / "config.yaml"
    for name in (FEATURES, "tweet_parts", "test_features"):
        opened = open_artifact(name, "part-00000", config=config)
        assert isinstance(opened, ds.Dataset)
        assert set(opened.to_table()["part"].to_pylist()) == {"part-00000"}
        every = open_artifact(name, config=config)
        assert opened.count_rows() == every.count_rows(filter=ds.field("part") == "part-00000")
    rejects = open_artifact("tweet_parts", file="rejects.parquet", config=config)
    assert {"line_number", "reason", "part"} <= set(rejects.schema.names)
    edges = open_artifact("author_similarity", file="edges.arrow", config=config)
    assert edges.count_rows() >= 0
    assert open_artifact("evaluation", file="scores.json", config=config).name == "scores.json"
    results = open_artifact("submission", config=config).to_table()
    (path,) = current_paths(worlds.store_of(config), "submission", files=True)
    first = path.read_text(encoding="utf-8").partition("\n")[0].split(",")
    assert [str(results[name][0]) for name in results.column_names[:2]] == first[:2]
    assert [float(results[name][0].as_py()) for name in results.column_names[2:]] == [float(one) for one in first[2:]]


@pytest.mark.parametrize(
    ("name", "part", "file", "line"),
    [
        ("interaction_feature", None, None, "no such artifact; did you mean interaction_features?"),
        ("x", None, None, "x: no such artifact; there are tweet_parts, validation_tweets, "),
        (
            FEATURES,
            "part-00009",
            None,
            "interaction_features/part-00009: no such part; the ingested parts are part-0000",
        ),
        (FEATURES, "../part-00000", None, "part '../part-00000': a part's name is"),
        (
            "test_features",
            "part-00009",
            None,
            "test_features/part-00009 is not there; the parts of test_features are p",
        ),
        ("author_similarity", "part-00000", None, "author_similarity has no parts"),
        ("test_tweets", "part-00000", "part-00000.parquet", "test_tweets: give a part or a file, not both"),
        (FEATURES, "part-00000", "tweets.parquet", "has no file tweets.parquet; its files are features.parquet, feat"),
        ("evaluation", None, "../manifest.json", "evaluation has no file ../manifest.json; its files are"),
    ],
)
def test_a_mistake_is_one_line(finished_world: Path, name: str, part: str, file: str, line: str) -> None:
    with pytest.raises(UserError) as error:
        open_artifact(name, part, file=file, config=finished_world / "config.yaml")
    assert line in str(error.value)
    assert "\n" not in str(error.value)


def test_without_a_part_the_line_says_how_one_is_made(tmp_path: Path) -> None:
    config = worlds.write_config(tmp_path)
    nothing = f"no part of {tmp_path}/raw/train is ingested: materialize tweet_parts first (engage run)"
    for part, said in (("part-00003", f"{FEATURES}/part-00003: no such part; {nothing}"), (None, nothing)):
        with pytest.raises(UserError) as error:
            open_artifact(FEATURES, part, config=config)
        assert str(error.value) == said
    with pytest.raises(UserError, match=r"^evaluation is not there yet: materialize it first \(engage run\)$"):
        open_artifact("evaluation", config=config)


def test_a_version_that_failed_a_check_or_is_damaged_or_of_other_settings_is_not_opened(world: Path) -> None:
    config = world / "config.yaml"
    store = worlds.store_of(config)
    path = store.open(FEATURES, "part-00000").path("features.parquet")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="SHA-256 differs from the manifest's; materialize interaction_features/part-0"):
        open_artifact(FEATURES, config=config)
    assert open_artifact(FEATURES, config=config, verify=False).count_rows()
    assert current_paths(store, FEATURES, ["part-00000"]) == [path.parent]
    with pytest.raises(UserError, match="damaged"):
        current_paths(store, FEATURES, ["part-00000"], verify=True)
    path.write_bytes(content[:-1])
    with pytest.raises(UserError, match=r"damaged: .* bytes instead of"):
        open_artifact(FEATURES, config=config, verify=False)

    def fail(values: dict[str, dict[str, dict[str, str]]]) -> None:
        problems = values["verdict"]["problems"]
        problems[next(iter(problems))] = "no good"

    edit_manifest(store.folder("tweet_parts", "part-00001"), fail)
    with pytest.raises(UserError, match=r"tweet_parts/part-00001 .*no good.*materialize it again"):
        open_artifact("tweet_parts", config=config)
    with pytest.raises(UserError, match="made with other settings"):
        open_artifact("emde_sketches", config=config, preset="synerise")


def test_the_package_stays_light() -> None:
    code = (
        "import sys, engage_pipeline as made; print({'pyarrow', 'pydantic', 'yaml'} & set(sys.modules), "
        "'open_artifact' in made.__all__, hasattr(made, 'nothing'), made.open_artifact)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.startswith("set() True False <function open_artifact")


def engage_path(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ENGAGE, "path", *arguments], capture_output=True, text=True, check=False, cwd=folder)


def test_the_command_prints_folders_or_files(finished_world: Path) -> None:
    store = worlds.store_of(finished_world / "config.yaml")
    folders = [store.open(FEATURES, key).directory() for key in store.parts()]
    lines = engage_path(finished_world, FEATURES).stdout.splitlines()
    assert lines == [str(folder) for folder in folders]
    assert engage_path(finished_world, FEATURES, "part-00002").stdout == f"{folders[2]}\n"
    files = engage_path(finished_world, FEATURES, "part-00002", "part-00000", "--files", "--verify")
    assert files.stdout.splitlines() == [str(folders[place] / "features.parquet") for place in (2, 0)]
    tests = store.open("test_tweets").directory()
    assert engage_path(finished_world, "test_tweets", "part-00000").stdout == f"{tests / 'part-00000.parquet'}\n"
    model = store.open("trained_model")
    every = engage_path(finished_world, "trained_model", "--files").stdout.splitlines()
    assert every == [str(model.path(name)) for name in model.manifest.files]
    wrong = engage_path(finished_world, "trained_model", "part-00000")
    assert (wrong.returncode, wrong.stdout, wrong.stderr) == (1, "", "engage: trained_model has no parts\n")


def test_the_parts_are_those_of_the_training_set(world: Path) -> None:
    (world / "raw" / "train" / "part-00002").unlink()
    opened = open_artifact(FEATURES, config=world / "config.yaml")
    assert set(opened.to_table(columns=["part"])["part"].to_pylist()) == {"part-00000", "part-00001"}


@pytest.mark.parametrize("left_out", [None, "2021-01-01T00:00:00+00:00", "2099-01-01T00:00:00+00:00"])
def test_a_bucket_of_the_settings_is_not_asked(
    world: Path, monkeypatch: pytest.MonkeyPatch, left_out: str | None
) -> None:
    """The last counting tells which parts left the bucket; one that was ingested since is there."""
    uri = "s3://far/train"
    config = worlds.write_config(world, recsys_data=uri, validation_part=f"{uri}/v", test_data=uri, deletions=uri)
    store = worlds.store_of(config)
    keys = ["part-00000", "part-00001", "part-00002"]
    for key in keys:
        edit_manifest(store.folder("tweet_parts", key), lambda values: values["sources"][0].update(folder=uri))
    if left_out:

        def leave_out(values: dict[str, Any]) -> None:
            del values["inputs"]["tweet_parts/part-00001"]
            values["created"] = left_out

        edit_manifest(store.folder("interaction_counts"), leave_out)
        keys = [keys[0], keys[2]] if left_out > "2090" else keys

    def asked(root: str) -> None:
        raise AssertionError(f"{root} is asked")

    monkeypatch.setattr(location, "file_system", asked)
    opened = open_artifact(FEATURES, config=config)
    assert sorted(set(opened.to_table(columns=["part"])["part"].to_pylist())) == keys
    assert [path.parent.parent.name for path in current_paths(store, FEATURES, files=True)] == keys
    assert isinstance(open_artifact("trained_model", config=config), Path)
    with pytest.raises(UserError, match="part-00009: no such part; the ingested parts are part-00000, "):
        open_artifact(FEATURES, "part-00009", config=config)


@pytest.mark.parametrize("example", list(EXAMPLE.finditer(READING)))
def test_the_examples_of_the_page_run(
    finished_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, example: re.Match[str]
) -> None:
    monkeypatch.chdir(finished_world)
    monkeypatch.setenv("PATH", f"{Path(ENGAGE).parent}{os.pathsep}{os.environ['PATH']}")
    rows = sum(
        pq.read_metadata(path).num_rows
        for path in current_paths(worlds.store_of(Path("config.yaml")), FEATURES, files=True)
    )
    if example["language"] == "sql":
        import duckdb

        assert duckdb.sql(example["code"]).fetchall() == [(rows,)]
        return
    for name in ("pandas", "polars"):
        if f"to_{name}" in example["code"] or f"import {name}" in example["code"]:
            pytest.importorskip(name)
    program = tmp_path / "example.py"
    program.write_text(example["code"], encoding="utf-8")
    check_example(runpy.run_path(str(program)), rows)


def check_example(found: dict[str, Any], rows: int) -> None:
    """An example's results are of every row, of each once; those of a model are its probabilities and why."""
    if "many" in found:
        assert list(found["one"].values()) == pytest.approx(found["many"][0], rel=1e-5)
        assert found["many"].shape == (len(found["lines"]), len(found["one"]))
        assert found["like"].probability == pytest.approx(found["one"]["like"], rel=1e-5)
        assert found["largest"].family.title
        return
    made = {name: found[name] for name in ("likes", "joined", "highest") if name in found}
    assert made
    for name, value in made.items():
        kind = type(value).__module__.partition(".")[0]
        if name == "highest":
            assert value["like"].to_pylist() == sorted(value["like"].to_pylist(), reverse=True)
        elif name == "joined":
            count = len(value.fetchall()) if kind == "duckdb" else len(value)
            assert count == (len(found["features"]) if kind in {"pandas", "pyarrow"} else rows)
        elif kind == "polars":
            assert value["len"].sum() == rows
            assert value["part"].to_list() == ["part-00000", "part-00001", "part-00002"]
        elif kind == "pandas":
            assert 0 < value.mean() < 1
        else:
            assert sum(row[1] for row in value.fetchall()) == rows
