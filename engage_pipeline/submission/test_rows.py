"""The rows of a submission: test tweets, and their features from the counters with which the model was judged."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from engage_pipeline.files import atomic
from engage_pipeline.ingest.facts import SeveralPartsFacts
from engage_pipeline.interactions.features.writing import write_features_of_parts
from engage_pipeline.machine.spill import PREDICT_PREFIX
from engage_pipeline.store.store import ArtifactStore, Version
from engage_pipeline.submission.published import counts_in

LOGGER = logging.getLogger("engage_pipeline")
TWEETS = "test_tweets"


@contextmanager
def feature_files(store: ArtifactStore, counters: Mapping[str, Version]) -> Iterator[list[Path]]:
    """Opens the feature files of the test tweets, one per part, in the order of results.csv: those of test_features if
    they were joined from these tweets and `counters`, else temporary ones, which are removed when the block ends."""
    tweets, features = store.open(TWEETS), store.open("test_features")
    names = [f"{part}.parquet" for part in SeveralPartsFacts.read(tweets.manifest).parts]
    wanted = {name: version.manifest.version for name, version in {TWEETS: tweets, **counters}.items()}
    inputs = features.manifest.inputs
    if all(inputs.get(name) == version for name, version in wanted.items()):
        yield [features.path(name) for name in names]
        return
    LOGGER.info("submission: test_features are not of these tweets and the model's counters: joining them again")
    counts = counts_in({name: version.directory() for name, version in counters.items()})
    with atomic.scratch_folder(store.root, PREDICT_PREFIX) as scratch:
        parts = [(tweets.path(name), scratch / name) for name in names]
        write_features_of_parts(parts, kind="test", settings=store.settings, **counts)
        yield [output for _, output in parts]
