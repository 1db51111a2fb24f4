"""The rows of a submission: test tweets, and their features from the counters with which the model was judged."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from engage_pipeline.files import atomic
from engage_pipeline.ingest.facts import SeveralPartsFacts
from engage_pipeline.interactions.features.writing import write_features_of_parts
from engage_pipeline.store.promoted_counters import made_of
from engage_pipeline.store.store import ArtifactStore, Version
from engage_pipeline.submission.predict import SCRATCH
from engage_pipeline.submission.published import counts_in

LOGGER = logging.getLogger("engage_pipeline")


def tweet_files(store: ArtifactStore) -> list[Path]:
    """Returns the Parquet files of test_tweets, one per part, in the order of results.csv."""
    tweets = store.open("test_tweets")
    return [tweets.path(f"{part}.parquet") for part in SeveralPartsFacts.read(tweets.manifest).parts]


@contextmanager
def feature_files(
    store: ArtifactStore, tweets: Sequence[Path], counters: Mapping[str, Version]
) -> Iterator[list[Path]]:
    """Opens the feature files of `tweets`: those of test_features if they were joined from `counters`, else temporary
    ones, which are removed when the block ends."""
    features = store.open("test_features")
    if made_of(features.manifest) == {name: version.manifest.version for name, version in counters.items()}:
        yield [features.path(path.name) for path in tweets]
        return
    LOGGER.info("submission: test_features use other counters than the model's promotion did: joining them again")
    counts = counts_in({name: version.directory() for name, version in counters.items()})
    with atomic.scratch_folder(store.root, SCRATCH) as scratch:
        parts = [(path, scratch / path.name) for path in tweets]
        write_features_of_parts(parts, kind="test", settings=store.settings, **counts)
        yield [output for _, output in parts]
