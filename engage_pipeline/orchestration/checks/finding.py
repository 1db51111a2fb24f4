"""Declares asset checks, and turns their findings into results for Dagster."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import dagster as dg

from engage_pipeline.catalogue import setting_value
from engage_pipeline.orchestration.assets.figures import rounded
from engage_pipeline.orchestration.assets.materializing import Shown, user_errors
from engage_pipeline.orchestration.resources import Pipeline
from engage_pipeline.plots import as_markdown
from engage_pipeline.plurals import grouped
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.store import ArtifactStore


@dataclass(frozen=True)
class Finding:
    """The result of a check: problems by part (None for an artifact without parts), a line if there are none, figures.

    That line, `summary`, says what was found and the limit that it is held to.

    `shown` holds tables (Markdown) and plots (SVG) beside the figures, by name.
    """

    problems: dict[str | None, str]
    summary: str
    figures: Mapping[str, int | float]
    shown: Shown = field(default_factory=dict)


Look = Callable[[ArtifactStore], Finding]
LOOKS: dict[str, dict[str, tuple[Look, bool]]] = {}
"""The function of each check, by asset and name of the check, and whether the check blocks."""


def check(
    asset: str, *, name: str = "", description: str = "", blocking: bool = False
) -> Callable[[Look], dg.AssetChecksDefinition]:
    """Declares a check of `asset`; name and description default to those of the decorated function.

    A check of an asset with parts looks at all parts each time, because only its last result counts in Dagster.
    """

    def declare(function: Look) -> dg.AssetChecksDefinition:
        LOOKS.setdefault(asset, {})[name or function.__name__] = (function, blocking)

        @dg.asset_check(
            asset=asset,
            name=name or function.__name__,
            blocking=blocking,
            description=description or function.__doc__,
        )
        def look(pipeline: Pipeline) -> dg.AssetCheckResult:
            with user_errors():
                found = function(pipeline.store())
            return result_of(found, blocking=blocking)

        return look

    return declare


def result_of(found: Finding, *, blocking: bool) -> dg.AssetCheckResult:
    """Returns a finding as a result for Dagster."""
    shown = {
        name: dg.MetadataValue.md(as_markdown(value, name) if isinstance(value, bytes) else value)
        for name, value in found.shown.items()
    }
    return dg.AssetCheckResult(
        passed=not found.problems,
        description=grouped({key or "": problem for key, problem in found.problems.items()}) or found.summary,
        severity=dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN,
        metadata={**rounded(found.figures), **shown},
    )


def limits_in_words(settings: Settings, *names: str) -> str:
    """Returns ` (checks.drift_psi = 0.25)` with the values of the settings of these dotted names; empty without."""
    values = ", ".join(f"{name} = {json.dumps(setting_value(name, settings))}" for name in names)
    return f" ({values})" if values else ""


def problem(text: str) -> dict[str | None, str]:
    """Returns `text` as the problem of an artifact without parts; no problem if it is empty."""
    return {None: text} if text else {}


def as_table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Returns a Markdown table; the separator `|` in a cell becomes `/`."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', '/') for cell in line)} |" for line in lines)
