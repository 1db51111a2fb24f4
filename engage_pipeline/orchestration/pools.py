"""Gives each stage's pool its limit before runs need it.

Dagster itself does so when a step first waits for a pool. On Postgres that fails, and the run with it, where two runs
do it at once, and where `default_limit` in dagster.yaml is another than before (Dagster's issue 33552: an insert that
fails ends the transaction). What does not belong here: which step is in which pool, which orchestration.assets says.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from engage_pipeline.catalogue import Stage

if TYPE_CHECKING:
    from dagster import DagsterInstance


def set_up_pools(instance: "DagsterInstance") -> None:
    """Sets the limit of every pool that has none, or has an older default, to the `default_limit` of dagster.yaml.

    Limits that people set in the UI stay. Several processes may do it at once.
    """
    from sqlalchemy.exc import DBAPIError

    storage, limit = instance.event_log_storage, instance.global_op_concurrency_default_limit
    if limit is None or not storage.supports_global_concurrency_limits:
        return
    set_before = {pool.name: pool for pool in storage.get_pool_limits()}
    for stage in Stage:
        before = set_before.get(stage.value)
        if before is not None:
            if before.limit == limit or not before.from_default:
                continue
            storage.delete_concurrency_limit(stage.value)
        try:
            storage.initialize_concurrency_limit_to_default(stage.value)
        except DBAPIError:
            if stage.value not in {pool.name for pool in storage.get_pool_limits()}:
                raise  # else another process was faster


def runs_in_pools(instance: "DagsterInstance", stages: Iterable[Stage]) -> dict[str, set[str]]:
    """Returns the stages whose pool is full, each with the ids (first 8 characters) of the runs that hold it."""
    storage = instance.event_log_storage
    if not storage.supports_global_concurrency_limits:
        return {}
    pools = {stage.value: storage.get_concurrency_info(stage.value) for stage in stages}
    held = {name: {slot.run_id[:8] for slot in pool.claimed_slots} for name, pool in pools.items()}
    return {name: runs for name, runs in held.items() if runs and pools[name].slot_count <= len(runs)}


def main() -> None:
    """Sets up the pools of the instance of $DAGSTER_HOME."""
    from engage_pipeline.orchestration.history import open_instance

    with open_instance() as instance:
        set_up_pools(instance)


if __name__ == "__main__":
    main()
