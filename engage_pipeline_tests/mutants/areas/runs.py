"""Mutations of what one run makes together, and of the history's connections."""

from engage_pipeline_tests.mutants.mutation import mutations

RUNNING = "orchestration/test_running.py"
HISTORY = "orchestration/test_history.py"

MUTATIONS = [
    *mutations(
        "runs",
        "orchestration/running.py",
        RUNNING,
        (" or name == SUBMISSION", ""),
        ("artifact.stage == Stage.INGEST or ", ""),
        ("if any(store.stale(name) != NOT_THERE for name in following):", "if False:"),
        ("if any(store.stale(name) != NOT_THERE for name in following):", "if True:"),
        ("return artifact.partitioned or ", "return "),
    ),
    *mutations(
        "runs",
        "orchestration/history.py",
        HISTORY,
        ("return (_idle or {})[path].pop()", "return (_idle or {})[path][-1]"),
        ("return (_idle or {})[path].pop()", "pass"),
        ("        self.rollback()\n", ""),
        ("            connection.close_file()", "            pass"),
        ("if self not in kept:", "if True:"),
        ("idle is None or not Path(self.path).is_file()", "idle is None"),
    ),
]
