"""What people are told when something fails: which run and where, never why in its own words.

An error's own text may quote a line of a part, with ids of people in it: it stays in the run's log.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from pydantic import BaseModel

from engage_pipeline.model.promotion.facts import DecisionFacts
from engage_pipeline.orchestration.launching import COMMANDS
from engage_pipeline.orchestration.partitions import PARTITION, RANGE_END, RANGE_START
from engage_pipeline.store.manifests import Manifest


class Notice(BaseModel, frozen=True):
    """`event` says what happened to a program, `title` and `text` to a person, `facts` where."""

    event: str
    title: str
    text: str
    facts: Mapping[str, Any]


def failed_run(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Notice:
    """Returns the notice of a run that failed: its job or command, the assets that failed, and its parts."""
    failures = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    steps = sorted({str(entry.step_key) for entry in failures})
    command = run.tags.get("user", "")  # told only if it is a command: it may name a person
    job = run.job_name if not run.job_name.startswith("__") else command if command in COMMANDS else "materialize"
    part = run.tags.get(PARTITION, "")
    if not part and RANGE_START in run.tags:
        part = " to ".join(dict.fromkeys((run.tags[RANGE_START], run.tags.get(RANGE_END, ""))))
    where = f"It failed at {', '.join(steps)}" if steps else "It failed outside of its steps"
    return Notice(
        event="run_failed",
        title=f"{job} failed" if job in COMMANDS else f"engage: a run of {job} failed",
        text=f"{where}{f' ({part})' if part else ''}. Its log in the Dagster UI says why: run {run.run_id}.",
        facts={"job": job, "run_id": run.run_id, "failed": steps, "part": part},
    )


def turned_down(manifest: Manifest) -> Notice | None:
    """Returns the notice of a version of trained_model whose candidate was turned down; None if it was not."""
    found = DecisionFacts.read(manifest)
    if found.promoted or found.rolled_back_at:
        return None
    rce = {name: scores.get("mean") for name, scores in found.rce.items()}
    scores = ", ".join(f"{name} {mean:.2f}" for name, mean in rce.items() if mean is not None)
    return Notice(
        event="candidate_turned_down",
        title="engage: the new model does not predict",
        text=f"It was turned down{f'; mean RCE on the holdout: {scores}' if scores else ''}. `engage status` says why; "
        "the report of `evaluation` shows both.",
        facts={"candidate": found.candidate or "", "mean_rce": rce},
    )
