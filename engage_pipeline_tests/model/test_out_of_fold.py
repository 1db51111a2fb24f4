"""Out-of-fold logits on disk, and the rows that two models have."""

from pathlib import Path

import numpy as np
import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.model.out_of_fold import OUT_OF_FOLD, OutOfFold, of_rows_in_both

LOGITS = np.arange(12, dtype=np.float32).reshape(3, 4)


def test_what_is_written_is_read_in_the_order_of_the_rows(tmp_path: Path) -> None:
    OutOfFold.of(np.array([9, 2, 5]), LOGITS).write(tmp_path)
    found = OutOfFold.read(tmp_path)
    assert found.rows.tolist() == [2, 5, 9]
    assert found.logits.tolist() == LOGITS[[1, 2, 0]].tolist()
    assert found.logits.dtype == np.float32


def test_the_rows_of_both(tmp_path: Path) -> None:
    first, second = OutOfFold(np.array([2, 5, 9]), LOGITS), OutOfFold(np.array([1, 5, 9]), -LOGITS)
    rows, mine, others = of_rows_in_both(first, second)
    assert rows.tolist() == [5, 9]
    assert mine.tolist() == LOGITS[1:].tolist()
    assert others.tolist() == (-LOGITS[1:]).tolist()


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / OUT_OF_FOLD).write_text("no parquet")
    with pytest.raises(UserError, match=r"out_of_fold\.parquet: no out-of-fold logits"):
        OutOfFold.read(tmp_path)
