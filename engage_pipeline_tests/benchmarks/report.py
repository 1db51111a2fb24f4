"""The measurements as Markdown tables with the machine below, and their place in a page written by hand."""

import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from engage_pipeline.files.atomic import atomic_file
from engage_pipeline_tests.benchmarks.aims import Growth, Results, outcomes, vector_units
from engage_pipeline_tests.benchmarks.alternatives.stages import ALTERNATIVES
from engage_pipeline_tests.benchmarks.kinds import ALTERNATIVE, LIMIT, PLAIN_WAY, WORK
from engage_pipeline_tests.benchmarks.limits import LIMITS
from engage_pipeline_tests.benchmarks.measuring import Measurement

END = "<!-- end of the generated part -->"
HEADER = (
    "| stage | rows | CPU s | wall s | rows/s per core | peak MiB | × plain Python | × alternative | of the limit |",
    "|---|--:|--:|--:|--:|--:|--:|---|---|",
)
AIMS_HEADER = ("| stage | aim | measured | met |", "|---|---|---|---|")
LIBRARIES = ("duckdb", "pyarrow", "torch", "lightgbm", "polars", "SetSimilaritySearch", "onnxruntime")
NOTES = (
    "Empty: nothing to compare the stage with. `load_definitions` and `run_again` count one start as one row. Without "
    "bfloat16 in hardware `network_1500` computes in float32 too, as `network_1500_fp32` does: they differ by chance."
)
_MET = {True: "yes", False: "no", None: "unknown at this size"}


def markdown(results: Results, command: str) -> str:
    """The aims that were met and missed, the tables of stages and growth, the machine and the command."""
    lines = []
    if found := outcomes(results):
        met = sum(outcome.met is True for _, outcome in found)
        rows = [f"| {aim.stage} | {aim.aim} | {outcome.found} | {_MET[outcome.met]} |" for aim, outcome in found]
        lines += ["## Aims", "", f"{met} of {len(found)} are met.", "", *AIMS_HEADER, *rows, ""]
    lines += ["## Stages", "", *HEADER, *(_row(stage, kinds) for stage, kinds in results.measured.items()), "", NOTES]
    rates = [_rates(stage, kinds) for stage, kinds in results.measured.items() if len(kinds) > 1]
    if rates:
        lines += ["", "Rows/s per core of what a stage is compared with:", "", *rates]
    if results.growth:
        lines += ["", "## Growth", "", "CPU seconds, rows/s per core, peak memory.", "", *_growth(results.growth)]
    return "\n".join([*lines, "", machine(), "", f"Command: `{command}`"])


def _row(stage: str, kinds: Mapping[str, Measurement]) -> str:
    work = kinds[WORK]
    figures = [f"{work.rows:,}", f"{work.cpu_seconds:.2f}", f"{work.wall_seconds:.2f}", f"{work.rows_a_second:,.0f}"]
    plain = f"{_ratio(kinds, PLAIN_WAY):,.1f}" if PLAIN_WAY in kinds else ""
    limit = f"{_ratio(kinds, LIMIT):.1%} ({LIMITS[stage][0]})" if LIMIT in kinds else ""
    return f"| {' | '.join([stage, *figures, f'{work.peak_mib:,}', plain, _alternative(stage, kinds), limit])} |"


def _alternative(stage: str, kinds: Mapping[str, Measurement]) -> str:
    if ALTERNATIVE in kinds:
        return f"{_ratio(kinds, ALTERNATIVE):,.1f} ({ALTERNATIVES[stage].name})"
    missing = stage in ALTERNATIVES and ALTERNATIVES[stage].missing
    return f"{missing} is not installed" if missing else ""


def _ratio(kinds: Mapping[str, Measurement], kind: str) -> float:
    return kinds[WORK].rows_a_second / kinds[kind].rows_a_second


def _rates(stage: str, kinds: Mapping[str, Measurement]) -> str:
    names = {PLAIN_WAY: "plain Python"}
    if ALTERNATIVE in kinds:
        names[ALTERNATIVE] = ALTERNATIVES[stage].name
    if LIMIT in kinds:
        names[LIMIT] = f"limit ({LIMITS[stage][0]})"
    rates = [
        f"{name} {kinds[kind].rows_a_second:,.0f} (peak {kinds[kind].peak_mib:,} MiB)"
        for kind, name in names.items()
        if kind in kinds
    ]
    return f"- {stage}: {'; '.join(rates)}"


def _growth(growth: Growth) -> list[str]:
    """CPU seconds, rows/s per core and peak MiB, a column for each size."""
    sizes = sorted({rows for steps in growth.values() for rows in steps})
    lines = [f"| stage | {' | '.join(f'{rows:,} rows' for rows in sizes)} |", f"|---|{'--:|' * len(sizes)}"]
    for stage, steps in growth.items():
        cells = [
            f"{work.cpu_seconds:.2f} s, {work.rows_a_second:,.0f}/s, {work.peak_mib:,} MiB" if work else ""
            for work in (steps.get(rows) for rows in sizes)
        ]
        lines.append(f"| {stage} | {' | '.join(cells)} |")
    return lines


def machine() -> str:
    """Processor, cores, memory and versions."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = f"{os.cpu_count()} cores with {vector_units()}"
    versions = ", ".join(f"{name} {_version(name)}" for name in LIBRARIES)
    python = platform.python_version()
    return f"Machine: {_processor()}, {cores}, {memory:.0f} GiB; Python {python}, {versions}."


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def begin(maker: str) -> str:
    """The line before what `maker` generates."""
    return f"<!-- generated by {maker} -->"


def write_into(page: Path, text: str, maker: str = "make bench") -> None:
    """Puts `text` between the marks of `maker` in `page`, or at its end where it has none; the rest stays."""
    mark = begin(maker)
    before = page.read_text(encoding="utf-8") if page.exists() else ""
    after = "\n"
    if mark in before and END in before.partition(mark)[2]:
        before, _, rest = before.partition(mark)
        after = rest.partition(END)[2]
    elif before:
        before = before.rstrip("\n") + "\n\n"
    with atomic_file(page) as path:
        path.write_text(f"{before}{mark}\n\n{text}\n\n{END}{after}", encoding="utf-8")
