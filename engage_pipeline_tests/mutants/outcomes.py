"""Outcomes of mutations: kept in a file as they come, so that an interrupted campaign goes on; and told as tables."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from engage_pipeline_tests.mutants.mutation import Mutation

KILLED, SURVIVED, NOT_APPLIED = "killed", "survived", "not applied"
LEAST_KILLED = 0.95
"""Share of all mutations below which the campaign fails."""


@dataclass(frozen=True)
class Outcome:
    """What became of a mutation: `status`, the test that failed or the reason, and the seconds it took.

    `tests` is the digest of what it rests on beside the mutated file: of the test that failed, or of all that did not.
    """

    status: str
    detail: str
    seconds: float
    tests: str = ""

    @property
    def killer(self) -> str | None:
        """The test that failed."""
        return self.detail if self.status == KILLED and "::" in self.detail else None


class Record:
    """A file of outcomes by key, a JSON line each. A line that a killed campaign cut off is passed over."""

    def __init__(self, path: Path) -> None:
        """Reads what is there."""
        self._path = path
        self._found: dict[str, Outcome] = {}
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
            try:
                values = json.loads(line)
                key = values.pop("key")
                self._found[key] = Outcome(**values)
            except (ValueError, TypeError, KeyError):
                continue

    def find(self, key: str) -> Outcome | None:
        """The outcome of that key."""
        return self._found.get(key)

    def add(self, key: str, outcome: Outcome) -> None:
        """Appends one."""
        self._found[key] = outcome
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"\n{json.dumps({'key': key, **asdict(outcome)})}\n")


def killed_share(outcomes: Sequence[Outcome]) -> float:
    """Killed of all; 1 of none."""
    return sum(outcome.status == KILLED for outcome in outcomes) / len(outcomes) if outcomes else 1.0


def passed(outcomes: Sequence[Outcome]) -> bool:
    """Whether enough are killed and all could be applied."""
    return killed_share(outcomes) >= LEAST_KILLED and all(outcome.status != NOT_APPLIED for outcome in outcomes)


def table(mutations: Sequence[Mutation], outcomes: Sequence[Outcome]) -> str:
    """Markdown: a row an area, the sum, and then each mutation that was not killed."""
    counts: dict[str, Counter[str]] = {}
    seconds: dict[str, float] = {}
    for mutation, outcome in zip(mutations, outcomes, strict=True):
        for area in (mutation.area, "all"):
            counts.setdefault(area, Counter())[outcome.status] += 1
            seconds[area] = seconds.get(area, 0.0) + outcome.seconds
    counts["all"] = counts.pop("all", Counter())
    lines = [f"| area | mutations | {KILLED} | {SURVIVED} | {NOT_APPLIED} | s |", "|---|--:|--:|--:|--:|--:|"]
    for area, found in counts.items():
        cells = [found.total(), found[KILLED], found[SURVIVED], found[NOT_APPLIED], f"{seconds[area]:.0f}"]
        lines.append(f"| {area} | {' | '.join(map(str, cells))} |")
    rest = [
        f"- {outcome.status}: {mutation.title} ({outcome.detail})"
        for mutation, outcome in zip(mutations, outcomes, strict=True)
        if outcome.status != KILLED
    ]
    return "\n".join([*lines, "", *rest]).strip()
