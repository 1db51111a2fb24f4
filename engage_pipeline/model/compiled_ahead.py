"""Compiles all loops for numba ahead of the first run, as the build of an image does.

    python -m engage_pipeline.model.compiled_ahead

Counts the tokens of a tweet, sums its hidden states, reads a line of a part, hashes a text, looks for similar authors
and for counts, makes a small fit of the effects, three steps of TableAdamW, and a product of one row, so that types are
those of a run. What is compiled lies beside the source if that is writable (numerics.compilation).
"""

from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from engage_pipeline.ingest.parsing.plain_rows import PlainReader
from engage_pipeline.interactions.counters.look_ups import add_counts, add_nested, find_ids
from engage_pipeline.interactions.graphs.followers import Followers
from engage_pipeline.interactions.graphs.similarity import pairs_of
from engage_pipeline.interactions.shards.files import BUCKETS
from engage_pipeline.interactions.shards.grouping import COUNTS, Packing
from engage_pipeline.interactions.shards.similar_sums import EdgeTable, PairTable, add_similar
from engage_pipeline.interactions.shards.table_sums import sum_by_id
from engage_pipeline.language.state_sums import add_states
from engage_pipeline.language.token_weights import fit_columns
from engage_pipeline.model.effects import kernels
from engage_pipeline.model.effects.design import NO_SLOPES, WIDE_CODE
from engage_pipeline.model.effects.effects import EFFECTS
from engage_pipeline.model.effects.fields import EffectRows
from engage_pipeline.model.effects.fitting import Fit
from engage_pipeline.model.effects.marginals import marginal_logits
from engage_pipeline.model.effects.nesting import find_nested
from engage_pipeline.model.effects.numbering import build_design
from engage_pipeline.model.effects.openings import openings_of
from engage_pipeline.model.effects.rows import ROW
from engage_pipeline.model.effects.shards import Shards
from engage_pipeline.numerics.fingerprints import hashes
from engage_pipeline.schema import COLUMNS, FIELD_SEPARATOR

_ROWS = 200


def compile_ahead() -> None:
    """Calls each compiled loop with the types of a run."""
    openings_of(np.array([0, 2]), np.zeros(2, np.int32))
    count_tokens()
    sum_states()
    read_a_line()
    hash_a_text()
    look_for_similar()
    look_up_counts()
    with TemporaryDirectory() as folder:
        _fit(Path(folder))
    _step()
    _multiply()
    _sketch()


def count_tokens() -> None:
    """Counts those of one tweet, whose language is of a file or not."""
    language = np.zeros(1, np.int32)
    for writeable in (True, False):
        language.flags.writeable = writeable
        fit_columns(np.zeros(3, np.int32), np.array([3]), language, 1)


def sum_states() -> None:
    """Sums the hidden states of one tweet."""
    one = np.zeros(1, np.int64)
    add_states(np.zeros((1, 1, 1), np.float32), one[None], one, one, one, 1.0, 1.0, one[None])


def read_a_line() -> None:
    """Reads a line without values."""
    PlainReader(labelled=True).read(FIELD_SEPARATOR.encode() * (len(COLUMNS) - 1) + b"\n", 1)


def look_for_similar() -> None:
    """Looks for authors similar to one without followers."""
    one, starts, nobody = (_of_file(np.zeros(n, kind)) for n, kind in ((1, np.int64), (2, np.int64), (0, np.int32)))
    list(pairs_of(Followers(one, one, starts, nobody, one, nobody), 0, 1, 2, 0.1))


def hash_a_text() -> None:
    """Hashes one."""
    hashes(pa.array([""]))


def look_up_counts() -> None:
    """Counts one row without its fold, looks for an id and for the count of a pair, and for what a viewer did with
    authors similar to one, in 16 and in 32 bits."""
    zero, one, known, check = np.zeros(1, np.int64), np.ones(1, np.int32), np.ones(1, np.uint64), np.ones(1, np.uint16)
    words = Packing.of(1).of_labels
    sum_by_id(zero, check, zero.astype(np.int32), np.zeros(1, np.uint8), words, np.zeros((2, 2, len(words)), np.uint64))
    scores, ids = _of_file(zero), _of_file(known)
    table, nothing = np.zeros((1 + 1 + len(COUNTS), 1), np.uint64), np.zeros((len(COUNTS), 0), np.int32)
    rows, places, bounds = find_ids(table, BUCKETS, zero, known, check)
    add_counts(nothing, rows, places, bounds, table)
    add_nested(nothing, rows, places, bounds, known, table, table)
    for dtype in (np.uint16, np.uint32):
        counts = np.ones((len(COUNTS), 1), dtype)
        pairs = PairTable(one, known, np.array([0, 1]), zero, np.array([0, 1]), one, counts, counts)
        add_similar(pairs, EdgeTable(zero, scores, scores, ids, scores), one, np.zeros((1, 4), np.int64))


def _of_file(array: np.ndarray) -> np.ndarray:
    """Returns a copy that is like an array of a file that is mapped to memory."""
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def _fit(folder: Path) -> None:
    """Fits all effects to random rows."""
    rng = np.random.default_rng(1)
    records = np.zeros(_ROWS, ROW)
    for one in fields(EffectRows):
        records[one.name] = rng.integers(1, 5, _ROWS)
    records["facts"]["weight"], records["facts"]["labels"] = 1, rng.integers(0, 16, _ROWS)
    shards = Shards.empty(folder / "rows", 1, ROW)
    shards.add(records, np.zeros(_ROWS, np.int64))
    design, _ = build_design(shards, EFFECTS, folder / "design")
    nested = find_nested(design, EFFECTS, folder / "nested")
    deviations = [effect.deviation for effect in EFFECTS]
    fit = Fit.begin(design, lambda facts: np.asarray(facts["weight"]), nested, deviations, None)
    for more in (True, False):
        fit.sweep(more=more)
    for block in design.blocks():
        marginal_logits(*fit.scores(block), fit.coupling)
    codes, row, keys = np.zeros(1, WIDE_CODE), np.zeros((1, kernels.K), np.float32), np.zeros((1, 8), np.float32)
    kernels.add_keys(codes, NO_SLOPES, keys, row, row)
    kernels.move_rows(codes, NO_SLOPES, row, row, row)
    kernels.sum_rows(codes, NO_SLOPES, row, row, row, np.zeros((1, kernels.N_SUMS), np.float32))
    for dtype in (np.float32, np.float64):  # sums of many and of few cells
        sums, moves = np.zeros((1, kernels.N_SUMS), dtype), np.zeros((1, kernels.K), np.float32)
        kernels.sum_cells(np.zeros(1, np.int64), sums, moves, np.zeros((1, kernels.N_SUMS)))


def _step() -> None:
    """Trains a table of embeddings of words."""
    import torch

    from engage_pipeline.model.network.mean_of_words import MeanOfWords
    from engage_pipeline.model.network.table_adamw import TableAdamW

    table = MeanOfWords(8, 2)
    optimizer = TableAdamW(table, [table], 0.01, 0.1)
    for _ in range(3):
        table(torch.tensor([1, 2]), torch.tensor([0])).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    optimizer.settle()


def _multiply() -> None:
    """Multiplies one row by weights in bfloat16."""
    import torch

    from engage_pipeline.model.network.half_products import HalfLinear, HalfMemberLinear
    from engage_pipeline.model.network.member_linear import MemberLinear

    HalfLinear(torch.nn.Linear(1, 1).bfloat16())(torch.zeros(1, 1))
    HalfMemberLinear(MemberLinear(1, 1, 1).bfloat16())(torch.zeros(1, 1, 1))


def _sketch() -> None:
    """Sketches one tweet."""
    from engage_pipeline.model.network.tweet_sketch import write_sketches

    one = np.zeros(1, np.int32)
    write_sketches(one, np.ones(1, np.int64), one[np.newaxis].copy(), 1, np.zeros((1, 1), np.float32))


if __name__ == "__main__":
    compile_ahead()
