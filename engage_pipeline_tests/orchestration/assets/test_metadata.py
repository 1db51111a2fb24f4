"""What the UI shows of an asset: plots that are small enough for the event log, for every part its own."""

import base64
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import dagster as dg
import pytest

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline_tests import worlds

pytestmark = pytest.mark.long
LARGEST = 100_000
PICTURE = re.compile(r"!\[[^\]]*\]\(data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)")

SHOWN = {
    "emde_sketches": {"tokens by code"},
    "tweet_topics": {"tweets by topic"},
    "user_communities": {"users by community"},
    "pretrained_network": {"training loss"},
    "finetuned_network": {"training loss", "before and after fine-tuning"},
    "engagement_trees": {f"{target}: gain" for target in schema.TARGETS},
    "candidate_model": {"weights of the blend"},
    "evaluation": {"scores", "calibration", "precision and recall"},
}


def shown(instance: dg.DagsterInstance, asset: str) -> dict[str | None, dict[str, str]]:
    """The Markdown of each materialization, by part; pictures as the word `picture`, their size checked."""
    found = {}
    for record in instance.fetch_materializations(dg.AssetKey(asset), limit=100).records:
        event = record.asset_materialization
        assert event is not None
        values = {
            name: value.value
            for name, value in event.metadata.items()
            if isinstance(value, dg.MarkdownMetadataValue) and value.value
        }
        found[event.partition] = {name: without_picture(text) for name, text in values.items()}
    return found


def uris(instance: dg.DagsterInstance, asset: str) -> dict[str | None, object]:
    """The URI of each materialization, by part."""
    records = instance.fetch_materializations(dg.AssetKey(asset), limit=100).records
    events = [record.asset_materialization for record in records]
    return {event.partition: event.metadata["dagster/uri"].value for event in events if event}


def without_picture(text: str) -> str:
    if picture := PICTURE.fullmatch(text):
        svg = base64.b64decode(picture[1])
        assert ET.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
        assert len(svg) < LARGEST
        return "picture"
    return text


@pytest.fixture
def raw_world(tmp_path: Path) -> Path:
    """A configuration with three parts, of which the second has a line that can't be read."""
    config = worlds.make_world(tmp_path)
    with (tmp_path / "raw" / "train" / "part-00001").open("a", encoding="utf-8") as part:
        part.write("no tweet\n")
    return config


def test_every_part_shows_its_labels_and_what_was_rejected(raw_world: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        worlds.run(raw_world, "tweet_parts", instance)
        found = shown(instance, "tweet_parts")
        places = uris(instance, "tweet_parts")
    assert found == {
        "part-00000": {"label rates": "picture"},
        "part-00001": {"label rates": "picture", "rejected lines": "picture"},
        "part-00002": {"label rates": "picture"},
    }
    store = worlds.store_of(raw_world)
    assert places == {key: store.open("tweet_parts", key).directory().as_uri() for key in store.parts()}


def test_a_failed_part_does_not_hide_what_the_others_show(raw_world: Path) -> None:
    (raw_world.parent / "raw" / "train" / "part-00002").write_text("no tweet\n" * 50, encoding="utf-8")
    with dg.DagsterInstance.ephemeral() as instance:
        with pytest.raises(UserError, match="part-00002"):
            worlds.run(raw_world, "tweet_parts", instance)
        found = shown(instance, "tweet_parts")
    assert found == {
        "part-00000": {"label rates": "picture"},
        "part-00001": {"label rates": "picture", "rejected lines": "picture"},
    }


def test_models_show_how_they_learned_and_how_good_they_are(world: Path) -> None:
    config = worlds.write_config(world, sketch_depth=3, topics={"most_per_language": 9}, communities={"count": 7})
    with dg.DagsterInstance.ephemeral() as instance:
        worlds.run(config, instance=instance)
        found = {asset: shown(instance, asset)[None] for asset in SHOWN}
    for asset, names in SHOWN.items():
        assert found[asset].keys() >= names, asset
        written = {"before and after fine-tuning", "weights of the blend", "scores"}
        assert {name for name in names if found[asset][name] == "picture"} == names - written
    assert found["candidate_model"]["weights of the blend"].startswith("| engagement | network | trees |")
