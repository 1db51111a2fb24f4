"""Makes one world and writes its windows of rows: the only entrance to this package."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engage_pipeline.files.atomic import atomic_file
from engage_pipeline.plurals import first_few
from engage_pipeline.progress import Progress, progress
from engage_pipeline.synthetic.audience import Audience
from engage_pipeline.synthetic.calibration import Calibration, calibrate
from engage_pipeline.synthetic.draws import random_ids
from engage_pipeline.synthetic.effects import fixed_effects
from engage_pipeline.synthetic.exposures import draw_exposures
from engage_pipeline.synthetic.history import add_fatigue
from engage_pipeline.synthetic.labels import Engagements
from engage_pipeline.synthetic.recipes import Recipe, Switch
from engage_pipeline.synthetic.refusals import (
    EVALUATION_PART,
    WORLD_FILE,
    WorldIdentity,
    day_part,
    kept_parts,
    missing_days,
    refuse,
)
from engage_pipeline.synthetic.text import Lexicon, tweet_texts, user_texts
from engage_pipeline.synthetic.tweets import ROWS_PER_TWEET, draw_tweets
from engage_pipeline.synthetic.windows import EVALUATION_DAYS, TRAINING_DAYS, Window
from engage_pipeline.synthetic.world import World, build_world
from engage_pipeline.synthetic.writing import SpelledRows, write_labels, write_oracle, write_part, write_truth

LOGGER = logging.getLogger("engage_pipeline")
VALIDATION_SHARE, TEST_SHARE = 1200, 1175
"""Shares of all rows, in 1/10 000."""
DAY_GRACE = 1
"""A day's own part is written a day after the day: engagements until then are in it."""
_WORLD, _WINDOW, _DAY = range(3)
"""Random streams of a seed."""


@dataclass(frozen=True)
class Sizes:
    """Rows of the training window of 21 days, of the validation part and of the test part."""

    train: int
    validation: int
    test: int

    @classmethod
    def of(cls, rows: int) -> "Sizes":
        """Splits all rows."""
        validation, test = rows * VALIDATION_SHARE // 10_000, rows * TEST_SHARE // 10_000
        return cls(rows - validation - test, validation, test)


def synthesize(
    out: Path,
    *,
    rows: int,
    users: int,
    parts: int,
    seed: int,
    world: Recipe = Recipe.PLAIN,
    days: int | None = None,
    append: bool = False,
    oracle: bool = False,
) -> None:
    """Writes `rows` interactions among `users` people below `out`, in the challenge's format.

    About 76.25 % of the rows go to `train/part-00000` … (`parts` files of mixed days), 12 % to `validation/part-00000`,
    the rest to `test/part-00000` (20 columns). `test_labels.parquet` holds the test labels, `validation_oracle.parquet`
    and `test_oracle.parquet` the probability from which each label was drawn; with `oracle` also
    `validation_truth.parquet` and `test_truth.parquet`, labels and probabilities with ids. Equal arguments give equal
    bytes. The first training part is written last: if it exists, everything does.

    With `days` the training window has `days` days, each a part such as `train/part-2021-02-04`, with a 21st of the
    training rows; validation and test are of the week after it. A day's part does not depend on `days`. With `append`
    only the training parts are written of those of the first `days` days that `out` does not hold; a log line names
    the others, which are kept. Its other arguments must be those with which `out` was made.

    Raises UserError if an argument is out of range, `out` already holds parts (unless `append`), or both `append` and
    `oracle` are given.
    """
    sizes, identity = Sizes.of(rows), WorldIdentity(rows, users, seed, world.value)
    refuse(out, identity=identity, parts=parts, days=days, append=append, oracle=oracle, n_train=sizes.train)
    maker = _Maker(users, rows, seed, world.switches)
    first_day = TRAINING_DAYS if days is None else days
    evaluation = Window(first_day, EVALUATION_DAYS, sizes.validation + sizes.test)
    evaluated = None if append else maker.rows(evaluation, _WINDOW)
    mixed = maker.rows(Window(0, TRAINING_DAYS, sizes.train), _WINDOW) if days is None else None
    with progress("writing synthetic rows", None, "rows") as written:
        if evaluated is not None:
            with atomic_file(out / WORLD_FILE) as temporary:
                temporary.write_text(identity.text(), encoding="utf-8")
            _write_evaluation(out, evaluated, sizes, written, oracle=oracle)
        if mixed is not None:
            _write_mixed_parts(out, mixed, sizes, parts, written)
        elif days is not None:
            wanted = _days_to_append(out, days) if append else list(reversed(range(days)))
            _write_days(out, maker, wanted, sizes.train // TRAINING_DAYS, written)


def _write_evaluation(out: Path, made: SpelledRows, sizes: Sizes, written: Progress, *, oracle: bool) -> None:
    split, end = sizes.validation, sizes.validation + sizes.test
    write_oracle(out / "validation_oracle.parquet", made, 0, split, EVALUATION_PART)
    write_oracle(out / "test_oracle.parquet", made, split, end, EVALUATION_PART)
    write_labels(out / "test_labels.parquet", made, split, end, EVALUATION_PART)
    if oracle:
        write_truth(out / "validation_truth.parquet", made, 0, split)
        write_truth(out / "test_truth.parquet", made, split, end)
    write_part(out / "test" / EVALUATION_PART, made, split, end, labelled=False, written=written)
    write_part(out / "validation" / EVALUATION_PART, made, 0, split, labelled=True, written=written)


def _write_mixed_parts(out: Path, made: SpelledRows, sizes: Sizes, parts: int, written: Progress) -> None:
    bounds = np.linspace(0, sizes.train, parts + 1).astype(int)
    for part in reversed(range(parts)):
        path = out / "train" / f"part-{part:05d}"
        write_part(path, made, int(bounds[part]), int(bounds[part + 1]), labelled=True, written=written)


def _write_days(out: Path, maker: "_Maker", days: list[int], rows: int, written: Progress) -> None:
    for day in days:
        made = maker.rows(Window(day, 1, rows, grace=DAY_GRACE), _DAY)
        write_part(out / "train" / day_part(day), made, 0, rows, labelled=True, written=written)


def _days_to_append(out: Path, days: int) -> list[int]:
    """Returns those of the first `days` days that `out` lacks; a log line names the parts of the others."""
    if kept := kept_parts(out, days):
        LOGGER.info("%s: kept what is there already: %s", out / "train", first_few(kept))
    return missing_days(out, days)


class _Maker:
    """Makes the rows of any window of one world."""

    def __init__(self, users: int, rows: int, seed: int, switches: Switch) -> None:
        """Draws the world, who sees whom, the accounts and what words there are."""
        self.seed = seed
        world_rng, audience_rng, trial_rng, lexicon_rng = np.random.default_rng([seed, _WORLD]).spawn(4)
        with progress("making a synthetic world", 2, "steps") as steps:
            self.world: World = build_world(world_rng, users, switches)
            self.audience = Audience(audience_rng, self.world, rows / ROWS_PER_TWEET)
            steps.advance(1, "accounts and rates")
            self.calibration: Calibration = calibrate(trial_rng, self.world, self.audience, rows)
            steps.advance(1)
        self.lexicon = Lexicon(lexicon_rng, users)
        self.people = user_texts(self.world, self.calibration.accounts)

    def rows(self, window: Window, stream: int) -> SpelledRows:
        """Draws the window's rows; nothing of other windows counts but what belongs to the world."""
        rng = np.random.default_rng([self.seed, stream, window.first_day])
        tweets_rng, exposures_rng, labels_rng, text_rng = rng.spawn(4)
        world, calibration = self.world, self.calibration
        tweets = draw_tweets(tweets_rng, world, window)
        exposures = draw_exposures(exposures_rng, world, self.audience, tweets, window)
        effects = fixed_effects(labels_rng, world, tweets, exposures, calibration.follows_from)
        add_fatigue(effects, world, exposures)
        labels = Engagements(labels_rng, world, exposures, window).labels(effects + calibration.intercepts)
        tweet_ids = random_ids(text_rng, tweets.author.size)
        return SpelledRows(
            exposures=exposures,
            labels=labels,
            follows=exposures.bond > calibration.follows_from,
            user_ids=world.user_ids,
            people=self.people,
            followers=calibration.accounts.followers,
            tweet_ids=tweet_ids,
            tweets=tweet_texts(text_rng, world, self.lexicon, tweets, self.people, tweet_ids),
        )
