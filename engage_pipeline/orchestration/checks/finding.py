"""How every asset check is declared, and what it finds."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import dagster as dg

from engage_pipeline.orchestration.assets.materializing import Shown, user_errors
from engage_pipeline.orchestration.resources import Pipeline
from engage_pipeline.plots import as_markdown
from engage_pipeline.store.store import ArtifactStore


@dataclass(frozen=True)
class Finding:
    """What is wrong, by part (None for an artifact without parts); one line where nothing is; and figures.

    `shown` are tables (Markdown) and plots (PNG) beside the figures, by name.
    """

    problems: dict[str | None, str]
    summary: str
    figures: Mapping[str, int | float]
    shown: Shown = field(default_factory=dict)


Look = Callable[[ArtifactStore], Finding]
LOOKS: dict[str, dict[str, tuple[Look, bool]]] = {}
"""What looks, by asset and name of the check, and whether the check blocks."""


def check(
    asset: str, *, name: str = "", description: str = "", blocking: bool = False
) -> Callable[[Look], dg.AssetChecksDefinition]:
    """Declares a check of `asset`, named like the decorated function, whose docstring is its description, unless others
    are given.

    A check of an asset with parts looks at all of them each time, because Dagster counts its last result only.
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
    """What Dagster is told of a finding."""
    lines = [problem if key is None else f"{key}: {problem}" for key, problem in found.problems.items()]
    shown = {
        name: dg.MetadataValue.md(as_markdown(value, name) if isinstance(value, bytes) else value)
        for name, value in found.shown.items()
    }
    return dg.AssetCheckResult(
        passed=not found.problems,
        description="; ".join(lines) or found.summary,
        severity=dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN,
        metadata={**found.figures, **shown},
    )


def problem(text: str) -> dict[str | None, str]:
    """The problem of an artifact without parts; none where `text` is empty."""
    return {None: text} if text else {}


def as_table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; names that come from data can't break it."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', '/') for cell in line)} |" for line in lines)
