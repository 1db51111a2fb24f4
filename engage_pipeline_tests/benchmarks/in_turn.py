"""This program beside an earlier one, in turn on one machine: machines and hours differ by more than programs do.

    git worktree add ../earlier REVISION && make -C ../earlier development
    python -m engage_pipeline_tests.benchmarks.in_turn --before ../earlier --folder FOLDER --stages ingest,from_nothing

Each program measures the stages of its own `make bench`, in worlds of as many rows, or a run from nothing of the demo.
What a stage reads is made first, and not measured. The ratio is the median of those of the pairs. Where a Makefile has
no `development`, `setup` prepares all.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from engage_pipeline_tests.benchmarks import __main__ as benchmarks
from engage_pipeline_tests.benchmarks.kinds import WORK
from engage_pipeline_tests.benchmarks.measuring import note_of, noted
from engage_pipeline_tests.benchmarks.stages import STAGES, with_needs
from engage_pipeline_tests.benchmarks.watched import with_bytecode

FROM_NOTHING = "from_nothing"
"""`engage run` of the demo's data, from raw parts to results.csv: seconds of wall time."""
HEADER = """| stage | before | now | times as fast | in pairs |
|---|--:|--:|--:|---|"""
ROOT = Path(__file__).parents[2]
_MEASURE = """
import sys
from pathlib import Path
from engage_pipeline_tests.benchmarks.measuring import measure_once
from engage_pipeline_tests.benchmarks.stages import with_needs
from engage_pipeline_tests.benchmarks.world import World
stage, rows, kept = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
world = World(kept / "world", rows, 1)
world.folder.mkdir(parents=True, exist_ok=True)
world.make()
for name in with_needs([stage]):
    print(f"{name}: {rows} rows", flush=True)
    measure_once("work", name, world, kept)
"""
"""What each program does: also an earlier one has these functions. What is noted in `kept` is not measured again."""


@dataclass(frozen=True)
class Program:
    """A checkout, and the folder of what it measures."""

    tree: Path
    folder: Path

    def run(self, *arguments: str, **environment: str) -> None:
        """Runs its Python in the checkout, whose packages come first. Raises CalledProcessError if that fails."""
        own = self.tree / ".venv" / "bin" / "python"
        command = [str(own) if own.exists() else sys.executable, *arguments]
        with (self.folder / "log.txt").open("a", encoding="utf-8") as log:
            subprocess.run(
                command, check=True, cwd=self.tree, stdout=log, stderr=log, env={**with_bytecode(), **environment}
            )

    def engage(self, *arguments: str, **environment: str) -> None:
        """Runs its `engage`, likewise."""
        self.run("-c", "from engage_pipeline.cli import main; main()", *arguments, **environment)

    def measure(self, stage: str, rows: int) -> float:
        """Returns the seconds of CPU of the stage for each row."""
        kept = self.folder / world_of(stage, rows)
        note = note_of(WORK, stage, rows, 1, kept)
        note.unlink(missing_ok=True)
        self.run("-c", _MEASURE, stage, str(rows), str(kept))
        return 1 / noted(note).rows_a_second

    def run_from_nothing(self, raw: Path) -> float:
        """Returns the seconds of a run of raw parts, as its own config.yaml says."""
        with tempfile.TemporaryDirectory(dir=self.folder, prefix=f"{FROM_NOTHING}-") as name:
            home = Path(name)
            for file in ("config.yaml", "dagster.yaml"):
                shutil.copy(self.tree / file, home)
            shutil.copytree(raw, home / "data" / "raw", copy_function=os.link)
            started = time.monotonic()
            self.engage("run", "--config", str(home / "config.yaml"), DAGSTER_HOME=name)
            return time.monotonic() - started


def world_of(stage: str, rows: int) -> str:
    """Names the world of a stage. Models of hidden 1500 have one of their own: they replace those of the demo."""
    wide = any("1500" in name for name in with_needs((stage,)))
    return f"{rows}-1500" if wide else f"{rows}"


@dataclass(frozen=True)
class Pairs:
    """What a stage took before and now: seconds, of a row or of a run, each time."""

    stage: str
    before: Sequence[float]
    now: Sequence[float]

    def line(self) -> str:
        """A row of the table."""
        ratios = [before / now for before, now in zip(self.before, self.now, strict=True)]
        found = [_shown(self.stage, median(seconds)) for seconds in (self.before, self.now)]
        each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        return f"| {' | '.join([self.stage, *found, f'{median(ratios):.2f}', each])} |"


def _shown(stage: str, seconds: float) -> str:
    if stage == FROM_NOTHING:
        return f"{seconds:.1f} s"
    return f"{seconds * 1e3:.1f} ms a row" if seconds >= 1e-3 else f"{1 / seconds:,.0f} rows/s"


def stage_names(text: str) -> tuple[str, ...]:
    """The stages of a list with commas, FROM_NOTHING among them. Raises ArgumentTypeError naming an unknown one."""
    names = text.split(",")
    if others := [name for name in names if name != FROM_NOTHING]:
        benchmarks.stage_names(",".join(others))
    return tuple(names)


def in_turn(before: Program, now: Program, stage: str, times: int, rows: int, raw: Path) -> Pairs:
    """Measures a stage `times` times by each program, in turn."""
    found: dict[Program, list[float]] = {before: [], now: []}
    for program in (before, now) * times:
        print(f"{stage}: {program.tree}", file=sys.stderr, flush=True)
        seconds = program.run_from_nothing(raw) if stage == FROM_NOTHING else program.measure(stage, rows)
        found[program].append(seconds)
    return Pairs(stage, found[before], found[now])


def main(arguments: Sequence[str]) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m engage_pipeline_tests.benchmarks.in_turn", description=__doc__)
    parser.add_argument("--before", type=Path, required=True, help="checkout of the earlier program, set up")
    parser.add_argument("--now", type=Path, default=ROOT, help="checkout of the other one [default: this one]")
    parser.add_argument("--folder", type=Path, required=True, help="what is made is kept in it")
    known = ",".join((*STAGES, FROM_NOTHING))
    parser.add_argument("--stages", type=stage_names, required=True, help=f"of {known}, with commas")
    parser.add_argument("--times", type=int, default=3, help="pairs of measurements [default: %(default)s]")
    parser.add_argument("--rows", type=int, default=1_500_000, help="of the world [default: %(default)s]")
    parser.add_argument("--demo-rows", type=int, default=240_000, help="of a run from nothing [default: %(default)s]")
    options = parser.parse_args(arguments)
    folder = Path(os.path.realpath(options.folder))
    before, now = (
        Program(Path(os.path.realpath(tree)), folder / name)
        for name, tree in (("before", options.before), ("now", options.now))
    )
    for program in (before, now):
        program.folder.mkdir(parents=True, exist_ok=True)
    raw = folder / f"raw-{options.demo_rows}"
    if FROM_NOTHING in options.stages and not raw.exists():
        sizes = ["--rows", str(options.demo_rows), "--users", str(options.demo_rows // 10), "--parts", "4"]
        now.engage("synthesize", "--out", str(raw), *sizes)
    print(HEADER, flush=True)
    for stage in options.stages:
        print(in_turn(before, now, stage, options.times, options.rows, raw).line(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
