"""Chooses the executor of a run's steps by $ENGAGE_EXECUTOR of the code location.

| value | a step runs in | for |
|---|---|---|
| `in_process` (default) | the process of the run | one machine; a pod for each run |
| `multiprocess` | its own process | freeing a step's memory, at 3.5 s per step |
| `k8s_job` | its own pod | steps that need different nodes, such as a GPU for the networks only |

`engage run` makes its steps in its own process, whatever the variable.
"""

import os

import dagster as dg

from engage_pipeline.errors import UserError

EXECUTOR_VARIABLE = "ENGAGE_EXECUTOR"
IN_PROCESS = "in_process"
_EXECUTORS = (IN_PROCESS, "multiprocess", "k8s_job")


def executor_name() -> str:
    """Returns the name of the chosen executor. Raises UserError if there is no such executor."""
    name = os.environ.get(EXECUTOR_VARIABLE) or IN_PROCESS
    if name not in _EXECUTORS:
        raise UserError(f"{EXECUTOR_VARIABLE}={name}: not one of {', '.join(_EXECUTORS)}")
    return name


def chosen_executor() -> dg.ExecutorDefinition:
    """Returns the chosen executor. Raises UserError if there is no such executor, or its package is missing."""
    match executor_name():
        case "multiprocess":
            return dg.multiprocess_executor
        case "k8s_job":
            try:
                from dagster_k8s import k8s_job_executor
            except ImportError as error:
                raise UserError(f"{EXECUTOR_VARIABLE}=k8s_job: dagster-k8s is not installed") from error
            executor: dg.ExecutorDefinition = k8s_job_executor
            return executor
        case _:
            # A step costs 0.3 s here and 3.5 s in its own process; DuckDB, torch and LightGBM use the cores anyway.
            return dg.in_process_executor
