"""Equal arguments give equal bytes, and nonsense is refused."""

import dataclasses
import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from engage_pipeline.errors import UserError
from engage_pipeline.synthetic import Recipe, synthesize
from engage_pipeline.synthetic.audience import Audience
from engage_pipeline.synthetic.exposures import draw_exposures
from engage_pipeline.synthetic.tweets import draw_tweets
from engage_pipeline.synthetic.windows import Window
from engage_pipeline.synthetic.world import build_world
from engage_pipeline_tests.synthetic.reading import PARTS, ROWS, SEED, USERS, Made, read_part


def fingerprint(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_equal_arguments_give_equal_bytes(tmp_path: Path, made: Made) -> None:
    synthesize(tmp_path / "again", rows=ROWS, users=USERS, parts=PARTS, seed=SEED)
    assert fingerprint(tmp_path / "again") == fingerprint(made.folder)
    synthesize(tmp_path / "other", rows=ROWS, users=USERS, parts=PARTS, seed=SEED + 1)
    other = fingerprint(tmp_path / "other")
    assert all(other[name] != digest for name, digest in fingerprint(made.folder).items())


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_any_size_is_split_to_the_row(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    rows = data.draw(st.integers(100, 700))
    folder = tmp_path_factory.mktemp("sizes")
    parts = data.draw(st.integers(1, 76))
    users, seed = data.draw(st.integers(10, 200)), data.draw(st.integers(0, 99))
    try:
        synthesize(folder, rows=rows, users=users, parts=parts, seed=seed, world=data.draw(st.sampled_from(Recipe)))
    except UserError as error:  # few users may be shown all tweets of their days
        assert users < 30 and "is too few for" in str(error)
        reject()
    train = [read_part(path, labelled=True) for path in sorted((folder / "train").iterdir())]
    validation = read_part(folder / "validation" / "part-00000", labelled=True)
    test = read_part(folder / "test" / "part-00000", labelled=False)
    assert len(train) == parts
    assert sum(map(len, train)) + len(validation) + len(test) == rows
    assert abs(len(validation) - 0.12 * rows) < 1
    assert abs(len(test) - 0.1175 * rows) < 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rows": 99}, "rows: 99 is too few, at least 100 are needed"),
        ({"users": 9}, "users: 9 is too few, at least 10 are needed"),
        ({"parts": 0}, r"parts: 0 is out of range, 1 to 153"),
        ({"parts": 154}, r"parts: 154 is out of range, 1 to 153"),
        ({"seed": -1}, "seed: -1 is negative"),
    ],
)
def test_nonsense_is_refused(tmp_path: Path, wrong: dict[str, int], message: str) -> None:
    arguments = {"rows": 200, "users": 50, "parts": 2, "seed": 0} | wrong
    with pytest.raises(UserError, match=message):
        synthesize(tmp_path, **arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("window", ["train", "validation", "test"])
def test_existing_parts_are_not_overwritten(tmp_path: Path, window: str) -> None:
    existing = tmp_path / window / "part-00007.gz"
    existing.parent.mkdir()
    existing.write_bytes(b"mine")
    with pytest.raises(UserError, match=rf"{window}/part-00007.gz: exists already"):
        synthesize(tmp_path, rows=200, users=50, parts=2, seed=0)
    assert fingerprint(tmp_path) == {f"{window}/part-00007.gz": hashlib.sha256(b"mine").hexdigest()}


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(b"mine")
    with pytest.raises(UserError, match="raw: is not a folder"):
        synthesize(tmp_path / "raw", rows=200, users=50, parts=2, seed=0)


def test_too_few_viewers_for_the_rows_are_refused() -> None:
    rng = np.random.default_rng(0)
    world = build_world(rng, 10)
    arrival = np.full(10, 21)
    arrival[np.argsort(-world.authorship)[:2]] = 0
    crowded, window = dataclasses.replace(world, arrival=arrival), Window(0, 21, 300)
    tweets = draw_tweets(rng, crowded, window)
    with pytest.raises(UserError, match="users: 10 is too few"):
        draw_exposures(rng, crowded, Audience(rng, crowded, 100), tweets, window)


def test_memory_grows_by_less_than_two_kilobytes_a_row(tmp_path: Path) -> None:
    few, many = 10_000, 70_000
    peaks = [peak_bytes(tmp_path / str(rows), rows) for rows in (few, many)]
    assert peaks[1] - peaks[0] < 2_000 * (many - few)


def peak_bytes(folder: Path, rows: int) -> int:
    """The peak memory of a process that makes a world with all switches."""
    code = (
        "import pathlib, resource, sys; from engage_pipeline.synthetic import Recipe, synthesize;"
        "synthesize(pathlib.Path(sys.argv[1]), rows=int(sys.argv[2]), users=2_000, parts=1, seed=1, world=Recipe.ALL);"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)"
    )
    command = [sys.executable, "-c", code, str(folder), str(rows)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
