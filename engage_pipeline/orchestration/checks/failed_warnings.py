"""Asset checks that warn, as the command line tells of them: one line each, and how many there are.

What does not belong here: what is checked (checks), and checks that stop a run, which are its failure (running).
"""

from collections.abc import Iterable
from datetime import datetime

import dagster as dg

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.errors import UserError
from engage_pipeline.orchestration.checks.reporting import NOT_LOOKED_AT
from engage_pipeline.plurals import counted
from engage_pipeline.store.store import ArtifactStore, Manifest

_LONGEST = 500
"""Characters of a line."""


class FailedWarnings:
    """The warnings whose last outcome is a failure."""

    def __init__(self) -> None:
        """None yet."""
        self._found: dict[tuple[str, str], str] = {}

    def note_all(self, evaluations: Iterable[dg.AssetCheckEvaluation]) -> None:
        """Notes these outcomes, in their order."""
        for evaluation in evaluations:
            self.note(evaluation)

    def note(self, evaluation: dg.AssetCheckEvaluation) -> None:
        """Takes the outcome of a check in place of its outcome before.

        Left out are one that stops the run, and one that looked at nothing because its asset failed.
        """
        key = evaluation.asset_key.to_user_string(), evaluation.check_name
        self._found.pop(key, None)
        words = " ".join((evaluation.description or "failed").split())
        warns = evaluation.severity is dg.AssetCheckSeverity.WARN and not words.startswith(NOT_LOOKED_AT)
        if warns and not evaluation.passed:
            self._found[key] = words

    def lines(self) -> list[str]:
        """A line for each, and their number; empty where there are none."""
        lines = [_cut(f"warning: {asset}: {check}: {words}") for (asset, check), words in self._found.items()]
        return [*lines, counted(len(lines), "warning")] if lines else []


def _cut(line: str) -> str:
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def stored_warnings(store: ArtifactStore, instance: dg.DagsterInstance) -> FailedWarnings:
    """The warnings that Dagster has stored of the current versions: of each check the last outcome, unless the asset
    was published anew since."""
    from engage_pipeline.orchestration.checks import CHECKS
    from engage_pipeline.orchestration.checks.deletions import CHECK

    keys = [key for check in CHECKS for key in check.check_keys if key.name != CHECK]  # status has that in its table
    records = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    found = FailedWarnings()
    for key in keys:
        event = records[key].event if key in records else None
        evaluation = event.dagster_event.event_specific_data if event and event.dagster_event else None
        if isinstance(evaluation, dg.AssetCheckEvaluation) and event and event.timestamp >= _published(store, key):
            found.note(evaluation)
    return found


def _published(store: ArtifactStore, check: dg.AssetCheckKey) -> float:
    """When the newest of the asset's current versions was published, seconds since 1970; infinity where there is none.

    A check of an asset with parts looks at all of them.
    """
    name = check.asset_key.to_user_string()
    times = [datetime.fromisoformat(one.created).timestamp() for one in _manifests(store, name)]
    return max(times, default=float("inf"))


def _manifests(store: ArtifactStore, name: str) -> list[Manifest]:
    try:
        keys = store.parts() if ARTIFACTS[name].partitioned else [None]
        return [manifest for key in keys if (manifest := store.manifest(name, key))]
    except UserError:  # a damaged manifest has its line in the table
        return []
