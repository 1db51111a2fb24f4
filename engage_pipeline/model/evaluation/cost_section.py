"""The report's section on versions and cost: which version of each artifact the page shows, made when, at what cost.

What does not belong here: measuring (store.measured).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from engage_pipeline.catalogue import ARTIFACTS, digest
from engage_pipeline.model.evaluation.report import Cell, Group, Section, Table
from engage_pipeline.store.facts import Facts
from engage_pipeline.store.manifests import Manifest

EXPLANATION = (
    "Seconds and peak of resident memory are those of when an artifact was made last; one that was current was not "
    "made again. Seconds of parts are added up, also where they were made side by side. A dash: not recorded."
)


@dataclass(frozen=True)
class Made:
    """One artifact as its manifest describes it: `created` is ISO 8601, `rows` is None where they are not counted.

    Of an artifact with `parts`: sums of rows and seconds, the highest peak of memory (MB), the latest time, and a
    digest of the versions.
    """

    name: str
    version: str
    code_version: str
    created: str
    rows: int | None
    seconds: float
    peak_mb: int
    parts: int | None = None

    @property
    def stage(self) -> str:
        """The stage that makes it."""
        return ARTIFACTS[self.name].stage.value

    @property
    def made(self) -> str:
        """The time of making, UTC, to the minute, for people."""
        return f"{self.created[:16].replace('T', ' ')} UTC"


def summed(name: str, manifests: Sequence[Manifest]) -> Made:
    """Puts together the manifests of the artifact `name`: one, or one for each part."""
    facts = [Facts.read(one) for one in manifests]
    rows = [one.rows for one in manifests if one.rows is not None]
    partitioned = ARTIFACTS[name].partitioned
    return Made(
        name,
        digest({one.key: one.version for one in manifests}) if partitioned else manifests[0].version,
        manifests[0].code_version,
        max(one.created for one in manifests),
        sum(rows) if rows else None,
        sum(one.seconds for one in facts),
        max(one.peak_mb for one in facts),
        len(manifests) if partitioned else None,
    )


def cost_section(artifacts: Sequence[Made]) -> Section:
    """Makes the section with the cost by stage and artifact, in the order of the catalogue."""
    if not artifacts:
        return Section("Cost and versions", [])
    rows: list[list[Cell | str]] = []
    begins = set()
    for stage, group in groupby(artifacts, lambda one: one.stage):
        members = list(group)
        begins.add(len(rows))
        rows.append([stage, *_cost(members), "", ""])
        rows += [[Cell(_name(one), muted=True), *_cost([one]), *_size_and_date(one)] for one in members]
    begins.add(len(rows))
    rows.append(["all stages", *_cost(artifacts), "", ""])
    costs = Table(
        "Cost of each stage and of its artifacts.",
        ("stage, artifact", "seconds", "peak MB", "rows", "made (UTC)"),
        rows,
        frozenset(begins),
    )
    versions = Table(
        "Version of each artifact, a hash of its content, and of the code that made it.",
        ("artifact", "version", "code version"),
        [(_name(one), one.version, one.code_version) for one in artifacts],
        folded=True,
    )
    return Section("Cost and versions", [Group(paragraphs=[EXPLANATION], tables=[costs, versions])])


def _name(one: Made) -> str:
    return one.name if one.parts is None else f"{one.name} ({one.parts:,} parts)"


def _cost(members: Iterable[Made]) -> Iterator[str]:
    known = [one for one in members if one.peak_mb]
    yield f"{sum(one.seconds for one in known):,.1f}" if known else "-"
    yield f"{max(one.peak_mb for one in known):,}" if known else "-"


def _size_and_date(one: Made) -> Iterator[str]:
    yield "-" if one.rows is None else f"{one.rows:,}"
    yield one.made.removesuffix(" UTC")
