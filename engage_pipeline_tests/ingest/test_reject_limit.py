"""A part with too many bad lines is given up as soon as that is sure, in memory that does not grow with them."""

import gzip
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engage_pipeline.errors import UserError
from engage_pipeline.ingest import reject_limit
from engage_pipeline.ingest.parsing.lines import count_lines
from engage_pipeline.ingest.reject_limit import MANY, RejectLimit, TooManyRejectsError
from engage_pipeline_tests.ingest.test_part_ingest import GOOD, GOOD_TEST, ingest, line_of

BAD = line_of(like_timestamp=b"soon")


@given(content=st.lists(st.sampled_from([b"\n", b"a", b"\r\n", b"\x01" * 3, b"bc"]), min_size=1).map(b"".join))
def test_lines_are_counted_by_their_ends(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    part = tmp_path_factory.mktemp("lines") / "part-00000"
    part.write_bytes(content)
    assert count_lines(part) == len(content.removesuffix(b"\n").split(b"\n"))


@given(
    share=st.sampled_from([0.0, 0.01, 0.1, 0.5, 1.0]),
    lines=st.lists(st.booleans(), min_size=1, max_size=60),
    many=st.integers(1, 8),
)
def test_it_raises_for_the_parts_whose_share_is_exceeded_and_no_others(
    tmp_path_factory: pytest.TempPathFactory, share: float, lines: list[bool], many: int
) -> None:
    part = tmp_path_factory.mktemp("limit") / "part-00000"
    part.write_bytes(b"x\n" * len(lines))
    allowed = share * len(lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reject_limit, "MANY", many)
        limit = RejectLimit(part, share)
    stopped = None
    for rejected in range(1, sum(lines) + 1):
        try:
            limit.check(rejected)
        except TooManyRejectsError:
            stopped = rejected
            break
    if stopped is None:
        assert sum(lines) <= max(allowed, many - 1)
    else:
        assert stopped > allowed
        assert stopped == max(int(allowed) + 1, many)


@pytest.mark.parametrize(("order", "bad"), [("line", BAD), ("day", b"torn"), ("day", BAD)])
def test_reading_ends_where_the_share_can_no_longer_hold(tmp_path: Path, order: str, bad: bytes) -> None:
    lines = [GOOD] + [bad] * (2 * MANY) + [GOOD] * MANY
    (tmp_path / "part-00000.gz").write_bytes(gzip.compress(b"\n".join(lines)))
    with pytest.raises(UserError) as raised:
        ingest(tmp_path, tmp_path / "part-00000.gz", order=order, ingest={"max_rejected_share": 0.4})
    # 0.4 of 30 001 lines are 12 000.4: the next one ends it
    assert "at least 12,001 of 30,001 lines can't be read" in str(raised.value)
    assert "the first is line 1 (from 0)" in str(raised.value)


def test_bad_lines_at_the_start_of_a_part_with_enough_good_ones_do_not_end_it(tmp_path: Path) -> None:
    lines = [BAD] * (MANY + 5) + [GOOD] * (MANY + 5)
    report, tweets, rejects = ingest(tmp_path, b"\n".join(lines), ingest={"max_rejected_share": 0.5})
    assert (report.rows, report.rejected) == (MANY + 5, MANY + 5)
    assert rejects["line_number"].to_pylist() == list(range(MANY + 5))
    assert tweets["line_number"].to_pylist() == list(range(MANY + 5, 2 * MANY + 10))


def test_a_damaged_archive_is_told_of_as_such(tmp_path: Path) -> None:
    archive = gzip.compress(b"\n".join([BAD] * (2 * MANY)))
    (tmp_path / "part-00000.gz").write_bytes(archive[: len(archive) // 2])
    with pytest.raises(UserError, match=r"part-00000\.gz: damaged or truncated archive"):
        ingest(tmp_path, tmp_path / "part-00000.gz")


READ = """
import sys
from pathlib import Path
from engage_pipeline.errors import UserError
from engage_pipeline.ingest.part_ingest import ingest_part
from engage_pipeline_tests.samples import tiny_settings
part = Path(sys.argv[1])
folder = part.parent / ("read-" + part.name)
folder.mkdir()
settings = tiny_settings(folder / "work")
try:
    ingest_part(part, tweets=folder / "tweets.parquet", rejects=folder / "rejects.parquet", settings=settings,
                labelled=False, order="line", kept=folder / "kept.parquet")
except UserError as error:
    assert "can't be read" in str(error), error
# of this program's memory alone: ru_maxrss keeps what its parent had when it forked
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def peak_kib(folder: Path, lines: int, bad: bytes) -> int:
    """Peak resident memory of a process that reads so many bad lines from a small archive."""
    part = folder / f"part-{lines}.zst"
    packed = subprocess.run(["zstd", "-q", "-c"], input=(bad + b"\n") * lines, capture_output=True, check=True).stdout
    part.write_bytes(packed)
    command = [sys.executable, "-c", READ, str(part)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.long
def test_a_small_archive_of_bad_lines_takes_no_more_memory_the_more_they_are(tmp_path: Path) -> None:
    bad = GOOD_TEST.replace(b"1400000000", b"x")
    few, many = peak_kib(tmp_path, 100_000, bad), peak_kib(tmp_path, 2_000_000, bad)
    assert (tmp_path / "part-2000000.zst").stat().st_size < 100_000
    print(f"peak MiB: {few / 1024:.0f} for 100 000 bad lines, {many / 1024:.0f} for 2 000 000")
    assert many < 1.2 * few
