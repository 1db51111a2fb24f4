"""Raw parts with mutated lines: the fast reader and the plain one agree, and every line is accounted for."""

import gzip
import random
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

from engage_pipeline.errors import UserError
from engage_pipeline_tests.fuzzing.splices import Splice, random_splices, spliced
from engage_pipeline_tests.ingest.parsing.slow_reader import LabelsInTestPartError, read_slowly, truth_columns
from engage_pipeline_tests.ingest.test_part_ingest import assert_equal, ingest
from engage_pipeline_tests.samples import GOLDEN

LINES_A_PART = 400
REFUSED = r"is empty|lines have|is an interaction|has labels|is .*, not text|a line of more than|are 0 or 1"


@cache
def good_lines(labelled: bool) -> list[bytes]:
    """Lines of a part that the reference itself read."""
    path = GOLDEN / ("train" if labelled else "test") / "part-00000.gz"
    return gzip.decompress(path.read_bytes()).removesuffix(b"\n").split(b"\n")


def mutated_part(chosen: Sequence[int], edits: Sequence[Sequence[Splice]], *, labelled: bool) -> bytes:
    """The good lines `chosen`, each after its splices; lines without any are good."""
    good = good_lines(labelled)
    lines = [spliced(good[place % len(good)], edit) for place, edit in zip(chosen, edits, strict=True)]
    return b"\n".join(lines) + b"\n"


def check_part(folder: Path, content: bytes, *, labelled: bool) -> Counter[str]:
    """Reads the part; what became of its lines. Raises AssertionError where a line is lost or read otherwise than by
    the plain reader, and whatever else the reader raises."""
    try:
        slow = read_slowly(content, labelled=labelled)
    except LabelsInTestPartError:
        slow = None
    if slow is None or not slow.rows or truth_columns(slow.rows):
        with pytest.raises(UserError, match=REFUSED) as refused:
            ingest(folder, content, labelled=labelled, ingest={"max_rejected_share": 1})
        assert "\n" not in str(refused.value)
        return Counter(refused_parts=1)
    found = ingest(folder, content, labelled=labelled, ingest={"max_rejected_share": 1})
    assert_equal(found, slow, labelled=labelled)
    report = found[0]
    counts = Counter(lines=report.lines, good=report.rows, rejected=report.rejected, blank=report.blank, read_parts=1)
    return counts + Counter({f"rejected: {kind}": count for kind, count in report.reasons.items()})


def fuzz_parts(folder: Path, lines: int, seed: int) -> Counter[str]:
    """Reads parts with so many mutated lines in all, one in five of test parts, a good line beside every
    tenth and at the end, and half of the parts cut off."""
    rng = random.Random(seed)
    total: Counter[str] = Counter()
    while total["mutated lines"] < lines:
        labelled = rng.random() < 0.8
        count = min(LINES_A_PART, lines - total["mutated lines"])
        edits = [random_splices(rng) for _ in range(count)] + [[]] * (count // 10 + 1)
        rng.shuffle(edits)
        edits.append([])
        content = mutated_part([rng.randrange(3000) for _ in edits], edits, labelled=labelled)
        content = content[: -rng.choice((0, 0, rng.randrange(1, 15), rng.randrange(1, len(content)))) or None]
        total += check_part(folder, content, labelled=labelled)
        total["mutated lines"] += count
    return total
