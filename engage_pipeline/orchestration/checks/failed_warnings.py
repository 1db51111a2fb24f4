"""Failed warnings on the command line: a line for each asset check that warns, and their number.

What does not belong here: the checks themselves, and blocking checks, whose failure fails the run (running).
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
"""Largest number of characters of a line."""


class FailedWarnings:
    """The warnings whose last result is a failure."""

    def __init__(self) -> None:
        """Starts empty."""
        self._found: dict[tuple[str, str], str] = {}

    def note_all(self, evaluations: Iterable[dg.AssetCheckEvaluation]) -> None:
        """Records these results, in order."""
        for evaluation in evaluations:
            self.note(evaluation)

    def note(self, evaluation: dg.AssetCheckEvaluation) -> None:
        """Records the result of a check in place of its last one.

        Results of blocking checks, and of checks that looked at nothing because the asset failed, are left out.
        """
        key = evaluation.asset_key.to_user_string(), evaluation.check_name
        self._found.pop(key, None)
        words = " ".join((evaluation.description or "failed").split())
        warns = evaluation.severity is dg.AssetCheckSeverity.WARN and not words.startswith(NOT_LOOKED_AT)
        if warns and not evaluation.passed:
            self._found[key] = words

    def lines(self) -> list[str]:
        """Returns a line for each warning, and their number; empty if there are none."""
        lines = [_cut(f"warning: {asset}: {check}: {words}") for (asset, check), words in self._found.items()]
        return [*lines, counted(len(lines), "warning")] if lines else []


def _cut(line: str) -> str:
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def stored_warnings(store: ArtifactStore, instance: dg.DagsterInstance) -> FailedWarnings:
    """Returns the warnings that Dagster has stored for the current versions: the last result of each check, unless the
    asset was published again since."""
    from engage_pipeline.orchestration.checks import CHECKS
    from engage_pipeline.orchestration.checks.deletions import CHECK

    keys = [key for check in CHECKS for key in check.check_keys if key.name != CHECK]  # in the table of `status`
    records = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    found = FailedWarnings()
    for key in keys:
        event = records[key].event if key in records else None
        evaluation = event.dagster_event.event_specific_data if event and event.dagster_event else None
        if isinstance(evaluation, dg.AssetCheckEvaluation) and event and event.timestamp >= _published(store, key):
            found.note(evaluation)
    return found


def _published(store: ArtifactStore, check: dg.AssetCheckKey) -> float:
    """Returns when the asset's newest current version was published, seconds since 1970; infinity if there is none.

    A check of an asset with parts looks at all parts, so the newest counts.
    """
    name = check.asset_key.to_user_string()
    times = [datetime.fromisoformat(one.created).timestamp() for one in _manifests(store, name)]
    return max(times, default=float("inf"))


def _manifests(store: ArtifactStore, name: str) -> list[Manifest]:
    try:
        keys = store.parts() if ARTIFACTS[name].partitioned else [None]
        return [manifest for key in keys if (manifest := store.manifest(name, key))]
    except UserError:  # the table of `engage status` reports a damaged manifest
        return []
