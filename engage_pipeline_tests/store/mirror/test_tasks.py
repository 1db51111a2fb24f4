"""Parts that tasks publish on machines that share no disk with the driver, which learns of them by the bucket."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.ingest import part_publishing
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.manifests import Manifest
from engage_pipeline.store.mirror.following import open_store
from engage_pipeline_tests.object_store import Bucket, forget_connections
from engage_pipeline_tests.orchestration.automation.test_parts_sensor import line
from engage_pipeline_tests.store.mirror.machines import Machines

KEYS = ("part-00000", "part-00001")


def put_parts(bucket: Bucket, salt: str) -> str:
    for key in KEYS:
        bucket.put(f"train/{key}", f"{line((key[-1] + salt) * 16)}\n".encode())
    forget_connections()
    return f"{bucket.uri}/train"


def test_the_driver_follows_what_tasks_published(
    machines: Machines, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = put_parts(bucket, "A")

    def on_executors(
        what: str, work: Callable[[Settings, str], None], items: Sequence[str], settings: Settings, all_rows: int
    ) -> list[UserError | None]:
        """Each item on a machine of its own, as on Spark without a shared disk."""
        for item in items:
            work(settings.model_copy(update={"working_dir": machines.folder / f"executor-{item}"}), item)
        return [None] * len(items)

    monkeypatch.setattr(part_publishing, "attempt_items", on_executors)
    driver = open_store(machines.settings("driver", recsys_data=raw))
    before = part_publishing.publish_parts(driver, KEYS)
    for key, made in before.items():
        assert isinstance(made, Manifest)
        assert made == driver.manifest("tweet_parts", key)
        assert driver.open("tweet_parts", key).path("tweets.parquet").is_file()
    assert driver.parts() == list(KEYS)
    put_parts(bucket, "B")
    after = part_publishing.publish_parts(driver, KEYS)
    for key, made in after.items():
        assert isinstance(made, Manifest)
        assert made != before[key]
        assert made == driver.manifest("tweet_parts", key)
    assert not list(Path(machines.folder, "driver").rglob(".tmp-*"))
