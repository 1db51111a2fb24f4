"""Runs the campaigns and prints their figures."""

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from engage_pipeline_tests.fuzzing.manifests import fuzz_manifests
from engage_pipeline_tests.fuzzing.parts import fuzz_parts
from engage_pipeline_tests.fuzzing.results_files import fuzz_results
from engage_pipeline_tests.fuzzing.settings_files import fuzz_settings

LINES_A_FILE = 10
"""As many mutated lines as one mutated file of another kind counts for: those are shorter, and each is one input."""
CAMPAIGNS: dict[str, Callable[[Path, int, int], Counter[str]]] = {
    "parts": fuzz_parts,
    "settings": lambda folder, lines, seed: fuzz_settings(folder, lines // LINES_A_FILE, seed),
    "results": lambda folder, lines, seed: fuzz_results(folder, lines // LINES_A_FILE, seed),
    "manifests": lambda folder, lines, seed: fuzz_manifests(folder, lines // LINES_A_FILE, seed),
}


def main() -> None:
    """The campaigns asked for, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m engage_pipeline_tests.fuzzing", description=__doc__)
    parser.add_argument("campaigns", nargs="*", help=", ".join(CAMPAIGNS))
    parser.add_argument(
        "--lines", type=int, default=100_000, help="mutated lines; of other files a tenth as many files"
    )
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    if unknown := set(chosen.campaigns) - CAMPAIGNS.keys():
        parser.error(f"no campaign {sorted(unknown)[0]}; there are {', '.join(CAMPAIGNS)}")
    for name in chosen.campaigns or CAMPAIGNS:
        with tempfile.TemporaryDirectory() as folder:
            started = time.monotonic()
            found = CAMPAIGNS[name](Path(folder), chosen.lines, chosen.seed)
            figures = ", ".join(f"{count:,} {what}" for what, count in found.items())
            print(f"{name} (seed {chosen.seed}, {time.monotonic() - started:.0f} s): {figures}", flush=True)


if __name__ == "__main__":
    main()
