"""A part that is replaced: a new data version, downstream stale, the old one readable until the new one is there."""

from pathlib import Path

import dagster as dg
import pyarrow.parquet as pq
import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.orchestration.partitions import register_parts
from engage_pipeline_tests import worlds
from engage_pipeline_tests.faults.raw import manifest_of, part_of

pytestmark = pytest.mark.long


def data_versions(instance: dg.DagsterInstance) -> list[str | None]:
    """The data versions that Dagster was told of the part, the newest first."""
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(dg.AssetKey("tweet_parts"), asset_partitions=["part-00001"]), limit=10
    ).records
    events = [record.asset_materialization for record in records]
    return [event.tags["dagster/data_version"] for event in events if event is not None and event.tags]


def test_a_replaced_part(ingested: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        register_parts(instance, ["part-00000", "part-00001", "part-00002"])
        worlds.run(ingested, "interaction_counts", instance)
        store, part = worlds.store_of(ingested), part_of(ingested)
        reader, before = store.open("tweet_parts", "part-00001"), manifest_of(ingested)
        rows = pq.read_table(reader.path("tweets.parquet"))
        assert store.stale("interaction_counts") is None

        good = part.read_bytes()
        part.write_bytes(b"not an interaction\n" * 500)
        assert store.stale("tweet_parts", "part-00001", [part]) == "part-00001 was replaced"
        with pytest.raises(UserError, match="part-00001: its lines have 1 column,"):
            worlds.run(ingested, "tweet_parts", instance)
        assert manifest_of(ingested) == before
        assert pq.read_table(store.open("tweet_parts", "part-00001").path("tweets.parquet")).equals(rows)

        part.write_bytes(b"\n".join(good.split(b"\n")[100:]))
        made = worlds.run(ingested, "tweet_parts", instance)
        assert [(step.key, step.reason) for step in made] == [("part-00001", "part-00001 was replaced")]
        after = manifest_of(ingested)
        assert (after.rows, after.previous) == ((before.rows or 0) - 100, before.directory)
        assert after.version != before.version
        assert data_versions(instance)[0] == after.version
        assert store.stale("interaction_counts") == "tweet_parts/part-00001 changed"
        assert pq.read_table(reader.path("tweets.parquet")).equals(rows)
        assert store.open("tweet_parts", "part-00001").manifest == after
