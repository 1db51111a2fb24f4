"""A whole comparison: which contenders run on which worlds, the runs still missing, and the page of tables."""

import logging
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engage_pipeline.comparison.contenders import BASE, Contender, ablations, contender
from engage_pipeline.comparison.outcomes import RunOutcome, read_outcome, write_outcome
from engage_pipeline.comparison.page import page
from engage_pipeline.comparison.runs import MADE, measure
from engage_pipeline.comparison.tables import number_text
from engage_pipeline.comparison.worlds import Variant, WorldSpec, make_world
from engage_pipeline.files.atomic import atomic_file, exclusive
from engage_pipeline.progress import progress
from engage_pipeline.settings.overrides import without_settings

LOGGER = logging.getLogger("engage_pipeline")
PAGE = "results.md"


@dataclass(frozen=True)
class Plan:
    """The worlds, presets and checks to compare. Leakage checks use the first of `worlds`, the ablation the first of
    each kind."""

    worlds: Sequence[WorldSpec]
    presets: Sequence[str]
    ablation: bool = False
    leakage: bool = False

    @property
    def ablated(self) -> list[WorldSpec]:
        """The worlds on which the ablation is made."""
        first_of = {world.kind: world for world in reversed(self.worlds)}
        return [world for world in self.worlds if self.ablation and world == first_of[world.kind]]

    def jobs(self) -> Iterator[tuple[WorldSpec, Contender]]:
        """Yields every necessary run once."""
        contenders = [contender(name) for name in self.presets]
        for world in self.worlds:
            yield from ((world, one) for one in contenders)
            if world in self.ablated:
                if BASE not in self.presets:
                    yield world, contender(BASE)
                yield from ((world, one) for one in ablations().values())
        if self.leakage:
            for variant in (Variant.SHUFFLED, Variant.STRANGERS):
                yield replace(self.worlds[0], variant=variant), contender(BASE)


def compare(folder: Path, plan: Plan, common: Mapping[str, Any], command: str) -> list[RunOutcome]:
    """Runs every job without an outcome in `folder`, then writes `results.md` there; returns all outcomes.

    `common` overrides settings of every preset; variables ENGAGE__SECTION__KEY don't, and a log line names them.
    `command` is the first line of the page, which is written anew after each run. A failed run is shown in the tables
    and tried again the next time. Raises UserError if another comparison is running in `folder` or a world can't be
    made.
    """
    jobs = list(plan.jobs())
    if ignored := sorted(os.environ.keys() - without_settings(os.environ).keys()):
        LOGGER.warning(
            "comparison: these variables do not count, as its settings come from --config alone: %s", ", ".join(ignored)
        )
    folder.mkdir(parents=True, exist_ok=True)
    with exclusive(folder / ".lock", f"{folder}: another comparison is running there"):
        outcomes = [_kept(folder, world, one, common) for world, one in jobs]
        missing = [place for place, outcome in enumerate(outcomes) if outcome is None]
        LOGGER.info("comparison: %d runs, %d of them missing", len(jobs), len(missing))
        with progress("comparison", sum(jobs[place][0].rows for place in missing)) as tracker:
            for number, place in enumerate(missing, start=1):
                world, one = jobs[place]
                LOGGER.info("comparison: run %d of %d, %s on %s", number, len(missing), one.name, world.name)
                outcome = outcomes[place] = _make(folder, world, one, common, plan)
                _write_page(folder, plan, outcomes, common, command)
                tracker.advance(world.rows, _note(outcome))
                if all(jobs[other][0] != world for other in missing[number:]):
                    shutil.rmtree(_base_folder(folder, world), ignore_errors=True)
        _write_page(folder, plan, outcomes, common, command)
        for world in plan.worlds:
            shutil.rmtree(_base_folder(folder, world), ignore_errors=True)
    return [outcome for outcome in outcomes if outcome is not None]


def _kept(folder: Path, world: WorldSpec, one: Contender, common: Mapping[str, Any]) -> RunOutcome | None:
    outcome = read_outcome(folder / "outcomes", world, one.name)
    return outcome if outcome and outcome.key == one.key(common, world) and outcome.problem is None else None


def _make(folder: Path, world: WorldSpec, one: Contender, common: Mapping[str, Any], plan: Plan) -> RunOutcome:
    """Makes one outcome. An ablation starts from the base preset's artifacts if they exist: most are the same."""
    raw = make_world(world, folder / "worlds")
    base = _base_folder(folder, world)
    taken_apart = world in plan.ablated
    ablated = taken_apart and one.name in {other.name for other in ablations().values()}
    outcome = measure(
        one,
        world,
        raw,
        folder / "runs" / world.name / one.name,
        common,
        begin=base if ablated and base.is_dir() else None,
        keep=taken_apart and one.name == BASE,
    )
    write_outcome(folder / "outcomes", outcome)
    return outcome


def _base_folder(folder: Path, world: WorldSpec) -> Path:
    """Returns the folder of the base preset's artifacts on `world`."""
    return folder / "runs" / world.name / BASE / MADE


def _write_page(
    folder: Path, plan: Plan, outcomes: Sequence[RunOutcome | None], common: Mapping[str, Any], command: str
) -> None:
    known = [outcome for outcome in outcomes if outcome is not None]
    families = {family: one.name for family, one in ablations().items()} if plan.ablation else {}
    text = page(known, plan.presets, plan.worlds, (plan.ablated, families), plan.leakage, common, command)
    with atomic_file(folder / PAGE) as path:
        path.write_text(text, encoding="utf-8")


def _note(outcome: RunOutcome) -> str:
    name = f"{outcome.contender} on {outcome.world.name}"
    if outcome.share is None or outcome.cost is None:
        return f"{name} failed: {outcome.problem}"
    return f"{name}: {number_text(outcome.share.overall_mean, 1)} % of the oracle in {outcome.cost.seconds:,.0f} s"
