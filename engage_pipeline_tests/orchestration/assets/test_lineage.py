"""The lineage of columns is true: what is changed upstream changes the columns that name it, and no others."""

import re
import shutil
from collections.abc import Iterable
from itertools import combinations, count, zip_longest
from math import comb
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline.definitions import defs
from engage_pipeline.interactions.counters.counting import CHUNK_SCOPES, count_training, count_validation
from engage_pipeline.interactions.features.windows import Kind
from engage_pipeline.interactions.features.writing import write_features
from engage_pipeline.interactions.graphs.edges import write_edges
from engage_pipeline.interactions.graphs.similarity import SIMILAR_AUTHORS, similar_authors
from engage_pipeline.interactions.shards.grouping import COUNTS
from engage_pipeline.orchestration.assets.lineage import TWEETS, Lineage, column_lineage, in_words
from engage_pipeline.settings.families import FAMILY_NAMES
from engage_pipeline_tests.interactions.dense_rows import dense_rows
from engage_pipeline_tests.interactions.typed_parts import write_typed
from engage_pipeline_tests.samples import tiny_settings

KINDS: dict[str, Kind] = {
    "interaction_features": "training",
    "validation_features": "validation",
    "test_features": "test",
}
COUNTED_FROM = {
    "interaction_counts": "tweet_parts",
    "validation_counts": "validation_tweets",
    "author_similarity": "tweet_parts",
}


class World:
    """Tweets, counts and similarity of a tiny world as files, and what is made of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = tiny_settings(folder, features={"families": list(FAMILY_NAMES)})
        self.tweets = {
            "tweet_parts": write_typed(dense_rows(120, 1), folder / "training.parquet"),
            "validation_tweets": write_typed(dense_rows(90, 2, chunked=True), folder / "validation.parquet"),
            "test_tweets": write_typed(dense_rows(60, 3, labelled=False), folder / "test.parquet", labelled=False),
        }
        self.inputs = {name: folder / name for name in COUNTED_FROM}
        for name, tweets in COUNTED_FROM.items():
            self.count(name, self.tweets[tweets], self.inputs[name])

    def count(self, name: str, tweets: Path, output: Path) -> None:
        """Writes the tables of one of COUNTED_FROM into the folder `output`."""
        output.mkdir()
        if name == "author_similarity":
            path = output / "similar_authors.parquet"
            similar_authors([tweets], path, top_n=3, threshold=0.65, settings=self.settings)
        else:
            (count_training if name == "interaction_counts" else count_validation)([tweets], output, self.settings)

    def features(self, name: str, tweets: Path, inputs: dict[str, Path]) -> pa.Table:
        output = self.folder / "features.parquet"
        write_features(
            tweets,
            output,
            kind=KINDS[name],
            training_counts=inputs["interaction_counts"],
            similarity=inputs["author_similarity"],
            validation_counts=inputs["validation_counts"],
            settings=self.settings,
        )
        return pq.read_table(output).sort_by(schema.LINE_NUMBER)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


def redrawn(table: pa.Table, columns: Iterable[str]) -> pa.Table:
    """The table with the values of `columns` drawn anew from those that they have, each row for itself."""
    rng = np.random.default_rng(1)
    for name in columns:
        drawn = table[name].take(pa.array(rng.integers(0, table.num_rows, table.num_rows)))
        table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), drawn)
    return table


def changed(before: pa.Table, after: pa.Table) -> set[str]:
    assert before.column_names == after.column_names
    return {name for name in before.column_names if before[name].to_pylist() != after[name].to_pylist()}


def naming(lineage: Lineage, asset: str, columns: Iterable[str]) -> set[str]:
    """The columns that name one of `columns` of `asset`."""
    wanted = {(asset, column) for column in columns}
    return {column for column, sources in lineage.items() if wanted.intersection(sources)}


@pytest.mark.parametrize("name", TWEETS)
def test_a_changed_column_of_tweets_changes_the_features_that_name_it(world: World, name: str, tmp_path: Path) -> None:
    table = pq.read_table(world.tweets[TWEETS[name]])
    columns = [column for column in table.column_names if column != schema.LINE_NUMBER]
    # The features of a row depend on no other row: one file holds a copy of the rows for each changed column.
    copies = [table, *(redrawn(table, [column]) for column in columns)]
    lines = pa.array(range(len(copies) * len(table)), pa.int64())
    path = tmp_path / "tweets.parquet"
    pq.write_table(pa.concat_tables(copies).set_column(0, schema.LINE_NUMBER, lines), path)
    found = world.features(name, path, world.inputs).drop_columns([schema.LINE_NUMBER])
    before, *after = (found.slice(start, len(table)) for start in range(0, len(found), len(table)))
    for column, features in zip(columns, after, strict=True):
        assert changed(before, features) == naming(column_lineage(name), TWEETS[name], [column]), column


def read_table(path: Path) -> pa.Table:
    """A table of counts, or one of Parquet."""
    if path.suffix == ".parquet":
        return pq.read_table(path)
    with pa.OSFile(str(path)) as source:
        return pa.ipc.open_file(source).read_all()


def tables_in(folder: Path) -> list[Path]:
    """The tables that have a lineage; those of the edges hold the values of similar_authors.parquet again."""
    paths = [path for path in sorted(folder.iterdir()) if path.suffix in {".parquet", ".arrow"}]
    return [path for path in paths if "edge" not in path.name]


def table_name(path: Path) -> str:
    """Such as `pair` for `pair-0000.arrow`, and the same name for all chunks."""
    return re.sub(r"^chunk_\d+_", CHUNK_SCOPES, path.stem.partition("-")[0])


def disturbed(source: Path, output: Path, columns: set[str]) -> Path:
    """A copy of a folder of tables with `columns`, each `<table>.<column>`, changed in every row."""
    shutil.copytree(source, output)
    for path in tables_in(output):
        table = read_table(path)
        for place, field in enumerate(table.schema):
            if columns & {f"{table_name(path)}.{field.name}", field.name}:
                table = table.set_column(place, field, _other_values(table[field.name]))
        if path.suffix == ".parquet":
            pq.write_table(table, path)
        else:
            with pa.ipc.new_file(str(path), table.schema) as writer:
                writer.write_batch(table.combine_chunks().to_batches()[0])
    if (output / SIMILAR_AUTHORS).exists():
        write_edges(pq.read_table(output / SIMILAR_AUTHORS), output)
    return output


def _other_values(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_string(column.type):
        users = sorted(set(column.to_pylist()))
        return pa.chunked_array([[users[users.index(user) - 1] for user in column.to_pylist()]])
    if pa.types.is_floating(column.type):
        return pc.multiply(column, 0.5)
    if column.type == pa.uint8():  # the labels of a row, four bits
        return pa.chunked_array([pa.array(15 - column.to_numpy(), pa.uint8())])
    return pc.add(column, pa.array(np.arange(len(column)) % 3 + 1, column.type))


@pytest.mark.long
@pytest.mark.parametrize("name", TWEETS)
def test_a_changed_count_changes_the_features_that_name_it(world: World, name: str, tmp_path: Path) -> None:
    lineage, tweets = column_lineage(name), world.tweets[TWEETS[name]]
    before = world.features(name, tweets, world.inputs)
    counts = [few_groups(world.inputs[asset]) for asset in ("interaction_counts", "validation_counts")]
    cases = [(training, validation, set()) for training, validation in zip_longest(*counts, fillvalue=set())]
    cases += [(set(), set(), {column}) for column in ("similar", "jaccard", "rank")]
    for number, case in enumerate(cases):
        columns = dict(zip(("interaction_counts", "validation_counts", "author_similarity"), case, strict=True))
        inputs = {
            asset: disturbed(world.inputs[asset], tmp_path / f"{asset}-{number}", columns[asset]) for asset in columns
        }
        expected = set().union(*(naming(lineage, asset, columns[asset]) for asset in columns))
        assert changed(before, world.features(name, tweets, inputs)) == expected, columns


def few_groups(folder: Path) -> list[set[str]]:
    """The counts of all files of `folder` in a few groups, which tell every file and every count from the others."""
    columns = {*COUNTS, "labels", "fold"}
    files = {table_name(path): columns.intersection(read_table(path).column_names) for path in tables_in(folder)}
    files = {file: names for file, names in sorted(files.items()) if file != "days" and names}
    by_file = [{f"{file}.{name}" for file in group for name in files[file]} for group in in_groups(list(files))]
    by_name = [{f"{file}.{name}" for file in files for name in group} for group in in_groups(sorted(columns))]
    return by_file + by_name


def in_groups(values: list[str]) -> list[list[str]]:
    """`values` in as few groups as will do for each to be in two, and no two in the same."""
    size = next(size for size in count(2) if comb(size, 2) >= len(values))
    places = dict(zip(values, combinations(range(size), 2), strict=False))
    return [[value for value in values if group in places[value]] for group in range(size)]


@pytest.mark.parametrize("name", COUNTED_FROM)
def test_a_changed_column_of_tweets_changes_the_counts_that_name_it(world: World, name: str, tmp_path: Path) -> None:
    lineage, asset = column_lineage(name), COUNTED_FROM[name]
    table, before = pq.read_table(world.tweets[asset]), counted(world.inputs[name], lineage)
    named = sorted({column for sources in lineage.values() for other, column in sources if other == asset})
    others = [column for column in table.column_names if column not in {*named, schema.LINE_NUMBER}]
    for number, columns in enumerate([others, *([column] for column in named)]):
        path = tmp_path / f"{number}.parquet"
        pq.write_table(redrawn(table, columns), path)
        world.count(name, path, tmp_path / str(number))
        after = counted(tmp_path / str(number), lineage)
        assert {column for column in lineage if before[column] != after[column]} == naming(lineage, asset, columns)


def counted(folder: Path, lineage: Lineage) -> dict[str, list[Any]]:
    """The values of the columns that have a lineage, each with its key, if the table has keys."""
    values: dict[str, list[Any]] = {}
    for path in tables_in(folder):
        table = read_table(path)
        keys = [table[name].to_pylist() for name in ("hash", "value") if name in table.column_names]
        for name in table.column_names:
            column = name if name in lineage else f"{table_name(path)}.{name}"
            values[column] = values.get(column, []) + list(zip(*keys, table[name].to_pylist(), strict=True))
    return values


def specs() -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}


def columns_of(spec: dg.AssetSpec) -> dict[str, dg.TableColumn]:
    return {column.name: column for column in spec.metadata["dagster/column_schema"].columns}


def test_every_feature_has_a_lineage_of_columns_that_exist() -> None:
    found = specs()
    for name in (*TWEETS, *COUNTED_FROM):
        deps = found[name].metadata["dagster/column_lineage"].deps_by_column
        assert deps.keys() <= columns_of(found[name]).keys()
        if name in TWEETS:
            assert deps.keys() == columns_of(found[name]).keys()
        parents = {dep.asset_key.to_user_string() for dep in found[name].deps}
        for column, sources in deps.items():
            assert sources, column
            assert len(sources) == len(set(map(str, sources)))
            for source in sources:
                assert source.asset_key.to_user_string() in parents
                assert source.column_name in columns_of(found[source.asset_key.to_user_string()])


def test_the_tables_of_counts_have_the_columns_that_they_show(world: World) -> None:
    found = specs()
    for name, folder in world.inputs.items():
        real = {
            (field.name if name == "author_similarity" else f"{table_name(path)}.{field.name}"): str(field.type)
            for path in tables_in(folder)
            for field in read_table(path).schema
        }
        assert real == {column.name: column.type for column in columns_of(found[name]).values()}


def test_the_lineage_is_told_in_words_too() -> None:
    pair = columns_of(specs()["test_features"])["valid_pair_like"]
    assert pair.description == (
        "this viewer with this author: liked; every labelled row of the validation window · "
        "from test_tweets: engaged_with_user_id, engaging_user_id; validation_counts: labelled_pair.like"
    )
    assert in_words([("a", "x"), ("b", "y"), ("a", "z")]) == "from a: x, z; b: y"
