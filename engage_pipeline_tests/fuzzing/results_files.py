"""Mutated results.csv files: scored, or refused in one line that names the file."""

import random
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.submission.scoring.report import score_predictions
from engage_pipeline_tests.fuzzing.splices import ODD, random_splices, spliced
from engage_pipeline_tests.samples import tiny_settings

ROWS = 40
NUMBERS = (b"0.5", b"1", b"0", b"1e-9", b"+0.5", b" 0.25 ", b".5", b"1.", b"-0", b"1e400", b"1.0000000001", b"0" * 400)


def write_labels(folder: Path) -> bytes:
    """labels.parquet in `folder`; a results.csv for its rows."""
    rng = random.Random(1)
    ids = [(f"{rng.getrandbits(128):032X}", f"{rng.getrandbits(128):032X}") for _ in range(ROWS)]
    columns: dict[str, object] = {
        "tweet_id": [tweet for tweet, _ in ids],
        "engaging_user_id": [user for _, user in ids],
        "engaged_with_user_follower_count": [rng.randrange(6000) for _ in ids],
    }
    columns |= {target: [rng.random() < 0.4 for _ in ids] for target in schema.TARGETS}
    pq.write_table(pa.table(columns), folder / "labels.parquet")
    lines = [",".join([*pair, *(f"{rng.random():.9f}" for _ in range(4))]) for pair in ids]
    return "".join(f"{line}\n" for line in lines).encode()


def check_results(folder: Path, content: bytes) -> Counter[str]:
    """Scores the file; whether it could be. Raises AssertionError for an error of more than one line, or a score that
    is none, and whatever else scoring raises."""
    path = folder / "results.csv"
    path.write_bytes(content)
    try:
        report = score_predictions(path, folder / "labels.parquet", None, tiny_settings(folder))
    except UserError as error:
        assert str(folder) in str(error), error
        assert str(error).isprintable(), repr(str(error))
        return Counter(refused=1)
    assert report.rows == ROWS
    for one in report.scores.engagements.values():
        assert one.overall.ap is None or 0 <= one.overall.ap <= 1
    return Counter(scored=1)


def mutated_results(valid: bytes, rng: random.Random) -> bytes:
    """The valid file with a field replaced, lines in another order, or bytes spliced in."""
    if rng.random() < 0.4:
        return spliced(valid, random_splices(rng))
    lines = valid.splitlines()
    fields = lines[place := rng.randrange(len(lines))].split(b",")
    fields[rng.randrange(len(fields))] = rng.choice((*NUMBERS, *NUMBERS, *ODD))
    lines[place] = b",".join(fields)
    if rng.random() < 0.5:
        rng.shuffle(lines)
    return b"".join(line + b"\n" for line in lines)


def fuzz_results(folder: Path, files: int, seed: int) -> Counter[str]:
    """Scores so many mutated results files."""
    rng = random.Random(seed)
    valid = write_labels(folder)
    return sum((check_results(folder, mutated_results(valid, rng)) for _ in range(files)), Counter[str]())
