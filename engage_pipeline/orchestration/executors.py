"""In which processes the steps of a run are made: $ENGAGE_EXECUTOR of the code location says it.

| value | a step is made in | for |
|---|---|---|
| `in_process` (default) | the process of the run | one machine; a pod for each run |
| `multiprocess` | a process of its own | memory that a step leaves behind, at 3.5 s a step |
| `k8s_job` | a pod of its own | steps that need unlike nodes, such as a GPU for the networks alone |

`engage run` makes its steps in its own process whatever the variable says.
"""

import os

import dagster as dg

from engage_pipeline.errors import UserError

EXECUTOR_VARIABLE = "ENGAGE_EXECUTOR"
IN_PROCESS = "in_process"
_EXECUTORS = (IN_PROCESS, "multiprocess", "k8s_job")


def executor_name() -> str:
    """The chosen one. Raises UserError where there is no such executor."""
    name = os.environ.get(EXECUTOR_VARIABLE) or IN_PROCESS
    if name not in _EXECUTORS:
        raise UserError(f"{EXECUTOR_VARIABLE}={name}: there are {', '.join(_EXECUTORS)}")
    return name


def chosen_executor() -> dg.ExecutorDefinition:
    """The chosen executor's definition. Raises UserError where there is no such one, or its package is missing."""
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
            # A step costs 0.3 s there and 3.5 s in a process of its own; DuckDB, torch and LightGBM use the cores.
            return dg.in_process_executor
