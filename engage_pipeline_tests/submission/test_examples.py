"""The programs of examples/, as their docstrings say to run them, on a finished world."""

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
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
    return post_text(url, json.dumps(body))


def post_text(url: str, body: str) -> Any:
    request = urllib.request.Request(url, body.encode(), {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 - http, of this machine
        return json.load(response)


def columns_of(line: bytes) -> dict[str, Any]:
    """A row as a client writes it: lists of ids, numbers and flags; the last column that is missing is null."""
    spelled: dict[schema.Kind, Callable[[str], Any]] = {
        schema.Kind.TOKENS: lambda text: [int(token) for token in text.split("\t")],
        schema.Kind.STRINGS: lambda text: text.split("\t"),
        schema.Kind.STRING: str,
        schema.Kind.INTEGER: int,
        schema.Kind.BOOLEAN: lambda text: text == "true",
    }
    fields = line.decode().rstrip("\n").split(schema.FIELD_SEPARATOR)
    columns = list(zip(schema.COLUMNS[: schema.N_TEST_COLUMNS], fields, strict=True))
    missing = [column.name for column, text in columns if not text][-1:]
    return {column.name: spelled[column.kind](text) for column, text in columns if text} | dict.fromkeys(missing)


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
    ("body", "reason"),
    [
        ('[{"tweet": 1}]', "row 0 is rejected: no such column: 'tweet'"),
        (
            '[{}, {"tweet_timestamp": "1612137600"}]',
            "row 1 is rejected: tweet_timestamp: '1612137600' is no whole number",
        ),
        ('[{"tweet_timestamp": NaN}]', "row 0 is rejected: tweet_timestamp: nan is no whole number"),
        ('[{"tweet_id": "\\ud800"}]', "row 0 is rejected: tweet_id: '\\ud800' is a text with half a character inside"),
        ('[{"\\ud800": 1}]', "row 0 is rejected: no such column: '\\ud800'"),
        ("[NaN]", "body.0: Input should be a valid dictionary"),
        ('{"tweet_id": "a"}', "body: Input should be a valid list"),
        ('[{"tweet_timestamp": ', "body.21: JSON decode error"),
    ],
)
def test_the_service_refuses_what_it_cannot_read(url: str, body: str, reason: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        post_text(f"{url}/predict", body)
    assert refused.value.code == 422
    assert json.load(refused.value)["detail"].startswith(reason)


def test_the_service_refuses_to_explain_what_it_cannot_read(url: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        post(f"{url}/explain", {"engaging_user_id": 7.0})
    assert refused.value.code == 422
    assert json.load(refused.value)["detail"] == "a row is rejected: engaging_user_id: 7.0 is no text"
