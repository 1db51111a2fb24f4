"""results.csv of test rows that were read anew while the published features are still of the rows before."""

import random
from pathlib import Path

import dagster as dg
import pytest

from engage_pipeline.definitions import build_definitions
from engage_pipeline.orchestration.resources import Pipeline
from engage_pipeline.orchestration.running import materialize
from engage_pipeline.store.plan import Step
from engage_pipeline_tests import worlds


def lines_by_row(config: Path) -> dict[tuple[str, ...], str]:
    """The lines of results.csv by tweet and viewer."""
    lines = worlds.store_of(config).open("submission").path("results.csv").read_text(encoding="ascii").splitlines()
    return {tuple(line.split(",")[:2]): line for line in lines}


@pytest.mark.long
def test_probabilities_stay_with_their_rows(world: Path) -> None:
    """As a person may do it in the UI: test_tweets and submission alone, after the lines of a test part moved."""
    config, part = world / "config.yaml", world / "raw" / "test" / "part-00000"
    before = lines_by_row(config)
    lines = part.read_bytes().splitlines(keepends=True)
    random.Random(1).shuffle(lines)
    part.write_bytes(b"".join(lines))
    with dg.DagsterInstance.ephemeral() as instance:
        for name in ("test_tweets", "submission"):
            definitions = build_definitions(Pipeline(config=str(config)))
            assert materialize(definitions, instance, [[Step(name, None, "asked for")]]) == []
    after = lines_by_row(config)
    assert list(after) != list(before)
    assert after == before
