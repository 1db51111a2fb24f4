"""Measures the stages on a synthetic world: `python -m engage_pipeline_tests.benchmarks --help`."""

import argparse
import os
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from engage_pipeline_tests.benchmarks import report
from engage_pipeline_tests.benchmarks.measuring import KINDS, Measurement, measure
from engage_pipeline_tests.benchmarks.stages import REPORTED, STAGES, with_needs
from engage_pipeline_tests.benchmarks.world import World


def stage_names(text: str) -> tuple[str, ...]:
    """The stages of a list with commas. Raises ArgumentTypeError naming one that is not there."""
    names = tuple(text.split(","))
    if unknown := [name for name in names if name not in STAGES]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is not one of {', '.join(STAGES)}")
    return names


def run(world: World, names: tuple[str, ...]) -> dict[str, dict[str, Measurement]]:
    """Measures the stages `names`, and makes what they need. Prints to standard error what is measured."""
    world.make()
    measured: dict[str, dict[str, Measurement]] = {}
    for name in with_needs(names):
        kinds = [kind for kind, stages in KINDS.items() if name in stages and (kind == "work" or name in names)]
        results = {}
        for kind in kinds:
            print(f"{name}: {kind}", file=sys.stderr, flush=True)
            results[kind] = measure(kind, name, world)
        if name in names:
            measured[name] = results
    return measured


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m engage_pipeline_tests.benchmarks", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="interactions of the world [default: %(default)s]")
    parser.add_argument("--threads", type=int, default=1, help="threads of every library [default: %(default)s]")
    parser.add_argument("--stages", type=stage_names, default=REPORTED, help=f"of {','.join(STAGES)}")
    parser.add_argument("--out", type=Path, help="page that the table is put into; else it is only printed")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="engage-bench-") as folder:
        measured = run(World(Path(os.path.realpath(folder)), options.rows, options.threads), options.stages)
    text = report.markdown(measured, shlex.join(["python", "-m", "engage_pipeline_tests.benchmarks", *arguments]))
    print(text)
    if options.out:
        report.write_into(options.out, text)


if __name__ == "__main__":
    main(sys.argv[1:])
