"""Runs the campaign and prints its table."""

import argparse
import sys
import tempfile
from pathlib import Path

from engage_pipeline_tests.mutants.areas import MUTATIONS
from engage_pipeline_tests.mutants.campaign import Campaign
from engage_pipeline_tests.mutants.fresh_pytest import preload_libraries
from engage_pipeline_tests.mutants.outcomes import Record, passed, table

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """The mutations asked for; 0 where enough of them are killed."""
    parser = argparse.ArgumentParser(prog="python -m engage_pipeline_tests.mutants", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", default=[""], metavar="TEXT", help="those whose area, file or texts contain one of them"
    )
    parser.add_argument("--jobs", type=int, default=1, help="how many at a time")
    parser.add_argument("--list", action="store_true", help="print them, run nothing")
    parser.add_argument("--record", type=Path, default=ROOT / "data/mutants.jsonl", help="file of the outcomes")
    parser.add_argument("--anew", action="store_true", help="forget the outcomes of an earlier campaign")
    chosen = parser.parse_args()
    named = {one: f"{one.area} {one.file} {one.old} {one.new}" for one in MUTATIONS}
    mutations = list(dict.fromkeys(one for text in chosen.only for one in named if text in named[one]))
    if not mutations:
        parser.error(f"no mutation has {' or '.join(map(repr, chosen.only))} in it")
    if chosen.list:
        print("\n".join(f"{one.area}: {one.title}" for one in mutations))
        return 0
    if chosen.anew:
        chosen.record.unlink(missing_ok=True)
    preload_libraries()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        outcomes = Campaign(ROOT, Record(chosen.record), Path(folder)).run(mutations, chosen.jobs)
    print(table(mutations, outcomes))
    return 0 if passed(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
