"""Stages that read raw parts, and what one more part costs."""

import shutil
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path

from engage_pipeline.ingest.part_ingest import ingest_part
from engage_pipeline.ingest.side_files import SideFiles
from engage_pipeline.ingest.validation_split import validation_split
from engage_pipeline.interactions.counters.counting import count_training
from engage_pipeline.interactions.features.writing import write_features
from engage_pipeline.model.compiled_ahead import read_a_line
from engage_pipeline.settings.settings import Settings
from engage_pipeline_tests.benchmarks.stages.stage import Done, Stage, Work
from engage_pipeline_tests.benchmarks.world import PART, World

PARTS = 8


def _ingest(name: str, key: str | None, world: World) -> AbstractContextManager[Work]:
    @contextmanager
    def stage() -> Iterator[Work]:
        read_a_line()  # imports and compiled loops are not measured
        settings, source = world.store.settings, world.source(name)
        split = partial(
            validation_split,
            seed=settings.seed,
            holdout_share=settings.validation_percentage,
            chunks=settings.num_validation_chunks,
        )
        with world.store.publish(name, key, [source]) as draft:

            def work() -> Done:
                tweets = draft.path("tweets.parquet")
                report = ingest_part(
                    source,
                    tweets=tweets,
                    rejects=draft.path("rejects.parquet"),
                    settings=settings,
                    labelled=True,
                    order="day",
                    split=split if key is None else None,
                    side_files=SideFiles.within(draft.directory),
                )
                draft.record(report.facts())
                return Done(report.rows, {"times_smaller": source.stat().st_size / tweets.stat().st_size})

            yield work

    return stage()


@contextmanager
def one_part_of_eight(world: World) -> Iterator[Work]:
    """The training rows cut into eight parts; `share` = one part's ingest and features and a recount, of all eight's.

    Its rows are the training rows. Counters of the validation window and similar authors are the world's.
    """
    settings, folder = world.store.settings, world.folder / "eight"
    sources = _cut(world.source("tweet_parts"), folder, PARTS)
    (folder / "counts").mkdir()
    store = world.store
    similarity = store.open("author_similarity").directory()
    validation = store.open("validation_counts").directory()

    def work() -> Done:
        clock = [time.process_time()]
        rows, tweets = 0, [_tweets(path) for path in sources]
        for source in sources:
            rows += _ingest_part(source, settings)
            clock.append(time.process_time())
        count_training(tweets, folder / "counts", settings)
        clock.append(time.process_time())
        for path in tweets:
            write_features(
                path,
                path.with_name("features.parquet"),
                kind="training",
                settings=settings,
                training_counts=folder / "counts",
                similarity=similarity,
                validation_counts=validation,
            )
            clock.append(time.process_time())
        spent = [after - before for before, after in pairwise(clock)]
        new = (sum(spent[:PARTS]) + sum(spent[-PARTS:])) / PARTS + spent[PARTS]
        return Done(rows, {"share": new / sum(spent), "ingest": sum(spent[:PARTS]), "recount": spent[PARTS]})

    yield work
    shutil.rmtree(folder)


def _tweets(source: Path) -> Path:
    return source.with_suffix("") / "tweets.parquet"


def _ingest_part(source: Path, settings: Settings) -> int:
    tweets = _tweets(source)
    rejects = tweets.with_name("rejects.parquet")
    return ingest_part(source, tweets=tweets, rejects=rejects, settings=settings, labelled=True, order="day").rows


def _cut(source: Path, folder: Path, parts: int) -> list[Path]:
    """`source` in so many files of about one size, each with a folder beside it for what is made of it."""
    paths = [folder / f"{number}.part" for number in range(parts)]
    each = -(-source.stat().st_size // parts)
    with source.open("rb") as lines:
        for path in paths:
            _tweets(path).parent.mkdir(parents=True)
            with path.open("wb") as file:
                file.writelines(lines.readlines(each))
    return paths


STAGES: dict[str, Stage] = {
    "ingest": partial(_ingest, "tweet_parts", PART),
    "validation_tweets": partial(_ingest, "validation_tweets", None),
}
LATER: dict[str, Stage] = {"one_part_of_eight": one_part_of_eight}
