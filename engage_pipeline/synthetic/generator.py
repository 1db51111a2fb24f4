"""Makes one world and writes its three windows of rows: the only entrance to this package."""

from pathlib import Path

import numpy as np

from engage_pipeline.errors import UserError
from engage_pipeline.progress import progress
from engage_pipeline.synthetic.exposures import draw_exposures
from engage_pipeline.synthetic.labels import draw_labels
from engage_pipeline.synthetic.tweets import draw_tweets
from engage_pipeline.synthetic.world import build_world
from engage_pipeline.synthetic.writing import SpelledRows, spell_rows, write_labels, write_oracle, write_part

MIN_ROWS, MIN_USERS = 100, 10
VALIDATION_SHARE, TEST_SHARE = 1200, 1175
"""Shares of all rows, in 1/10 000."""
EVALUATION_PART = "part-00000"


def synthesize(out: Path, *, rows: int, users: int, parts: int, seed: int) -> None:
    """Writes `rows` interactions among `users` people below `out`, in the challenge's format.

    About 76.25 % of the rows go to `train/part-00000` … (`parts` files), 12 % to `validation/part-00000`, the rest to
    `test/part-00000` (20 columns). `test_labels.parquet` holds the test labels, `validation_oracle.parquet` and
    `test_oracle.parquet` the probability from which each label was drawn. Equal arguments give equal bytes.
    `train/part-00000` is written last: if it exists, everything does.

    Raises UserError if an argument is out of range or `out` already holds parts.
    """
    n_validation, n_test = rows * VALIDATION_SHARE // 10_000, rows * TEST_SHARE // 10_000
    n_train = rows - n_validation - n_test
    _refuse(out, rows=rows, users=users, parts=parts, seed=seed, n_train=n_train)
    made = _make_rows(n_train, n_validation + n_test, users, seed)
    split = n_train + n_validation
    write_oracle(out / "validation_oracle.parquet", made, n_train, split, EVALUATION_PART)
    write_oracle(out / "test_oracle.parquet", made, split, rows, EVALUATION_PART)
    write_labels(out / "test_labels.parquet", made, split, rows, EVALUATION_PART)
    bounds = np.linspace(0, n_train, parts + 1).astype(int)
    with progress("writing synthetic parts", rows) as written:
        write_part(out / "test" / EVALUATION_PART, made, split, rows, labelled=False, written=written)
        write_part(out / "validation" / EVALUATION_PART, made, n_train, split, labelled=True, written=written)
        for part in reversed(range(parts)):
            path = out / "train" / f"part-{part:05d}"
            write_part(path, made, int(bounds[part]), int(bounds[part + 1]), labelled=True, written=written)


def _make_rows(training_rows: int, evaluation_rows: int, users: int, seed: int) -> SpelledRows:
    world_rng, tweets_rng, exposures_rng, labels_rng, text_rng = np.random.default_rng(seed).spawn(5)
    with progress("making a synthetic world", 5, "steps") as steps:
        world = build_world(world_rng, users)
        steps.advance(1, "tweets")
        tweets = draw_tweets(tweets_rng, world, training_rows, evaluation_rows)
        steps.advance(1, "exposures")
        exposures = draw_exposures(exposures_rng, world, tweets, training_rows, evaluation_rows)
        steps.advance(1, "labels")
        labels = draw_labels(labels_rng, world, tweets, exposures)
        steps.advance(1, "text")
        rows = spell_rows(text_rng, world, tweets, exposures, labels)
        steps.advance(1)
    return rows


def _refuse(out: Path, *, rows: int, users: int, parts: int, seed: int, n_train: int) -> None:
    if rows < MIN_ROWS:
        raise UserError(f"rows: {rows} is too few, at least {MIN_ROWS} are needed")
    if users < MIN_USERS:
        raise UserError(f"users: {users} is too few, at least {MIN_USERS} are needed")
    if not 1 <= parts <= n_train:
        raise UserError(f"parts: {parts} is out of range, 1 to {n_train} (the training rows) are possible")
    if seed < 0:
        raise UserError(f"seed: {seed} is negative")
    if out.exists() and not out.is_dir():
        raise UserError(f"{out}: is not a folder")
    for window in ("train", "validation", "test"):
        if existing := sorted((out / window).glob("part-*")):
            raise UserError(f"{existing[0]}: exists already; remove it or choose another folder")
