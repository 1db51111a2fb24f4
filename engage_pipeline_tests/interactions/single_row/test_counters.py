"""The numbers of ids in memory, against a dictionary."""

import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from engage_pipeline.interactions.single_row.counters import Numbers

# Ids that begin alike, that end in zeros, and whose UTF-16 and UTF-8 orders differ.
LETTERS = st.sampled_from(["a", "b", "\0", "Ä", "\uffee", "\U0001f600"])
IDS = st.lists(st.text(LETTERS, max_size=4) | st.text(LETTERS, max_size=3).map("01234567".__add__), max_size=30)


@given(IDS, IDS)
def test_an_id_has_the_number_of_its_row_and_others_none(known: list[str], asked: list[str]) -> None:
    ids = sorted(set(known), key=str.encode)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "numbers.parquet")
        pq.write_table(pa.table({"id": pa.array(ids, pa.string())}), path)
        numbers = Numbers(path)
    expected = {identity: row + 1 for row, identity in enumerate(ids)}
    assert numbers.of(None) is None
    for identity in [*ids, *asked]:
        assert numbers.of(identity) == expected.get(identity)
