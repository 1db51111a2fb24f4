"""What a service takes that holds a `Predictor`: time to open it, time of rows, resident memory.

    taskset -c 0 python -m engage_pipeline_tests.benchmarks.service --config config.yaml --part data/raw/test/part-00000

It opens the published model of a finished run, in this process, which has imported nothing before. The rows are the
first ones of a raw text part.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

ROWS, WARM_UP, REPEATED = 1000, 20, 5
_MIB = 1024
"""KiB, the unit of /proc."""


@dataclass(frozen=True)
class ServiceFigures:
    """Seconds to open with imports; milliseconds of one row (median, 95th percentile) and of `rows` at once (median).

    `opened_mib` and `served_mib` are resident after opening and after all rows, `mapped_mib` of the last is of files.
    """

    rows: int
    opening: float
    median: float
    p95: float
    together: float
    opened_mib: int
    served_mib: int
    mapped_mib: int

    def to_markdown(self) -> str:
        """The figures as a table."""
        lines = [
            ("opening, with imports", f"{self.opening:.1f} s"),
            ("one row, median", f"{self.median:.1f} ms"),
            ("one row, 95th percentile", f"{self.p95:.1f} ms"),
            (f"{self.rows:,} rows at once", f"{self.together:,.0f} ms, {self.together / self.rows:.2f} ms a row"),
            ("resident memory after opening", f"{self.opened_mib:,} MiB"),
            ("resident memory after the rows", f"{self.served_mib:,} MiB, {self.mapped_mib:,} of it mapped files"),
        ]
        return "\n".join(["| what | measured |", "|---|--:|", *(f"| {name} | {value} |" for name, value in lines)])


def measure(config: Path, part: Path, threads: int) -> ServiceFigures:
    """Opens a Predictor and asks it for the first rows of `part`, one after the other, then at once."""
    started = time.perf_counter()
    from engage_pipeline import Predictor, load_settings

    predictor = Predictor.open(load_settings(config), threads=threads)
    opening, opened = time.perf_counter() - started, _resident("VmRSS")
    with part.open("rb") as file:
        lines = list(islice(file, ROWS))
    for line in lines[:WARM_UP]:
        predictor.predict(line)
    single = sorted(_milliseconds(lambda line=line: predictor.predict(line)) for line in lines)
    together = sorted(_milliseconds(lambda: predictor.predict_many(lines)) for _ in range(REPEATED))
    return ServiceFigures(
        rows=len(lines),
        opening=opening,
        median=single[len(single) // 2],
        p95=single[len(single) * 95 // 100],
        together=together[REPEATED // 2],
        opened_mib=opened,
        served_mib=_resident("VmRSS"),
        mapped_mib=_resident("RssFile"),
    )


def _milliseconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - started)


def _resident(name: str) -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split(f"{name}:")[1].split()[0]) // _MIB


def main(arguments: Sequence[str]) -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(prog="python -m engage_pipeline_tests.benchmarks.service", description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("config.yaml"), help="settings file [default: %(default)s]")
    parser.add_argument("--part", type=Path, required=True, help="raw part, text without compression")
    parser.add_argument("--threads", type=int, default=1, help="threads of every library [default: %(default)s]")
    options = parser.parse_args(arguments)
    print(measure(options.config, options.part, options.threads).to_markdown())


if __name__ == "__main__":
    main(sys.argv[1:])
