"""`--json`: one document on standard output, with the keys of docs/operations.md, also after an error."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engage_pipeline_tests import worlds
from engage_pipeline_tests.documented import commands, options

pytestmark = pytest.mark.long
ENGAGE = str(Path(sys.executable).with_name("engage"))
ROW = re.compile(
    r"^\| (?P<command>`engage [a-z-]+ --json`)? *\| (?P<keys>[^|]*) \| (?P<meaning>[^|]*) \|$", re.MULTILINE
)
WRITING = ("status", "run", "backfill", "evaluate", "rollback", "promote", "predict")


def documented() -> dict[str, dict[str, str]]:
    """The keys of each command on the page, with what is said of them."""
    page = (worlds.REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")
    _, _, section = page.partition("## For scripts")
    found: dict[str, dict[str, str]] = {}
    command = ""
    for row in ROW.finditer(section):
        if not re.search("`", row["keys"]):
            continue
        command = row["command"].split()[1] if row["command"] else command
        found.setdefault(command, {}).update(dict.fromkeys(re.findall("`([a-z_]+)`", row["keys"]), row["meaning"]))
    return found


DOCUMENTED = documented()


def engage(folder: Path, *arguments: str, **variables: str) -> tuple[int, dict[str, Any], str]:
    """Exit status, document and standard error of `engage … --json` in `folder`."""
    environment = {**os.environ, "DAGSTER_HOME": str(folder), **variables}
    done = subprocess.run(
        [ENGAGE, *arguments, "--json"], capture_output=True, text=True, check=False, cwd=folder, env=environment
    )
    return done.returncode, json.loads(done.stdout), done.stderr


def keys_of_items(command: str, key: str) -> set[str]:
    return set(re.findall("`([a-z_]+)`", DOCUMENTED[command][key]))


def test_the_page_names_the_commands_that_write_documents() -> None:
    flags = {
        name
        for name, one in commands().items()
        if any("--json" in found.opts and found.is_flag for found in one.params)
    }
    assert flags == set(DOCUMENTED) == set(WRITING)
    assert all("--json" in options(commands()[name]) for name in WRITING)


def test_status(finished_world: Path) -> None:
    status, document, said = engage(finished_world, "status")
    assert status == 0
    assert document.keys() == DOCUMENTED["status"].keys()
    assert {key for one in document["artifacts"] for key in one} == keys_of_items("status", "artifacts")
    assert all(one["current"] and one["reason"] is None for one in document["artifacts"])
    parts = {one["part"]: one["rows"] for one in document["artifacts"] if one["artifact"] == "tweet_parts"}
    store = worlds.store_of(finished_world / "config.yaml")
    assert parts == {key: store.open("tweet_parts", key).manifest.rows for key in store.parts()}
    assert "artifact " in said, "the text goes to standard error"
    _, changed, _ = engage(finished_world, "status", "--set", "sketch_depth=3")
    (sketches,) = [one for one in changed["artifacts"] if one["artifact"] == "emde_sketches"]
    assert (sketches["current"], sketches["reason"]) == (False, "sketch_depth: 4 → 3")


def test_run_that_has_nothing_to_do_and_one_of_a_target(world: Path) -> None:
    status, document, _ = engage(world, "run")
    assert status == 0
    assert document.keys() == DOCUMENTED["run"].keys()
    assert Path(document["results"]).read_bytes() == (world / "data" / "latest" / "results.csv").read_bytes()
    assert Path(document["report"]).is_file()
    assert {"blend", "network"} <= document["scores"].keys()
    engagement = document["scores"]["blend"]["engagements"]["like"]
    assert engagement["overall"]["ap"] > 0
    status, document, _ = engage(world, "run", "--target", "emde_sketches", ENGAGE__SKETCH_DEPTH="3")
    assert (status, document["made"]) == (
        0,
        [{"artifact": "emde_sketches", "part": None, "reason": "sketch_depth: 4 → 3"}],
    )
    assert document.keys() == {"made", "warnings"}
    assert keys_of_items("run", "made") == set(document["made"][0])


def test_backfill_and_its_failures(world: Path) -> None:
    status, document, _ = engage(world, "backfill", "part-0000[12]")
    assert (status, document["runs"], document["failures"], document["asset"]) == (0, 1, [], "tweet_parts")
    assert document.keys() == DOCUMENTED["backfill"].keys()
    assert [one["part"] for one in document["made"]] == ["part-00001", "part-00002"]
    (world / "raw" / "train" / "part-00002").write_text("no tweet\n" * 50, encoding="utf-8")
    status, document, said = engage(world, "backfill", "part-00002")
    assert status == 1
    assert document.keys() == DOCUMENTED["backfill"].keys() | {"error"}
    assert document["failures"] == [document["error"]]
    assert f"engage: {document['error']}" in said.splitlines()


def test_evaluate_and_predict(finished_world: Path, tmp_path: Path) -> None:
    output, raw = tmp_path / "results.csv", finished_world / "raw"
    inputs = ["--input", str(raw / "test"), "--output"]
    status, document, _ = engage(finished_world, "predict", *inputs, str(output))
    assert status == 0
    assert document.keys() == DOCUMENTED["predict"].keys()
    assert (document["output"], document["rows"]) == (str(output), len(output.read_text().splitlines()))
    evaluating = ["evaluate", "--predictions", str(output), "--labels", str(raw / "test_labels.parquet")]
    status, document, _ = engage(finished_world, *evaluating)
    assert (status, document["oracle"], document["share"]) == (0, None, None)
    status, document, _ = engage(finished_world, *evaluating, "--oracle", str(raw / "test_oracle.parquet"))
    assert document.keys() == DOCUMENTED["evaluate"].keys()
    assert document["share"].keys()
    status, document, _ = engage(finished_world, "predict", *inputs, "-")
    assert (status, list(document)) == (1, ["error"])
    assert "can't both be standard output" in document["error"]


def test_rollback_lists_the_models(finished_world: Path) -> None:
    status, document, _ = engage(finished_world, "rollback")
    assert status == 0
    assert document.keys() == DOCUMENTED["rollback"].keys()
    (model,) = document["models"]
    assert model.keys() == keys_of_items("rollback", "models")
    version = worlds.store_of(finished_world / "config.yaml").open("trained_model").manifest.version
    assert (model["version"], model["predicts"]) == (version, True)
    status, document, said = engage(finished_world, "rollback", "--previous")
    assert (status, document) == (1, {"error": "no earlier model is kept: there is nothing to roll back to"})
    assert said.endswith(f"engage: {document['error']}\n")


def test_promote_refuses_the_model_that_predicts(finished_world: Path) -> None:
    status, document, said = engage(finished_world, "promote")
    assert (status, list(document)) == (1, ["error"])
    assert document["error"].endswith("predicts already")
    assert said.endswith(f"engage: {document['error']}\n")


def test_a_mistake_in_the_command_line_or_the_settings_is_a_document_too(tmp_path: Path) -> None:
    status, document, said = engage(tmp_path, "status", "--sett", "x=1")
    assert status == 2
    assert "--sett" in document["error"]
    assert "Usage: engage status" in said
    status, document, _ = engage(tmp_path, "evaluate")
    assert (status, list(document)) == (2, ["error"])
    status, document, _ = engage(tmp_path, "status", "--set", "seed=x")
    assert (status, document) == (1, {"error": "--set: seed: a whole number is needed (found 'x')"})
    # `explain --json` names a file: it has no document of this kind.
    done = subprocess.run([ENGAGE, "explain", "--json"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")


def test_an_unexpected_error_is_a_document_and_a_trace(tmp_path: Path) -> None:
    code = (
        "from engage_pipeline.commands import status_table as table\n"
        "def broken(store): raise ZeroDivisionError('of a test')\n"
        "table.read_status = broken\n"
        "from engage_pipeline.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "status", "--json"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (done.returncode, json.loads(done.stdout)) == (1, {"error": "ZeroDivisionError: of a test"})
    assert "Traceback" in done.stderr


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_command_says_so(tmp_path: Path, number: signal.Signals, status: int) -> None:
    code = (
        "import time\n"
        "from engage_pipeline.commands import status_table as table\n"
        "def wait(store): print('noise', flush=True); time.sleep(60)\n"
        "table.read_status = wait\n"
        "from engage_pipeline.cli import main; main()"
    )
    command = [sys.executable, "-c", code, "status", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "noise\n"
        process.send_signal(number)
        output, _ = process.communicate()
    assert process.returncode == status
    assert json.loads(output) == {"error": "stopped; finished work is kept, start again to continue"}
