"""What the project wants of its speed, and whether a measurement meets it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from engage_pipeline_tests.benchmarks.kinds import PLAIN_WAY, WORK
from engage_pipeline_tests.benchmarks.measuring import Measurement

Measured = Mapping[str, Mapping[str, Measurement]]
"""By stage, then by kind."""
LARGE = 1_000_000
"""Worlds of so many rows count as those of 1.5 million that aims speak of."""
_FLAT = 1.25
_FEATURES = "interaction_features"


@dataclass(frozen=True)
class Results:
    """All that was measured, at `rows` rows."""

    rows: int
    measured: Measured

    def work(self, stage: str) -> Measurement:
        """The work of a stage. Raises KeyError where it was not measured."""
        return self.measured[stage][WORK]

    def rate(self, stage: str, kind: str = WORK) -> float:
        """Rows a second of one core. Raises KeyError where it was not measured."""
        return self.measured[stage][kind].rows_a_second


@dataclass(frozen=True)
class Outcome:
    """What was found, in words, and whether that is enough: None = can't be told from what was measured."""

    found: str
    met: bool | None


@dataclass(frozen=True)
class Aim:
    """`judge` raises KeyError where what it needs was not measured."""

    stage: str
    aim: str
    judge: Callable[[Results], Outcome]


def at_least(stage: str, aim: float) -> Callable[[Results], Outcome]:
    """Rows a second of one core."""
    return lambda results: _rate(results.rate(stage), aim)


def _rate(rate: float, aim: float) -> Outcome:
    return Outcome(f"{rate:,.0f} rows/s", rate >= aim)


def at_full_size(judge: Callable[[Results], Outcome]) -> Callable[[Results], Outcome]:
    """What can't be told in a small world, where what a stage costs at all weighs most."""

    def judged(results: Results) -> Outcome:
        outcome = judge(results)
        return outcome if results.rows >= LARGE else Outcome(outcome.found, None)

    return judged


def seconds(stage: str, aim: float) -> Callable[[Results], Outcome]:
    """Seconds of CPU."""

    def judge(results: Results) -> Outcome:
        work = results.work(stage)
        return Outcome(f"{work.cpu_seconds:.2f} s ({work.wall_seconds:.2f} s wall)", work.cpu_seconds <= aim)

    return judge


def a_row(stage: str, aim: float, unit: str = "µs") -> Callable[[Results], Outcome]:
    """Time of CPU for one row, in microseconds or milliseconds."""

    def judge(results: Results) -> Outcome:
        spent = {"µs": 1e6, "ms": 1e3}[unit] / results.rate(stage)
        return Outcome(f"{spent:,.1f} {unit} a row", spent <= aim)

    return judge


def peak(stage: str, mib: int) -> Callable[[Results], Outcome]:
    """Peak resident memory, libraries included."""
    return lambda results: Outcome(f"{results.work(stage).peak_mib:,} MiB", results.work(stage).peak_mib <= mib)


def smaller_files(results: Results) -> Outcome:
    """Text bytes for one of Parquet."""
    times = results.work("ingest").figures["times_smaller"]
    return Outcome(f"{times:.1f} times", times >= 8)


def flat_prediction(results: Results) -> Outcome:
    """The peak of four times the rows."""
    fewer, more = results.work("predict_quarter"), results.work("predict")
    words = f"{fewer.peak_mib:,} MiB for {fewer.rows:,} rows, {more.peak_mib:,} for {more.rows:,}"
    return Outcome(words, more.peak_mib <= _FLAT * fewer.peak_mib)


def features(results: Results) -> Outcome:
    """Of the training rows, with their counters."""
    both = 1 / (1 / results.rate(_FEATURES) + 1 / results.rate("interaction_counts"))
    return _rate(both, 183_000)


def features_beside_plain(results: Results) -> Outcome:
    """The rate of counters and features against plain Python's."""
    both = [
        1 / results.rate(_FEATURES, kind) + 1 / results.rate("interaction_counts", kind) for kind in (PLAIN_WAY, WORK)
    ]
    return _times(both[0] / both[1], 20)


def _times(ratio: float, aim: float) -> Outcome:
    return Outcome(f"{ratio:.1f} times", ratio >= aim)


def share_of_a_part(results: Results) -> Outcome:
    """Of a full run's ingest, recount and features."""
    share = results.work("one_part_of_eight").figures["share"]
    return Outcome(f"{share:.0%}", share <= 0.35)


def equal_quality(results: Results) -> Outcome:
    """Log loss of bf16 against fp32."""
    losses = results.work("network_loss").figures
    worse = losses["bf16"] / losses["fp32"] - 1
    return Outcome(f"log loss {losses['bf16']:.5f} (bf16), {losses['fp32']:.5f} (fp32): {worse:+.2%}", worse <= 0.002)


VECTOR_UNITS = {"amx_bf16": "AMX", "avx512_bf16": "AVX-512 and bf16", "avx512f": "AVX-512", "avx2": "AVX2"}
"""By the flag of the processor, the best first."""


def vector_units() -> str:
    """The best that the processor has for products of matrices."""
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    return next((name for flag, name in VECTOR_UNITS.items() if flag in flags), "no vector units")


def has_amx() -> bool:
    """Whether the processor has matrix units for bf16."""
    return vector_units() == "AMX"


def aims() -> list[Aim]:
    """All of them, some as this processor can meet them."""
    units, training, prediction = ("with", 4000, 200) if has_amx() else ("without", 1300, 450)
    return [
        Aim("ingest", "260 000 rows/s", at_full_size(at_least("ingest", 260_000))),
        Aim("ingest", "files 8 times smaller than the text", at_full_size(smaller_files)),
        Aim("counters and features", "183 000 rows/s", at_full_size(features)),
        Aim("counters and features", "20 times plain Python", at_full_size(features_beside_plain)),
        Aim("one new part among eight", "at most 35 % of a full run", share_of_a_part),
        Aim("similarity", "24 000 authors, 380 000 edges in 0.3 s", seconds("similarity_24000", 0.3)),
        Aim("similarity", "10 M edges in 15 s", seconds("similarity_10m", 15)),
        Aim("similarity", "10 M edges in 1 GB", peak("similarity_10m", 1024)),
        Aim("similarity", "a hub with 1 M followers: no more time than 10 M edges", seconds("similarity_hub", 15)),
        Aim("similarity", "a hub with 1 M followers: 1 GB", peak("similarity_hub", 1024)),
        Aim("training, hidden 1500", f"{training:,} rows/s {units} AMX", at_least("network_1500", training)),
        Aim("training, hidden 1500", "quality equal to fp32 (0.2 % of log loss)", equal_quality),
        Aim("prediction, hidden 1500", f"{prediction} µs a row {units} AMX, all in", a_row("predict_1500", prediction)),
        Aim("prediction, the demo's model", "100 µs a row, all in", a_row("predict", 100)),
        Aim("prediction", "memory flat", flat_prediction),
        Aim("one row at a time, the demo's model", "3 ms", a_row("one_row", 3, "ms")),
        Aim("one row at a time, hidden 1500", "6 ms", a_row("one_row_1500", 6, "ms")),
        Aim("effects", "28 000 rows/s of fitting", at_full_size(at_least("engagement_effects", 28_000))),
        Aim("trees", "1 700 rows/s", at_full_size(at_least("engagement_trees", 1_700))),
        Aim("token sketches", "5 000 tweets/s with the demo encoder", at_least("token_sketches", 5000)),
        Aim("token sketches", "120 tweets/s with the real size", at_least("token_sketches_768", 120)),
        Aim("loading the definitions", "2.5 s", seconds("load_definitions", 2.5)),
        Aim("a run with nothing to do", "20 s", seconds("run_again", 20)),
    ]


def outcomes(results: Results) -> list[tuple[Aim, Outcome]]:
    """Of the aims for which enough was measured."""
    found = []
    for aim in aims():
        try:
            found.append((aim, aim.judge(results)))
        except KeyError:
            continue
    return found
