"""The 65 features and the similarity scores equal those that the reference computed."""

import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline.interactions.counters.counting import count_training, count_validation
from engage_pipeline.interactions.features.writing import write_features
from engage_pipeline.interactions.graphs.edges import write_edges
from engage_pipeline.interactions.graphs.similarity import similar_authors
from engage_pipeline_tests.interactions.typed_parts import read_part, write_typed
from engage_pipeline_tests.samples import GOLDEN, tiny_settings

_RENAMED = (
    (r"^v_pair_reverse_", "valid_reverse_pair_"),
    (r"^v_author_reverse_", "valid_viewer_as_author_"),
    (r"^v_user_reverse_", "valid_author_as_viewer_"),
    (r"^v_neg_user$", "valid_viewer_negative"),
    (r"^v_neg_(\w+)$", r"valid_\1_negative"),
    (r"^v_", "valid_"),
    (r"user_lang_", "language_"),
    (r"user_hashtag_", "hashtag_"),
    (r"^(valid_)?user_", r"\1viewer_"),
    (r"^similar_score_sum$", "similar_jaccard_sum"),
)


def golden_name(column: str) -> str:
    """The name in schema.py of a column of the golden files."""
    for pattern, name in _RENAMED:
        column = re.sub(pattern, name, column)
    return column


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pa.Table]:
    """Feature tables of the first training part and of the validation part, under the golden split and graph."""
    folder = tmp_path_factory.mktemp("golden")
    settings = tiny_settings(folder)
    parts = [
        write_typed(read_part(GOLDEN / "train" / f"part-0000{i}.gz"), folder / f"train{i}.parquet") for i in range(2)
    ]
    validation = write_typed(_validation_rows(), folder / "validation.parquet")
    training_counts, validation_counts = folder / "training", folder / "validation"
    training_counts.mkdir()
    validation_counts.mkdir()
    count_training(parts, training_counts, settings)
    count_validation([validation], validation_counts, settings)
    write_edges(pq.read_table(GOLDEN / "similar_authors.parquet"), folder)
    tables = {}
    for kind, tweets in (("training", parts[0]), ("validation", validation)):
        write_features(
            tweets,
            folder / f"{kind}_features.parquet",
            kind=kind,
            training_counts=training_counts,
            similarity=folder,
            validation_counts=validation_counts,
            settings=settings,
        )
        tables[kind] = pq.read_table(folder / f"{kind}_features.parquet")
    return tables


def _validation_rows() -> list[dict]:
    rows = read_part(GOLDEN / "validation" / "part-00000.gz")
    chunks = pq.read_table(GOLDEN / "finetune.parquet", columns=["line_number", "chunk"]).to_pydict()
    chunk_of = dict(zip(chunks["line_number"], chunks["chunk"], strict=True))
    holdout = set(json.loads((GOLDEN / "validation_lines.json").read_text())["holdout"])
    for row in rows:
        line = row[schema.LINE_NUMBER]
        assert (line in holdout) != (line in chunk_of)
        row[schema.SPLIT] = chunk_of.get(line, schema.HOLDOUT)
    return rows


@pytest.mark.parametrize(
    ("file", "kind", "rows"),
    [("train", "training", 3000), ("holdout", "validation", 181), ("finetune", "validation", 1641)],
)
def test_all_65_features_equal_the_golden_ones(features: dict[str, pa.Table], file: str, kind: str, rows: int) -> None:
    golden = pq.read_table(GOLDEN / f"{file}.parquet")
    golden = golden.rename_columns([golden_name(name) for name in golden.column_names])
    assert golden.num_rows == rows
    assert set(schema.INTERACTION_FEATURES) <= set(golden.column_names)
    table = features[kind].sort_by(schema.LINE_NUMBER)
    ours = table.take(pa.array(np.searchsorted(table[schema.LINE_NUMBER], golden[schema.LINE_NUMBER])))
    for name in schema.INTERACTION_FEATURES:
        tolerance = 1e-9 if name in schema.SIMILARITY_FEATURES else 0
        np.testing.assert_allclose(ours[name], golden[name], rtol=0, atol=tolerance, err_msg=name)


def test_similarity_scores_equal_the_golden_ones(tmp_path: Path) -> None:
    parts = [write_typed(read_part(GOLDEN / "train" / f"part-0000{i}.gz"), tmp_path / f"{i}.parquet") for i in range(2)]
    output = tmp_path / "similar_authors.parquet"
    facts = similar_authors(parts, output, top_n=10, threshold=0.1, settings=tiny_settings(tmp_path))
    ours, golden = (_scores(path) for path in (output, GOLDEN / "similar_authors.parquet"))
    assert facts["edges"] == sum(len(scores) for scores in golden.values())
    assert ours == golden


def _scores(path: Path) -> dict[str, list[float]]:
    scores: dict[str, list[float]] = {}
    for row in pq.read_table(path).to_pylist():
        scores.setdefault(row["author"], []).append(row["jaccard"])
    return {author: sorted(values) for author, values in scores.items()}
