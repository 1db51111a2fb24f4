"""The training parts as Dagster partitions."""

from collections.abc import Collection, Iterable, Sequence

import dagster as dg

from engage_pipeline.store.store import check_key

PARTITION, RANGE_START, RANGE_END = (
    "dagster/partition",
    "dagster/asset_partition_range_start",
    "dagster/asset_partition_range_end",
)
"""Tags of a run over one part, and of a run over neighbouring parts in order of registration."""
PARTS = dg.DynamicPartitionsDefinition(name="part")
"""One partition per training part; the key is the part's name, such as `part-00000`."""


def register_parts(instance: dg.DagsterInstance, keys: Iterable[str]) -> Sequence[str]:
    """Adds those of `keys` that are not partitions yet, sorted, in one call; returns the added ones.

    Backfills take contiguous ranges in the order of registration, so the order is that of the names. Raises UserError
    if a name may not become a path.
    """
    known = set(instance.get_dynamic_partitions(str(PARTS.name)))
    added = sorted({check_key(key) for key in keys} - known)
    if added:
        instance.add_dynamic_partitions(str(PARTS.name), added)
    return added


def prune_parts(instance: dg.DagsterInstance, present: Collection[str]) -> Sequence[str]:
    """Removes the partitions that are not among the parts `present`; returns their keys.

    Nothing on the disk is touched, and a part is registered again once its file is back.
    """
    gone = [key for key in instance.get_dynamic_partitions(str(PARTS.name)) if key not in present]
    for key in gone:
        instance.delete_dynamic_partition(str(PARTS.name), key)
    return gone
