"""The page `results.md` of a comparison: its tables, its command, settings and versions."""

import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

from engage_pipeline.comparison.check_tables import ablation_table, check_table, problems
from engage_pipeline.comparison.contenders import BASE, REFERENCE_TREES
from engage_pipeline.comparison.outcomes import RunOutcome
from engage_pipeline.comparison.tables import engagement_table, group_table, overall_table
from engage_pipeline.comparison.worlds import Variant, WorldSpec

_LIBRARIES = ("duckdb", "torch", "lightgbm")


def page(
    outcomes: Sequence[RunOutcome],
    presets: Sequence[str],
    worlds: Sequence[WorldSpec],
    ablation: tuple[Sequence[WorldSpec], Mapping[str, str]],
    leakage: bool,
    common: Mapping[str, Any],
    command: str,
) -> str:
    """Returns the whole page. `ablation` are the worlds where it is made, and each feature family with the contender
    without it."""
    found = {(outcome.world, outcome.contender): outcome for outcome in outcomes}
    blocks = list(_head(presets, common, command))
    if failed := problems(outcomes):
        blocks += ["## Failed", "\n".join(failed)]
    blocks += ["## Overall", overall_table(outcomes, worlds, presets)]
    for world in worlds:
        met = [found[world, preset] for preset in presets if (world, preset) in found]
        if any(outcome.scores for outcome in met):
            blocks += [f"## {world.title}", engagement_table(met)]
            blocks += ["Share by the author's followers:", group_table(met)]
    for world in ablation[0]:
        without = {family: found.get((world, name)) for family, name in ablation[1].items()}
        blocks += [f"## One feature family out, {BASE}, {world.title}", _ABLATION]
        blocks.append(ablation_table(found.get((world, BASE)), without))
    if leakage:
        for variant, (title, text) in _CHECKS.items():
            checked = found.get((replace(worlds[0], variant=variant), BASE))
            blocks += [f"## {title}, {BASE}, {worlds[0].title}", text, check_table(checked)]
    return "\n\n".join(blocks) + "\n"


_ABLATION = "Change of the share in points, mean of the engagements; below 0 if the family helps."
_CHECKS = {
    Variant.SHUFFLED: (
        "Shuffled labels",
        "Trained on parts whose labels were shuffled among their rows; scored on the true labels of the test rows. "
        "The constant rate has an RCE of 0.",
    ),
    Variant.STRANGERS: (
        "Viewers never seen",
        "Trained without the labelled rows of every fifth viewer; scored on the test rows of viewers without any.",
    ),
}


def _head(presets: Sequence[str], common: Mapping[str, Any], command: str) -> Iterator[str]:
    yield "# Comparison"
    yield f"```\n{command}\n```"
    yield (
        "Scores on the test rows, on which nothing was trained, fitted or blended. `share` is the RCE in percent of "
        "the oracle's on the same rows, overall the mean of the four engagements, and `± 95 %` half of its interval, "
        "from viewers drawn with replacement; `by group` is the mean over the author groups. Times are of the "
        "whole run, from raw parts to results.csv: wall time, and CPU time of all cores. Memory is the peak of its "
        "largest process."
    )
    yield f"Settings that override every preset's: `{json.dumps(dict(common))}`."
    if REFERENCE_TREES in presets:
        yield f"`{REFERENCE_TREES}`: LightGBM on the reference's 88 numbers, training and fine-tuning rows together."
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    yield f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {libraries}."
