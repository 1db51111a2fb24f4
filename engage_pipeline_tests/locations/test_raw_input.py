"""Raw input in a bucket of a real S3 server: the same artifacts as from files, and what a network does to it."""

import gzip
import hashlib
import http.server
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from engage_pipeline.engines.duckdb import DuckDBEngine
from engage_pipeline.errors import StoreError, UserError
from engage_pipeline.files.atomic import identity, unchanged
from engage_pipeline.ingest import part_publishing
from engage_pipeline.ingest.deletions.forgetting import raw_files
from engage_pipeline.ingest.deletions.lists import read_deletions
from engage_pipeline.ingest.deletions.rows import DeletedRows
from engage_pipeline.locations import location
from engage_pipeline.locations.location import entries
from engage_pipeline.store.plan import raw_sources
from engage_pipeline.submission.explanation.explain import read_line
from engage_pipeline.submission.predict import predict
from engage_pipeline_tests import worlds
from engage_pipeline_tests.ingest.parsing.parquet_parts import typed
from engage_pipeline_tests.ingest.parsing.parquet_parts import write as write_parquet
from engage_pipeline_tests.locations.conftest import every_store
from engage_pipeline_tests.model.bundles import quiet_settings
from engage_pipeline_tests.object_store import Bucket, Network, forget_connections, object_path
from engage_pipeline_tests.orchestration.automation.test_parts_sensor import Watch, configure, line
from engage_pipeline_tests.programs import require_program
from engage_pipeline_tests.samples import GOLDEN
from engage_pipeline_tests.stores import SECRET, Store
from engage_pipeline_tests.submission.published import publish_golden_model
from engage_pipeline_tests.submission.scoring.test_report import raw_part, write_results
from engage_pipeline_tests.submission.scoring.test_report import world as labelled_world

INGESTED = ("tweet_parts", "validation_tweets", "test_tweets")
ENDINGS = ("", ".gz", ".zst", ".lzo", ".parquet")
ENGAGE = [sys.executable, "-c", "from engage_pipeline.cli import main; main()"]


def pack(folder: Path) -> None:
    """Gives each training part another format."""
    require_program("zstd", "lzop")
    first, second, third = sorted((folder / "train").iterdir())
    second.with_name("part-00001.gz").write_bytes(gzip.compress(second.read_bytes()))
    for command in (["zstd", "-q", "--rm", third], ["lzop", "-qU", folder / "validation" / "part-00000"]):
        subprocess.run(command, check=True)
    second.unlink()
    test = folder / "test" / "part-00000"
    write_parquet(typed(test.read_bytes()), test.with_name("part-00000.parquet"))
    test.unlink()
    deleted = first.read_bytes().splitlines()[7].split(b"\x01")[2]
    (folder / "deletions" / "tsv_deleted_user_id").mkdir(parents=True)
    (folder / "deletions" / "tweets.gz").write_bytes(gzip.compress(deleted + b"\n"))
    (folder / "deletions" / "tsv_deleted_user_id" / "part-00000").write_bytes(b"A" * 32 + b"\n")
    (folder / "deletions" / "README").write_bytes(b"what is deleted\n")


def places(folder: str) -> dict[str, Any]:
    """The settings of raw input below `folder`."""
    return {
        "recsys_data": f"{folder}/train",
        "validation_part": f"{folder}/validation/part-00000",
        "test_data": f"{folder}/test",
        "deletions": f"{folder}/deletions",
    }


def contents(config: Path) -> dict[str, Any]:
    """Version and files of every ingested part, by label."""
    store = worlds.store_of(config)
    found = [("tweet_parts", key) for key in store.parts()] + [(name, None) for name in INGESTED[1:]]
    versions = {f"{name} {key}": store.open(name, key).manifest for name, key in found}
    return {name: (manifest.version, manifest.files, manifest.rows) for name, manifest in versions.items()}


@pytest.mark.long
def test_artifacts_equal_those_of_files_byte_for_byte(bucket: Bucket, tmp_path: Path) -> None:
    files = worlds.make_world(tmp_path / "files")
    raw = tmp_path / "files" / "raw"
    pack(raw)
    worlds.write_config(files.parent, **places("raw"))
    (tmp_path / "objects").mkdir()
    shutil.copy(files.parent / "dagster.yaml", tmp_path / "objects")
    objects = worlds.write_config(tmp_path / "objects", **places(bucket.put_folder("own data/raw", raw)))
    for config in (files, objects):
        for name in INGESTED:
            worlds.run(config, name)
    assert len(contents(files)) == 5
    assert contents(objects) == contents(files)
    store = worlds.store_of(objects)
    assert raw_files(store)
    assert all(name.startswith(f"{bucket.uri}/own data/raw/") for name in raw_files(store))
    source = store.open("tweet_parts", "part-00001").manifest.sources[0]
    assert (source.folder, source.name) == (f"{bucket.uri}/own data/raw/train", "part-00001.gz")
    assert source.sha256 == worlds.store_of(files).open("tweet_parts", "part-00001").manifest.sources[0].sha256
    for name in INGESTED:
        assert worlds.run(objects, name) == []
    part = object_path(f"{bucket.uri}/own data/raw/train/part-00000")
    assert read_line(part, 7, store.settings) == (raw / "train" / "part-00000").read_bytes().splitlines()[7]


def small_world(bucket: Bucket, folder: Path, rows: int = 1) -> Path:
    """Two training parts in the bucket; returns a configuration that takes a part at once."""
    for name in ("part-00000", "part-00001"):
        bucket.put(f"train/{name}", content(name, rows))
    folder.mkdir(exist_ok=True)
    shutil.copy(worlds.REPOSITORY / "dagster.yaml", folder)
    return configure(folder, recsys_data=f"{bucket.uri}/train", deletions=f"{bucket.uri}/deletions")


def content(name: str, rows: int = 1, salt: str = "") -> bytes:
    """Lines of tweets that no other part has."""
    ids = [hashlib.sha256(f"{name} {row} {salt}".encode()).hexdigest()[:32].upper() for row in range(rows)]
    return "".join(f"{line(tweet_id)}\n" for tweet_id in ids).encode()


@pytest.mark.long
def test_the_sensor_sees_new_replaced_and_vanished_objects(bucket: Bucket, tmp_path: Path) -> None:
    watch = Watch(small_world(bucket, tmp_path))
    assert watch.execute(watch.tick()) == [True]
    assert watch.told() == "2 parts ingested"
    bucket.put("train/part-00002", content("part-00002"))
    bucket.put("train/part-00001", content("part-00001", rows=2))
    done = watch.tick()
    assert watch.requested(done) == [["part-00001", "part-00002"]]
    assert watch.execute(done) == [True]
    assert watch.told() == "3 parts ingested"
    bucket.remove("train/part-00000")
    assert watch.told() == "2 parts ingested, 1 vanished: part-00000"
    assert watch.ingested() == ["part-00001", "part-00002"]


@pytest.mark.long
def test_a_sensor_without_network_says_so_and_nothing_vanishes(
    bucket: Bucket, network: Network, tmp_path: Path
) -> None:
    watch = Watch(small_world(bucket, tmp_path))
    assert watch.execute(watch.tick()) == [True]
    network.cut_after(0)
    forget_connections()
    assert "/train: AWS Error NETWORK_CONNECTION" in watch.told()
    network.mend()
    forget_connections()
    assert watch.told() == "2 parts ingested"


def publish(config: Path, key: str) -> int | None:
    store = worlds.store_of(config)
    deletions = read_deletions(store.settings.deletions)
    return part_publishing.publish_part(store, deletions, key).rows


@every_store
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_part_of_each_format_is_the_same_from_a_file_and_from_every_store(
    bucket: Bucket, tmp_path: Path, ending: str
) -> None:
    name, data = f"part-00000{ending}", packed(content("part-00000", rows=50), ending, tmp_path)
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / name).write_bytes(data)
    bucket.put(f"train/{name}", data)
    versions = []
    for place, folder in (("files", tmp_path), ("objects", bucket.uri)):
        (tmp_path / place).mkdir()
        config = configure(tmp_path / place, recsys_data=f"{folder}/train", deletions=f"{folder}/deletions")
        assert publish(config, "part-00000") == 50
        versions.append(worlds.store_of(config).open("tweet_parts", "part-00000").manifest)
    files, objects = versions
    assert (objects.version, objects.files) == (files.version, files.files)
    assert objects.sources[0].sha256 == files.sources[0].sha256


@every_store
def test_an_object_that_is_replaced_while_it_is_read_is_not_published(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By another of the same size, most probably in the same second."""
    config = small_world(bucket, tmp_path)
    read = part_publishing.write_labelled

    def replaced(*arguments: Any) -> Any:
        bucket.put("train/part-00000", content("part-00000", salt="other"))
        return read(*arguments)

    monkeypatch.setattr(part_publishing, "write_labelled", replaced)
    with pytest.raises(UserError, match=r"://bucket-\w+/train/part-00000: replaced or changed while it was read"):
        publish(config, "part-00000")
    monkeypatch.undo()
    assert worlds.store_of(config).manifest("tweet_parts", "part-00000") is None
    assert publish(config, "part-00000") == 1


@every_store
def test_a_replaced_object_is_stale(bucket: Bucket, tmp_path: Path) -> None:
    config = small_world(bucket, tmp_path)
    publish(config, "part-00000")
    store = worlds.store_of(config)
    sources = raw_sources(store.settings, "tweet_parts", "part-00000")
    assert store.stale("tweet_parts", "part-00000", sources) is None
    bucket.put("train/part-00000", content("part-00000", rows=2))
    sources = raw_sources(store.settings, "tweet_parts", "part-00000")
    assert store.stale("tweet_parts", "part-00000", sources) == "part-00000 was replaced"


def test_a_store_that_is_gone_has_not_changed_the_file(bucket: Bucket, network: Network, tmp_path: Path) -> None:
    part = object_path(bucket.put("part-00000", content("part-00000")))
    before = identity(part)
    with pytest.raises(UserError, match="replaced or changed while it was read"), unchanged(part, before):
        bucket.put("part-00000", content("part-00000", rows=2))
    forget_connections()
    before = identity(part)
    with (
        pytest.raises(StoreError, match=r"^s3://bucket-\w+/part-00000: .*AWS Error NETWORK_CONNECTION"),
        unchanged(part, before),
    ):
        network.cut_after(0)
        raise ValueError("what a reader makes of it")


@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_half_read_is_published_and_the_next_run_reads_again(
    bucket: Bucket, network: Network, tmp_path: Path, ending: str
) -> None:
    config = small_world(bucket, tmp_path)
    bucket.put(f"train/part-00002{ending}", packed(content("part-00002", rows=6000), ending, tmp_path))
    forget_connections()
    store = worlds.store_of(config)
    (source,) = raw_sources(store.settings, "tweet_parts", "part-00002")
    assert store.folder("tweet_parts", "part-00002").exists() is False
    network.cut_after(source.stat().st_size // 2)
    with pytest.raises(UserError, match=rf"^s3://bucket-\w+/train/part-00002{ending}: AWS Error NETWORK_CONNECTION"):
        publish(config, "part-00002")
    assert network.cuts
    network.mend()
    assert store.manifest("tweet_parts", "part-00002") is None
    assert [path.name for path in store.folder("tweet_parts", "part-00002").iterdir() if path.name != ".lock"] == []
    assert publish(config, "part-00002") == 6000


def packed(lines: bytes, ending: str, folder: Path) -> bytes:
    if ending == ".parquet":
        return write_parquet(typed(lines), folder / "part.parquet", rows=100_000).read_bytes()
    if ending == ".gz":
        return gzip.compress(lines)
    program = {".zst": ["zstd", "-q", "-c"], ".lzo": ["lzop", "-c"]}.get(ending)
    if program is None:
        return lines
    require_program(program[0])
    return subprocess.run(program, input=lines, capture_output=True, check=True).stdout


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_cut_in_the_middle_of_reading_is_no_damaged_file(
    bucket: Bucket, network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    """Of which a part's reader, or lzop, would speak if the network had ended the bytes."""
    monkeypatch.setattr(location, "_BUFFER", 1 << 12)
    settings = quiet_settings(tmp_path)
    lines = content("part-00000", rows=20_000)
    part = object_path(bucket.put(f"part-00000{ending}", packed(lines, ending, tmp_path)))
    network.cut_after(part.stat().st_size // 2)
    with pytest.raises(UserError, match=rf"^s3://bucket-\w+/part-00000{ending}: AWS Error NETWORK_CONNECTION"):
        read_line(part, 19_999, settings)
    network.mend()
    assert read_line(part, 19_999, settings) == lines.splitlines()[19_999]


@pytest.mark.long
@every_store
def test_predict_from_a_bucket_into_a_bucket(bucket: Bucket, tmp_path: Path) -> None:
    settings = quiet_settings(tmp_path / "data")
    publish_golden_model(tmp_path, settings)
    local = tmp_path / "results.csv"
    predict([GOLDEN / "test"], local, settings, threads=1)
    test = object_path(bucket.put_folder("test", GOLDEN / "test"))
    for inputs, processes in (([test], 1), (entries(test), 2)):
        predict(inputs, object_path(f"{bucket.uri}/out/results.csv"), settings, threads=1, processes=processes)
        assert bucket.get("out/results.csv") == local.read_bytes()
    assert [key for key in bucket.all_keys() if key.startswith("out/")] == ["out/results.csv"]
    with pytest.raises(UserError, match=r"part-\d+\.gz: given twice"):
        predict([test, *entries(test)], local, settings)
    with pytest.raises(UserError, match=r"://no-such-bucket/results\.csv: no such bucket$"):
        predict([test], object_path(f"{bucket.store.scheme}://no-such-bucket/results.csv"), settings)
    with pytest.raises(UserError, match=r"/test: is a folder$"):
        predict([test], test, settings)
    assert not list((tmp_path / "data").glob(".predict-*"))


@pytest.mark.long
def test_evaluate_scores_objects_as_it_scores_files(bucket: Bucket, tmp_path: Path) -> None:
    table, true = labelled_world(tmp_path)
    results = write_results(tmp_path / "results.csv", table, true)
    (tmp_path / "part-00000").write_bytes(raw_part(table))
    write_parquet(typed(raw_part(table)), tmp_path / "table" / "part-00000.parquet")
    uri = bucket.put_folder("scored", tmp_path)
    config = worlds.write_config(tmp_path)

    def scored(folder: object, labels: str) -> subprocess.CompletedProcess[str]:
        named = {"--predictions": results.name, "--labels": labels, "--oracle": "oracle.parquet"}
        files = [text for option, name in named.items() for text in (option, f"{folder}/{name}")]
        command = [*ENGAGE, "evaluate", "--config", config, "--set", "evaluation.follower_edges=[240]", *files]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    for labels in ("labels.parquet", "part-00000", "table"):
        done = scored(uri, labels)
        assert done.returncode == 0, done.stderr
        assert done.stdout == scored(tmp_path, labels).stdout
    bucket.put("scored/results.csv", b"a,b,0.5,0.5,0.5,2\n")
    assert f"engage: {uri}/results.csv, line 1: like: 2 is not" in scored(uri, "labels.parquet").stderr
    bucket.remove("scored/results.csv")
    assert f"engage: {uri}/results.csv: no such object" in scored(uri, "labels.parquet").stderr


class Refusing(http.server.BaseHTTPRequestHandler):
    """A store that knows nobody."""

    def do_GET(self) -> None:
        body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        self.send_response(403)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if self.command == "GET" else b"")

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture
def refusing(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A store that refuses whoever asks."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name, value in store.environment(f"http://127.0.0.1:{server.server_port}").items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("HOME", "/nonexistent")
        forget_connections()
        yield
        server.shutdown()
    forget_connections()


@pytest.mark.parametrize("store", ["s3", "gs"], indirect=True)
def test_who_may_not_read_is_told_in_one_line(refusing: None, store: Store) -> None:
    part = object_path(f"{store.scheme}://bucket/part-00000")
    for asked in (part.exists, part.stat, part.open, lambda: entries(part.parent)):
        with pytest.raises(UserError, match=rf"^{part.parent}[^\n]*(ACCESS_DENIED|PERMISSION_DENIED|403)[^\n]*$"):
            asked()


@pytest.mark.long
def test_missing_credentials_are_one_line(refusing: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    config = worlds.write_config(tmp_path, **places("s3://bucket/raw"))
    shutil.copy(worlds.REPOSITORY / "dagster.yaml", tmp_path)
    for command in (["run", "--config", config], ["predict", "--input", "s3://bucket/x", "--output", tmp_path / "r"]):
        done = subprocess.run([*ENGAGE, *command], capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 1
        (said,) = [text for text in done.stderr.splitlines() if text.startswith("engage: ")]
        assert said.startswith("engage: s3://bucket/")
        assert "ACCESS_DENIED" in said
        assert "Traceback" not in done.stderr


@pytest.mark.long
def test_a_missing_bucket_is_one_line_without_secrets(bucket: Bucket, tmp_path: Path) -> None:
    uri = f"s3://ali:{SECRET}@no-such-bucket/raw"
    config = worlds.write_config(tmp_path, **places(uri))
    shutil.copy(worlds.REPOSITORY / "dagster.yaml", tmp_path)
    said = {
        "run": "engage: s3://no-such-bucket/raw/train: no such bucket; set recsys_data to the folder of the training",
        "predict": "engage: s3://no-such-bucket/raw: no such bucket",
    }
    for name, its in said.items():
        more = ["--input", uri, "--output", tmp_path / "r"] if name == "predict" else []
        command = [*ENGAGE, name, "--config", config, *more]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].startswith(its)
        assert SECRET not in done.stderr + done.stdout


@every_store
def test_deleted_rows_are_found_by_lists_in_a_bucket(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("deletions/users", b"A" * 32 + b"\n\n" + b"B" * 32)
    bucket.put("deletions/tsv_deleted_engaged_with_tweet_id/part-0.gz", gzip.compress(b"C" * 32))
    found = read_deletions(object_path(f"{bucket.uri}/deletions"))
    assert str(found) == "1 tweet and 2 users in 2 lists"
    with DuckDBEngine(quiet_settings(tmp_path), readable=[tmp_path]) as engine:
        assert DeletedRows(engine, found)
    bucket.put("deletions/other", b"")
    with pytest.raises(UserError, match=r"://bucket-\w+/deletions/other: is it a list of deleted tweets or users"):
        read_deletions(object_path(f"{bucket.uri}/deletions"))


@pytest.mark.parametrize("folder", ["plain", "h#x", "50%41", "a?b", "a b"])
def test_raw_files_with_deleted_rows_are_named_as_they_are_shown(bucket: Bucket, tmp_path: Path, folder: str) -> None:
    lines = content("part-00000", rows=3)
    bucket.put(f"{folder}/train/part-00000", lines)
    bucket.put("deletions/tweets", lines.split(b"\n")[1].split(b"\x01")[2])
    places = {"recsys_data": f"{bucket.uri}/{quote(folder)}/train", "deletions": f"{bucket.uri}/deletions"}
    config = configure(tmp_path, **places)
    assert publish(config, "part-00000") == 2
    assert raw_files(worlds.store_of(config)) == {f"{bucket.uri}/{folder}/train/part-00000": 1}
