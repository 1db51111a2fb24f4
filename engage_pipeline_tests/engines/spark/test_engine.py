"""Both engines mean the same by each method, reach the same files, and leave nothing behind."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engage_pipeline.engines.duckdb import DuckDBEngine
from engage_pipeline.engines.engine import Engine
from engage_pipeline.engines.opening import open_engine
from engage_pipeline.engines.spark.engine import SparkEngine
from engage_pipeline.errors import UserError
from engage_pipeline.ingest.part_publishing import publish_parts
from engage_pipeline.machine.spill import remove_spilled, spill_folder
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.manifests import Manifest
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline.synthetic import synthesize
from engage_pipeline_tests.engines.spark.helpers import spark_settings
from engage_pipeline_tests.samples import tiny_settings

pytestmark = pytest.mark.long

AUTHORS = "interactions/follower_authors.sql"
IN_ORDER = "interactions/follower_ids.sql"


def settings_of(kind: str, folder: Path) -> Settings:
    # Spark takes some of this for a pattern, and URLs take some for an escape.
    odd = folder / "a b[1] {x,y} 50%20 Ä"
    odd.mkdir(exist_ok=True)
    if kind == "duckdb":
        return tiny_settings(odd)
    spill = folder / "spill [1] {x} 50%20 Ä"  # no comma, see test_session
    settings = spark_settings(odd)
    return settings.model_copy(update={"engine": settings.engine.model_copy(update={"temp_directory": spill})})


@pytest.fixture(params=["duckdb", "spark"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    return settings_of(request.param, tmp_path)


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    with open_engine(settings) as engine:
        yield engine


def table(path: Path, authors: list[int]) -> Path:
    """Follows of one viewer, as the rows of a table `followers`."""
    numbers = pa.array(authors, pa.int64())
    pq.write_table(pa.table({"author": numbers, "viewer": pa.array([1] * len(authors), pa.int64())}), path)
    return path


def tweets(path: Path, authors: list[int]) -> Path:
    """The same as the rows of a table `source`."""
    numbers, follows = pa.array(authors, pa.int64()), pa.array([True] * len(authors), pa.bool_())
    columns = {"engaged_with_user_id": numbers, "engaging_user_id": numbers, "engagee_follows_engager": follows}
    pq.write_table(pa.table(columns), path)
    return path


def authors(found: pa.Table) -> list[int]:
    """Those of what AUTHORS found, which come in any order."""
    return sorted(found["author"].to_pylist())


def test_the_kind_decides(tmp_path: Path) -> None:
    for kind, expected in (("duckdb", DuckDBEngine), ("spark", SparkEngine)):
        with open_engine(settings_of(kind, tmp_path)) as engine:
            assert isinstance(engine, expected)


@pytest.mark.parametrize(("way", "expected"), [("view", [3]), ("number", [1, 2])])
def test_a_view_is_computed_anew_and_a_table_is_not(
    engine: Engine, settings: Settings, way: str, expected: list[int]
) -> None:
    engine.read("source", [tweets(settings.working_dir / "1.parquet", [1, 2])])
    getattr(engine, way)("followers", "interactions/followers.sql")
    engine.read("source", [tweets(settings.working_dir / "2.parquet", [3])])
    assert authors(engine.fetch(AUTHORS)) == expected


@pytest.mark.parametrize("count", [0, 1, 5003])
def test_rows_are_numbered_from_0_and_keep_their_numbers(engine: Engine, settings: Settings, count: int) -> None:
    engine.read("source", [tweets(settings.working_dir / f"{i}.parquet", list(range(i, count, 3))) for i in range(3)])
    engine.view("followers", "interactions/followers.sql")
    for name in ("follower_authors", "follower_viewers"):
        engine.number(name, "interactions/followers.sql")  # from several tasks
    first, second = (engine.fetch("interactions/follower_edges.sql") for _ in range(2))
    for column in ("author", "viewer"):
        assert first[column].type == pa.int32()
        assert sorted(first[column].to_pylist()) == list(range(count))
    assert sorted(map(str, first.to_pylist())) == sorted(map(str, second.to_pylist()))


def test_files_whose_columns_differ_are_united(engine: Engine, settings: Settings) -> None:
    paths = [table(settings.working_dir / "1.parquet", [11]), settings.working_dir / "2.parquet"]
    pq.write_table(pa.table({"viewer": [2]}), paths[1])
    engine.read("followers", paths)
    found = engine.fetch(AUTHORS).to_pydict()
    assert found in [{"author": [11, None]}, {"author": [None, 11]}]


def test_rows_are_written_in_order_from_many_tasks(engine: Engine, settings: Settings) -> None:
    numbers = [number * 7919 % 5003 for number in range(5003)]
    paths = [settings.working_dir / f"{i}.parquet" for i in range(3)]
    for i, path in enumerate(paths):
        pq.write_table(pa.table({"author": numbers[i::3], "number": numbers[i::3]}), path)
    engine.read("follower_authors", paths)
    output = settings.working_dir / "out.parquet"
    assert engine.write(IN_ORDER, output) == 5003
    assert pq.read_table(output)["author"].to_pylist() == list(range(5003))
    assert pq.ParquetFile(output).metadata.row_group(0).column(0).compression == "ZSTD"


def test_no_rows_are_a_file_with_the_columns(engine: Engine, settings: Settings) -> None:
    engine.read("followers", [table(settings.working_dir / "1.parquet", [])])
    output = settings.working_dir / "out.parquet"
    assert engine.write(AUTHORS, output) == 0
    assert pq.read_schema(output).names == ["author"]
    assert authors(engine.fetch(AUTHORS)) == []


@pytest.mark.parametrize("way", ["read", "write"])
def test_nothing_outside_of_its_folders_is_reached(
    engine: Engine, settings: Settings, tmp_path: Path, way: str
) -> None:
    outside = table(tmp_path / "outside.parquet", [1])
    (settings.working_dir / "link").symlink_to(tmp_path)
    engine.read("followers", [table(settings.working_dir / "1.parquet", [1])])
    before = outside.read_bytes()
    for path in (
        outside,
        settings.working_dir / ".." / "outside.parquet",
        settings.working_dir / "link" / "outside.parquet",
    ):
        with pytest.raises(Exception, match=r"outside of what|Cannot access file") as caught:
            if way == "read":
                engine.read("other", [path])
            else:
                engine.write(AUTHORS, path)
        assert not isinstance(caught.value, UserError)
    assert outside.read_bytes() == before


def test_a_folder_that_is_readable_is(settings: Settings, tmp_path: Path) -> None:
    path = table(tmp_path / "outside.parquet", [4])
    with open_engine(settings, readable=[tmp_path]) as engine:
        engine.read("followers", [path])
        assert authors(engine.fetch(AUTHORS)) == [4]


@pytest.mark.parametrize("name", ['x" AS SELECT 1; --', "x` AS SELECT 1; --", "", "a b"])
def test_a_name_that_is_none_is_refused(engine: Engine, settings: Settings, name: str) -> None:
    path = table(settings.working_dir / "1.parquet", [1])
    engine.read("followers", [path])
    with pytest.raises(ValueError, match="does not name a table"):
        engine.read(name, [path])
    with pytest.raises(ValueError, match="does not name a table"):
        engine.number(name, AUTHORS)
    with pytest.raises(ValueError, match="does not name a table"):
        engine.view(name, AUTHORS)


def test_engines_do_not_see_each_other(settings: Settings) -> None:
    path = table(settings.working_dir / "1.parquet", [1])
    with open_engine(settings) as one, open_engine(settings) as other:
        one.read("followers", [path])
        with pytest.raises(Exception, match="followers"):
            other.fetch(AUTHORS)


def test_spark_reads_no_file_by_its_path(tmp_path: Path) -> None:
    settings = settings_of("spark", tmp_path)
    path = table(settings.working_dir / "1.parquet", [1])
    with SparkEngine(settings) as engine, pytest.raises(Exception, match="TABLE_OR_VIEW_NOT_FOUND"):
        engine._session.sql(f"SELECT * FROM parquet.`{path}`")  # noqa: S608


def test_the_tables_of_spark_go_with_it_and_those_of_a_killed_one_when_asked(tmp_path: Path) -> None:
    settings = settings_of("spark", tmp_path)
    spill = spill_folder(settings)
    with SparkEngine(settings) as engine:
        engine.read("followers", [table(settings.working_dir / "1.parquet", [1])])
        engine.number("kept", AUTHORS)
        (held,) = {path.parents[1] for path in spill.rglob("*.parquet")}
        killed = held.with_name("spark_temp_killed")
        killed.mkdir()
        (killed / ".lock").touch()
        (killed / "rows.parquet").write_bytes(b"rows")
        remove_spilled(settings)
        assert not killed.exists()
        assert authors(engine.fetch(AUTHORS)) == [1]
        assert list(held.rglob("*.parquet"))
    assert not held.exists()


def test_another_master_than_that_of_the_process_is_one_clear_line(tmp_path: Path) -> None:
    with SparkEngine(spark_settings(tmp_path)):
        pass
    other = spark_settings(tmp_path, engine={"kind": "spark", "spark_master": "local[1]"})
    with pytest.raises(UserError, match=r"^engine.spark_master = local\[1\]: this process runs on local\[2\] already$"):
        SparkEngine(other)


def test_each_thread_of_the_process_gets_an_engine(tmp_path: Path) -> None:
    settings = settings_of("spark", tmp_path)

    def read(number: int) -> list[int]:
        with SparkEngine(settings) as engine:
            engine.read("followers", [table(settings.working_dir / f"{number}.parquet", [number])])
            return authors(engine.fetch(AUTHORS))

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(read, range(3))) == [[0], [1], [2]]


def test_a_bad_part_does_not_hold_the_others_up(tmp_path: Path) -> None:
    synthesize(tmp_path / "raw", rows=300, users=40, parts=2, seed=5)
    store = ArtifactStore(spark_settings(tmp_path / "data", recsys_data=str(tmp_path / "raw" / "train")))
    (tmp_path / "raw" / "train" / "part-00002").write_bytes(b"nothing of the kind\n")
    results = publish_parts(store, ["part-00000", "part-00001", "part-00002", "part-00003"])
    for part in ("part-00000", "part-00001"):
        made = results[part]
        assert isinstance(made, Manifest)
        assert made.key == part
    for part, problem in (("part-00002", "part-00002"), ("part-00003", "no part part-00003 among the parts")):
        assert isinstance(results[part], UserError)
        assert problem in str(results[part])
