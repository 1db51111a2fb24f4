"""The engine: SELECTs of the package over named Parquet inputs, closed to the rest of the file system."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engage_pipeline.engines.duckdb import DuckDBEngine
from engage_pipeline.errors import UserError
from engage_pipeline.settings.settings import Settings
from engage_pipeline_tests.samples import tiny_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "data").mkdir()
    return tiny_settings(tmp_path / "data")


def test_parquet_files_are_read_under_a_name(settings: Settings) -> None:
    paths = [settings.working_dir / f"{index}.parquet" for index in range(2)]
    for index, path in enumerate(paths):
        pq.write_table(pa.table({"x": [index]}), path)
    with DuckDBEngine(settings) as engine:
        engine.read("numbers", paths)
        assert engine.connection.execute("SELECT sum(x) FROM numbers").fetchall() == [(1,)]


@pytest.mark.parametrize("name", ["w[ab]", "w*", "w?", "[", "{a,b}", "w\\x"])
def test_a_folder_named_like_a_pattern_is_that_folder(tmp_path: Path, name: str) -> None:
    """The others have a file of the same name, which DuckDB would take in its place or beside it."""
    for number, folder in enumerate((name, "wa", "wb", "wx", "a", "b")):
        (tmp_path / folder).mkdir()
        pq.write_table(pa.table({"x": [number]}), tmp_path / folder / "x.parquet")
    with DuckDBEngine(tiny_settings(tmp_path / name)) as engine:
        engine.read("numbers", [tmp_path / name / "x.parquet"])
        assert engine.connection.execute("SELECT x FROM numbers").fetchall() == [(0,)]


def test_a_path_that_duckdb_can_not_be_told_is_refused(tmp_path: Path) -> None:
    (tmp_path / "w\\[a]").mkdir()
    with pytest.raises(UserError, match="backslash"):
        DuckDBEngine(tiny_settings(tmp_path / "w\\[a]"))


@pytest.mark.parametrize(
    "attack",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "COPY (SELECT 1) TO '/tmp/engage-escape.csv'",
        "ATTACH '/tmp/engage-escape.duckdb'",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SELECT * FROM read_csv('http://127.0.0.1:9/x')",
        "SELECT * FROM 's3://bucket/x.parquet'",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM read_blob('/proc/self/environ')",
        "EXPORT DATABASE '/tmp/engage-escape'",
        "SET temp_directory = '/tmp'",
        "RESET lock_configuration",
        "CREATE SECRET (TYPE S3)",
        "SELECT getenv('HOME')",
    ],
)
def test_nothing_outside_the_working_directory_can_be_reached(settings: Settings, attack: str) -> None:
    with DuckDBEngine(settings) as engine, pytest.raises(duckdb.Error):
        engine.connection.execute(attack)


@pytest.mark.parametrize("way", ["../outside", "link"])
def test_neither_dots_nor_a_link_lead_out_of_it(settings: Settings, way: str) -> None:
    outside = settings.working_dir.parent / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("secret")
    (settings.working_dir / "link").symlink_to(outside)
    path = f"{settings.working_dir}/{way}"
    with DuckDBEngine(settings) as engine:
        for attack in ("SELECT * FROM read_text($path)", "COPY (SELECT 1) TO $path"):
            with pytest.raises(duckdb.PermissionException, match="Cannot access file"):
                engine.connection.execute(attack, {"path": f"{path}/secret.txt"})
    assert (outside / "secret.txt").read_text() == "secret"
    assert [path.name for path in outside.iterdir()] == ["secret.txt"]


def test_a_name_that_is_none_is_refused(settings: Settings) -> None:
    with DuckDBEngine(settings) as engine, pytest.raises(ValueError, match="does not name a table"):
        engine.number('x" AS SELECT 1; --', "interactions/follower_authors.sql")
