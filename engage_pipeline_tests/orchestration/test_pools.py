"""Whatever executes runs gives pools their limits first; what Postgres needs is in deploy/test_postgres.py."""

import dagster as dg

from engage_pipeline.catalogue import Stage
from engage_pipeline.orchestration.pools import set_up_pools
from engage_pipeline.orchestration.running import materialize


def limits(instance: dg.DagsterInstance) -> dict[str, int]:
    """The limit of each pool that has one."""
    return {pool.name: pool.limit for pool in instance.event_log_storage.get_pool_limits()}


def test_pools_have_limits_before_anything_is_materialized() -> None:
    with dg.instance_for_test(overrides={"concurrency": {"pools": {"default_limit": 2}}}) as instance:
        assert not limits(instance)
        assert materialize(dg.Definitions(), instance, [], {}) == []
        assert limits(instance) == dict.fromkeys(Stage, 2)


def test_without_a_default_pools_have_no_limit() -> None:
    with dg.instance_for_test() as instance:
        set_up_pools(instance)
        assert not limits(instance)
