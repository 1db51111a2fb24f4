"""The parts' reader under libFuzzer, which keeps what reaches new code. Needs the extra `fuzz` (atheris).

    python -m engage_pipeline_tests.fuzzing.guided -max_total_time=600 [-seed=1] [corpus folder]

Python's code is instrumented, not the compiled loops, of which every run of parts.py reads many lines. Each input is a
whole file, held against the plain reader.
"""

import sys
import tempfile
from collections import Counter
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["engage_pipeline.ingest"]):
    from engage_pipeline.errors import UserError
    from engage_pipeline.ingest.parsing.lines import PartLines, read_lines
    from engage_pipeline.ingest.parsing.typed_rows import TypedRows
    from engage_pipeline.ingest.rejects import RejectWriter, read_rejects

import numpy as np

from engage_pipeline_tests.fuzzing.parts import good_lines
from engage_pipeline_tests.ingest.parsing.slow_reader import LabelsInTestPartError, read_slowly

SUFFIXES = ("", "", "", ".gz", ".zst")
FILES_BETWEEN_FIGURES = 1000
totals: Counter[str] = Counter()


def check(folder: Path, data: bytes) -> None:
    """Reads the content, whose first byte chooses the kind of part, and holds every line against the plain reader."""
    labelled, suffix = bool(data[0] & 1), SUFFIXES[data[0] // 2 % len(SUFFIXES)]
    content, part = data[1:], folder / f"part-00000{suffix}"
    part.write_bytes(content)
    totals["files"] += 1
    if totals["files"] % FILES_BETWEEN_FIGURES == 0:
        print(dict(totals), flush=True)
    try:
        with RejectWriter(folder / "rejects", part.name) as rejects:
            lines = PartLines(part)
            typed = TypedRows(part, labelled=labelled, split=None, rejects=rejects)
            kept = sum(map(len, typed.read(lines.blocks())))
        raw = list(read_lines(part, np.arange(lines.lines)))
    except UserError as error:
        assert str(error).isprintable()
        totals["refused files"] += 1
        return
    if suffix:
        totals["archives read"] += 1
        return
    found = sorted((reject.line, reject.kind, reject.raw) for reject in read_rejects(folder / "rejects"))
    assert kept + len(found) + typed.blank == lines.lines == len(raw)
    for name, count in (("lines", lines.lines), ("rejected", len(found)), ("blank", typed.blank)):
        totals[name] += count
    try:
        slow = read_slowly(content, labelled=labelled)
    except LabelsInTestPartError:
        raise AssertionError("labels came in") from None
    assert (typed.blank, lines.lines, kept) == (slow.blank, slow.lines, len(slow.rows))
    assert found == slow.rejects


def seeds(folder: Path) -> None:
    """A corpus to begin with: a few good lines of each kind."""
    for labelled in (False, True):
        for count in (1, 3):
            content = b"\n".join(line[:400] for line in good_lines(labelled)[:count])
            (folder / f"{labelled}-{count}").write_bytes(bytes([labelled]) + content + b"\n")
            short = b"\n".join([b"\x01" * (23 if labelled else 19)] * count)
            (folder / f"short-{labelled}-{count}").write_bytes(bytes([labelled]) + short)


def main() -> None:
    """Fuzzes until libFuzzer's options say stop, and ends the process."""
    with tempfile.TemporaryDirectory() as name:
        folder, corpus = Path(name, "work"), Path(name, "seeds")
        for made in (folder, corpus):
            made.mkdir()
        seeds(corpus)
        atheris.Setup([*sys.argv, str(corpus)], lambda data: check(folder, data) if data else None)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
