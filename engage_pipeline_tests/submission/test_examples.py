"""The programs of examples/, as their docstrings say to run them, on a finished world."""

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from subprocess import run
from typing import Any

import pytest

from engage_pipeline import schema
from engage_pipeline.settings.settings import load_settings
from engage_pipeline.submission.predictor import Predictor
from engage_pipeline_tests.servers import answers, free_port, running
from engage_pipeline_tests.worlds import REPOSITORY

EXAMPLES = REPOSITORY / "examples"


@pytest.fixture(scope="module")
def lines(finished_world: Path) -> list[bytes]:
    return (finished_world / "raw" / "test" / "part-00000").read_bytes().splitlines(keepends=True)


@pytest.fixture(scope="module")
def url(own_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    server = ["-m", "uvicorn", "--app-dir", str(EXAMPLES), "--port", str(port), "service:app"]
    log = tmp_path_factory.mktemp("service") / "log"
    with running(
        [sys.executable, *server],
        log=log,
        cwd=own_world,
        ready=lambda: answers(f"http://127.0.0.1:{port}/docs"),
    ):
        yield f"http://127.0.0.1:{port}"


def post(url: str, body: Any) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 - http, of this machine
        return json.load(response)


def columns_of(line: bytes) -> dict[str, Any]:
    """A row as a client writes it: lists of ids, numbers and flags."""
    fields = line.decode().rstrip("\n").split(schema.FIELD_SEPARATOR)
    row: dict[str, Any] = dict(zip(schema.COLUMN_NAMES[: schema.N_TEST_COLUMNS], fields, strict=True))
    row["text_tokens"] = [int(token) for token in row["text_tokens"].split("\t")]
    row["tweet_timestamp"] = int(row["tweet_timestamp"])
    row["engagee_follows_engager"] = row["engagee_follows_engager"] == "true"
    return {name: value for name, value in row.items() if value != ""}


def test_the_program_predicts_and_explains(own_world: Path, lines: list[bytes]) -> None:
    part = own_world / "raw" / "test" / "part-00000"
    program = [sys.executable, str(EXAMPLES / "predict_rows.py"), str(part)]
    said = run(program, cwd=own_world, capture_output=True, text=True, check=True).stdout.splitlines()
    expected = Predictor.open(load_settings(own_world / "config.yaml"), threads=1).predict(lines[0])
    assert json.loads(said[0].replace("'", '"')) == pytest.approx(
        dict(zip(schema.TARGETS, expected.tolist(), strict=True)), abs=1e-4
    )
    assert said[1].startswith("means of 100 rows")
    assert [line.split(":")[0] for line in said[2:]] == list(schema.TARGETS)


def test_the_service_predicts_as_the_predictor(url: str, own_world: Path, lines: list[bytes]) -> None:
    expected = Predictor.open(load_settings(own_world / "config.yaml"), threads=1).predict_many(lines[:5])
    found = post(f"{url}/predict", [columns_of(line) for line in lines[:5]])
    assert [list(row) for row in found] == [list(schema.TARGETS)] * 5
    assert [list(row.values()) for row in found] == [pytest.approx(row, abs=1e-3) for row in expected.tolist()]


def test_the_service_explains(url: str, lines: list[bytes]) -> None:
    explained = post(f"{url}/explain", columns_of(lines[0]))
    assert list(explained) == list(schema.TARGETS)
    assert any(abs(contribution) > 0.01 for contribution in explained["like"].values())


@pytest.mark.parametrize(
    ("row", "reason"),
    [({"tweet": 1}, "no such column: tweet"), ({"tweet_timestamp": "yesterday"}, "tweet_timestamp")],
)
def test_the_service_refuses_what_it_cannot_read(url: str, row: dict[str, Any], reason: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        post(f"{url}/predict", [row])
    assert refused.value.code == 422
    assert reason in json.load(refused.value)["detail"]
