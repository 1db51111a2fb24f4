"""Cost by stage and artifact: sums by hand, and what the manifests of a real store say."""

from pathlib import Path

import pytest

from engage_pipeline.catalogue import ARTIFACTS, digest
from engage_pipeline.model.evaluation.cost_section import Made, cost_section, summed
from engage_pipeline.model.evaluation.pipeline_facts import report_inputs
from engage_pipeline.model.evaluation.report import Cell
from engage_pipeline_tests import worlds

CREATED = "2021-03-04T05:06:07+00:00"
ARTIFACTS_MADE = [
    Made("tweet_parts", "digest1", "6", "2021-03-04T05:08:00+00:00", 30, 3.5, 200, 2),
    Made("validation_tweets", "v1", "6", CREATED, 4, 1.0, 300),
    Made("emde_sketches", "e1", "2", CREATED, None, 0.25, 50),
    Made("trained_model", "t1", "2", CREATED, None, 0.0, 0),
]


def test_cost_adds_up_by_stage() -> None:
    section = cost_section(ARTIFACTS_MADE)
    costs, versions = section.groups[0].tables
    assert [list(row) for row in costs.rows] == [
        ["ingest", "4.5", "300", "", ""],
        [Cell("tweet_parts (2 parts)", muted=True), "3.5", "200", "30", "2021-03-04 05:08"],
        [Cell("validation_tweets", muted=True), "1.0", "300", "4", "2021-03-04 05:06"],
        ["language", "0.2", "50", "", ""],
        [Cell("emde_sketches", muted=True), "0.2", "50", "-", "2021-03-04 05:06"],
        ["model", "-", "-", "", ""],
        [Cell("trained_model", muted=True), "-", "-", "-", "2021-03-04 05:06"],
        ["all stages", "4.8", "300", "", ""],
    ]
    assert costs.begins == {0, 3, 5, 7}
    assert list(versions.rows[1]) == ["validation_tweets", "v1", "6"]
    assert cost_section([]).groups == []


@pytest.mark.long
def test_what_was_made_is_what_the_manifests_say(finished_world: Path) -> None:
    store = worlds.store_of(finished_world / "config.yaml")
    made = {one.name: one for one in report_inputs(store).made}
    assert list(made) == [name for name in ARTIFACTS if name in ARTIFACTS["evaluation"].inputs]
    parts = [store.open("tweet_parts", part).manifest for part in store.parts()]
    one = made["tweet_parts"]
    assert one == summed("tweet_parts", parts)
    assert one.parts == len(parts) == worlds.PARTS
    assert one.version == digest({part.key: part.version for part in parts})
    assert one.rows == sum(part.rows or 0 for part in parts)
    assert one.seconds == pytest.approx(sum(part.facts["seconds"] for part in parts))
    assert one.peak_mb == max(part.facts["peak_mb"] for part in parts)
    assert one.created == max(part.created for part in parts)
    network = store.open("pretrained_network").manifest
    assert (made["pretrained_network"].version, made["pretrained_network"].parts) == (network.version, None)
