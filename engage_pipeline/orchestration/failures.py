"""Why runs failed: the problems of their steps and blocking checks, each once, with the parts that have it."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg

from engage_pipeline.plurals import grouped

PROBLEMS = "problems"
"""Metadata of a failed step: its problems by part, JSON."""
Problems = Mapping[str, Mapping[str, str]]
"""Problems by what has them, an asset or a check of it, and by part; the part is empty where there is none."""
LOGGER = logging.getLogger("engage_pipeline")


def in_lines(failed: Iterable[Problems]) -> list[str]:
    """Returns the problems of runs, a line for each asset or check; several mistakes in one are joined by `; `."""
    together: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for problems in failed:
        for name, by_part in problems.items():
            together[name].update({part: "; ".join(problem.splitlines()) for part, problem in by_part.items()})
    return [f"{name}: {grouped(by_part)}" for name, by_part in together.items()]


def problems_of(result: dg.ExecuteInProcessResult) -> Problems:
    """Returns the problems of a failed run: those of its first failed step, else of its blocking checks.

    An unexpected error keeps its type and is logged with its trace.
    """
    failed = [(event.step_key, event.step_failure_data) for event in result.all_node_events if event.is_step_failure]
    for step, failure in failed:
        if (said := failure.user_failure_data) is not None:
            by_part: Any = said.metadata[PROBLEMS].value if PROBLEMS in said.metadata else {"": said.description}
            return {str(step): by_part}
    checks = [check for check in result.get_asset_check_evaluations() if not check.passed and check.blocking]
    if checks:
        return {
            f"{check.asset_key.to_user_string()}: check {check.check_name} failed": {"": str(check.description)}
            for check in checks
        }
    for step, failure in failed:
        if failure.error is not None:
            cause = failure.error.cause or failure.error
            LOGGER.error("%s", cause.to_string())
            return {str(step): {"": cause.message.strip()}}
    return {f"run {result.run_id} failed": {"": "see its log in the Dagster UI"}}
