"""Measures the stages on a synthetic world: `python -m engage_pipeline_tests.benchmarks --help`."""

import argparse
import contextlib
import os
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from engage_pipeline_tests.benchmarks import report
from engage_pipeline_tests.benchmarks.aims import Results
from engage_pipeline_tests.benchmarks.kinds import WORK, measurable
from engage_pipeline_tests.benchmarks.measuring import Measurement, measure_once
from engage_pipeline_tests.benchmarks.stages import REPORTED, STAGES, with_needs
from engage_pipeline_tests.benchmarks.world import World


def stage_names(text: str) -> tuple[str, ...]:
    """The stages of a list with commas. Raises ArgumentTypeError naming an unknown one."""
    names = tuple(text.split(","))
    if unknown := [name for name in names if name not in STAGES]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is not one of {', '.join(STAGES)}")
    return names


def run(world: World, names: tuple[str, ...], kept: Path) -> dict[str, dict[str, Measurement]]:
    """Measures the stages `names`, and makes what they need. Prints to standard error what is measured.

    What is noted in the folder `kept` is not measured again.
    """
    world.make()
    measured: dict[str, dict[str, Measurement]] = {}
    for name in with_needs(names):
        results = {}
        for kind in measurable(name) if name in names else [WORK]:
            print(f"{name}: {kind}", file=sys.stderr, flush=True)
            results[kind] = measure_once(kind, name, world, kept)
        if name in names:
            measured[name] = results
    return measured


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m engage_pipeline_tests.benchmarks", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_500_000, help="interactions of the world [default: %(default)s]")
    parser.add_argument("--threads", type=int, default=1, help="threads of every library [default: %(default)s]")
    parser.add_argument("--stages", type=stage_names, default=REPORTED, help=f"of {','.join(STAGES)}")
    parser.add_argument("--out", type=Path, help="page that the tables are put into; else they are only printed")
    parser.add_argument(
        "--folder", type=Path, help="kept, so that a run that was stopped goes on; else a temporary one"
    )
    options = parser.parse_args(arguments)
    with contextlib.ExitStack() as stack:
        folder = options.folder or stack.enter_context(tempfile.TemporaryDirectory(prefix="engage-bench-"))
        folder = Path(os.path.realpath(folder))
        (folder / "world").mkdir(parents=True, exist_ok=True)
        measured = run(World(folder / "world", options.rows, options.threads), options.stages, folder)
    command = shlex.join(["python", "-m", "engage_pipeline_tests.benchmarks", *arguments])
    text = report.markdown(Results(options.rows, measured), command)
    print(text)
    if options.out:
        report.write_into(options.out, text)


if __name__ == "__main__":
    main(sys.argv[1:])
