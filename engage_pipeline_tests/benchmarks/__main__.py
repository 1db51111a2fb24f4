"""Measures the stages on a synthetic world: `python -m engage_pipeline_tests.benchmarks --help`."""

import argparse
import contextlib
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from engage_pipeline_tests.benchmarks import report
from engage_pipeline_tests.benchmarks.aims import Results
from engage_pipeline_tests.benchmarks.kinds import WORK, measurable
from engage_pipeline_tests.benchmarks.measuring import Measurement, measure_beside, measure_once
from engage_pipeline_tests.benchmarks.stages import REPORTED, STAGES, with_needs
from engage_pipeline_tests.benchmarks.world import World

GROWTH_STAGES = ("ingest", "interaction_counts", "author_similarity", "interaction_features", "engagement_effects")
LEARNING_STAGES = ("network_demo", "finetuned_network", "engagement_trees")
GROWTH_MEMORY_LIMIT = "2GB"
BESIDE = {"crowded_features": "interaction_features"}
"""Stages that count for what they take more than another one."""


def stage_names(text: str) -> tuple[str, ...]:
    """The stages of a list with commas; none of the word `none`. Raises ArgumentTypeError naming an unknown one."""
    names = () if text == "none" else tuple(text.split(","))
    if unknown := [name for name in names if name not in STAGES]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is not one of {', '.join(STAGES)}")
    return names


def sizes(text: str) -> tuple[int, ...]:
    """The numbers of a list with commas; none of the word `none`. Raises ArgumentTypeError for anything else."""
    try:
        return () if text == "none" else tuple(int(size) for size in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is neither `none` nor numbers of rows with commas") from error


def run(world: World, names: tuple[str, ...], kept: Path) -> dict[str, dict[str, Measurement]]:
    """Measures the stages `names`, and makes what they need. Prints to standard error what is measured.

    What is noted in the folder `kept` is not measured again.
    """
    if names:
        world.make()
    measured: dict[str, dict[str, Measurement]] = {}
    for name in with_needs(names):
        results = {}
        for kind in measurable(name) if name in names else [WORK]:
            print(f"{name}: {kind}", file=sys.stderr, flush=True)
            beside = BESIDE.get(name)
            results[kind] = (
                measure_beside(name, beside, world, kept) if beside else measure_once(kind, name, world, kept)
            )
        if name in names:
            measured[name] = results
    return measured


def grow(folder: Path, stages: tuple[str, ...], rows: Sequence[int], threads: int) -> dict[str, dict[int, Measurement]]:
    """The work of `stages` in worlds of so many rows, one after the other, under GROWTH_MEMORY_LIMIT.

    A world is removed from `folder` once it is measured.
    """
    grown: dict[str, dict[int, Measurement]] = {name: {} for name in stages if rows}
    for size in sorted(rows):
        place = folder / f"world-{size}"
        place.mkdir(exist_ok=True)
        world = World(place, size, threads, GROWTH_MEMORY_LIMIT)
        world.make()
        for name in with_needs(stages):
            print(f"{name}: {size:,} rows", file=sys.stderr, flush=True)
            work = measure_once(WORK, name, world, folder)
            if name in grown:
                grown[name][size] = work
        shutil.rmtree(place)
    return grown


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m engage_pipeline_tests.benchmarks", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_500_000, help="interactions of the world [default: %(default)s]")
    parser.add_argument("--threads", type=int, default=1, help="threads of every library [default: %(default)s]")
    parser.add_argument("--stages", type=stage_names, default=REPORTED, help=f"`none`, or of {','.join(STAGES)}")
    parser.add_argument(
        "--growth",
        type=sizes,
        default=(100_000, 400_000, 1_600_000, 6_400_000),
        help="sizes of the worlds in which stages that grow with the rows are measured again, or `none`",
    )
    parser.add_argument(
        "--learning",
        type=sizes,
        default=(100_000, 400_000, 1_600_000),
        help=f"sizes of the worlds in which {', '.join(LEARNING_STAGES)} are measured again, or `none`",
    )
    parser.add_argument("--out", type=Path, help="page that the tables are put into; else they are only printed")
    parser.add_argument(
        "--folder", type=Path, help="kept, so that a run that was stopped goes on; else a temporary one"
    )
    options = parser.parse_args(arguments)
    with contextlib.ExitStack() as stack:
        folder = options.folder or stack.enter_context(tempfile.TemporaryDirectory(prefix="engage-bench-"))
        folder = Path(os.path.realpath(folder))
        for name in ("world", "growth", "learning"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        measured = run(World(folder / "world", options.rows, options.threads), options.stages, folder)
        growth = {
            **grow(folder / "growth", GROWTH_STAGES, options.growth, options.threads),
            **grow(folder / "learning", LEARNING_STAGES, options.learning, options.threads),
        }
    command = shlex.join(["python", "-m", "engage_pipeline_tests.benchmarks", *arguments])
    text = report.markdown(Results(options.rows, measured, growth), command)
    print(text)
    if options.out:
        report.write_into(options.out, text)


if __name__ == "__main__":
    main(sys.argv[1:])
