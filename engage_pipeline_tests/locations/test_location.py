"""Names of locations, and objects of a real server through them."""

import base64
import pickle
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from engage_pipeline.errors import StoreError, UserError
from engage_pipeline.files.atomic import identity, relative_folder, sha256
from engage_pipeline.locations import location as module
from engage_pipeline.locations import object_stores
from engage_pipeline.locations.location import ObjectPath, absent, entries, fresh, location, names_there
from engage_pipeline.locations.objects import list_objects
from engage_pipeline.settings.settings import settings_from
from engage_pipeline_tests import servers
from engage_pipeline_tests.locations.conftest import every_store
from engage_pipeline_tests.object_store import Bucket, Network, forget_connections, object_path
from engage_pipeline_tests.programs import require_program
from engage_pipeline_tests.stores import SECRET, Store

CUT = "NETWORK_CONNECTION|curl|CURL|from the peer"
HERE = {"scheme": "http", "authority": "blob.here:10000"}
WITH_SECRETS = f"s3://ali:{SECRET}@bucket/folder/part-00001.gz?region=here&endpoint_override=localhost:1"


def test_a_path_stays_a_path() -> None:
    assert location("raw/part-00000") == Path("raw/part-00000")
    assert location("s3:/raw") == Path("s3:/raw")


def test_an_object_has_the_names_of_a_path() -> None:
    part = object_path("S3://bucket//folder/part-00001.gz/")
    assert (part.name, part.suffix, str(part.parent)) == ("part-00001.gz", ".gz", "s3://bucket/folder")
    assert str(part.with_name("part-2 x")) == "s3://bucket/folder/part-2 x"
    assert str(part.parent.parent.parent) == str(part.bucket) == "s3://bucket"
    assert part.parent / "part-00001.gz" == part
    assert pickle.loads(pickle.dumps(part)) == part  # noqa: S301


def test_neither_user_nor_query_is_shown_or_recorded() -> None:
    part = object_path(WITH_SECRETS)
    for text in (str(part), repr(part), f"{part}", relative_folder(part.parent, Path.cwd())):
        assert SECRET not in text
        assert "region" not in text
    assert str(part) == "s3://bucket/folder/part-00001.gz"
    assert (part.parent / "other").uri == WITH_SECRETS.replace("part-00001.gz", "other")


@pytest.mark.parametrize(
    ("uri", "line"),
    {
        "ftp://ali:sesame-open@there/part": "ftp://there/part: unknown scheme; a location is a path, or a URI of s3,",
        "s3:///part": "s3:///part: no bucket",
        "s3://bucket/a#b": "s3://bucket/a#b: a # in it must be %23",
        "s3://[bucket/a": "s3://[bucket/a: not a URI",
    }.items(),
)
def test_what_is_no_uri_is_told_in_one_line(uri: str, line: str) -> None:
    with pytest.raises(UserError) as error:
        location(uri)
    assert str(error.value).startswith(line)
    assert SECRET not in str(error.value)


@pytest.mark.parametrize(
    ("uri", "line"),
    {
        f"s3://ali:{SECRET}@bucket/x?colour=red": "s3://bucket/x: Unexpected query parameter in S3 URI: 'colour'",
        f"s3://ali:{SECRET}@my bucket/x": "s3://my bucket/x: Cannot parse URI: 's3://…'",
        "az://container/x": "az://container/x: the environment has no AZURE_STORAGE_ACCOUNT",
        "abfs://container/x": "abfs://container/x: the environment has no AZURE_STORAGE_ACCOUNT",
        "az://container/x?a=b": "az://container/x: az:// takes no options; AZURE_STORAGE_",
        "hdfs://node:1/x": "hdfs://node:1/x: Unable to load libhdfs",
    }.items(),
)
def test_a_store_that_can_not_be_asked(monkeypatch: pytest.MonkeyPatch, uri: str, line: str) -> None:
    if uri.startswith("hdfs:"):
        require_program("java")  # else its library is what is missed first
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT", raising=False)
    forget_connections()
    with pytest.raises(UserError) as error:
        object_path(uri).stat()
    assert str(error.value).startswith(line)
    assert SECRET not in str(error.value)


@pytest.mark.parametrize(
    ("uri", "container", "host"),
    [
        ("az://clicks", "clicks", "storage"),
        ("abfs://clicks", "clicks", "storage"),
        ("abfss://clicks@other.dfs.core.windows.net", "clicks", "other"),
    ],
)
def test_the_key_of_the_environment_serves_each_uri_of_azure(
    monkeypatch: pytest.MonkeyPatch, uri: str, container: str, host: str
) -> None:
    from pyarrow.fs import AzureFileSystem

    for name, value in {"ACCOUNT": "storage", "KEY": "a2V5", "SERVICE_ENDPOINT": "http://blob.here:10000"}.items():
        monkeypatch.setenv(f"AZURE_STORAGE_{name}", value)
    system, base = object_stores.file_system.__wrapped__(uri)
    options = {f"{kind}_storage_{part}": value for kind in ("blob", "dfs") for part, value in HERE.items()}
    assert system == AzureFileSystem(host, account_key="a2V5", **options)
    assert base == container


def test_the_container_of_azure_is_shown_and_its_key_is_not() -> None:
    part = object_path("abfs://clicks@other.dfs.core.windows.net/train/part-00000")
    assert str(part) == "abfs://clicks@other.dfs.core.windows.net/train/part-00000"
    assert (
        str(object_path(f"abfs://other:{SECRET}@blob.here:10000/clicks/x")) == "abfs://other@blob.here:10000/clicks/x"
    )


def test_a_uri_with_one_slash_is_told_with_two(tmp_path: Path) -> None:
    folder = settings_from({"recsys_data": "s3:/music/train"}, folder=tmp_path).recsys_data
    assert str(absent(folder, "no such folder")) == (
        f"{tmp_path}/s3:/music/train: no such folder; is it s3://music/train, with two slashes?"
    )
    for path in ("raw/train", "raw/s3/train", "raw/s3:"):
        assert str(absent(Path(path), "no such folder")) == f"{path}: no such folder"


@every_store
def test_what_is_absent_is_the_object_or_the_bucket(bucket: Bucket) -> None:
    assert str(absent(object_path(f"{bucket.uri}/a"), "no such folder")).endswith("/a: no such folder")
    missing = f"{bucket.store.scheme}://no-such-bucket/a"
    assert str(absent(object_path(missing), "no such folder")) == f"{missing}: no such bucket"


def test_settings_keep_uris_and_resolve_paths(tmp_path: Path) -> None:
    values = {"recsys_data": WITH_SECRETS, "test_data": "raw/../test", "deletions": "gs://bucket/deleted"}
    settings = settings_from(values, folder=tmp_path)
    assert settings.recsys_data == object_path(WITH_SECRETS)
    assert settings.test_data == tmp_path / "test"
    assert str(settings.deletions) == "gs://bucket/deleted"
    assert SECRET not in settings.model_dump_json() + str(settings)


def test_settings_refuse_other_schemes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="settings: recsys_data: ftp://there/x: unknown scheme; a location is"):
        settings_from({"recsys_data": "ftp://there/x"}, folder=tmp_path)
    with pytest.raises(UserError, match="settings: test_data: must be a path"):
        settings_from({"test_data": 5}, folder=tmp_path)
    with pytest.raises(UserError, match="settings: working_dir: must be on this machine, a path without a scheme"):
        settings_from({"working_dir": "s3://bucket/data"}, folder=tmp_path)


@pytest.mark.parametrize("uri", ["gs://bucket", "gs://ali@bucket?scheme=http", "gs://bucket?retry_limit_seconds=5"])
def test_google_is_asked_for_a_minute_unless_the_uri_says_otherwise(monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    monkeypatch.delenv("CLOUD_STORAGE_EMULATOR_ENDPOINT", raising=False)
    asked = object_stores._google(urlsplit(uri))
    assert asked == uri if "retry" in uri else f"{uri}{'&' if '?' in uri else '?'}retry_limit_seconds=60"


@every_store
def test_a_folder_is_listed_with_sizes_and_times(bucket: Bucket) -> None:
    bucket.put("folder/part-00001", b"12345")
    bucket.put("folder/below/part-00002", b"1")
    folder = object_path(f"{bucket.uri}/folder")
    assert [(one.name, one.is_dir(), one.is_file()) for one in entries(folder)] == [
        ("below", True, False),
        ("part-00001", False, True),
    ]
    listed = entries(folder)[1]
    assert listed.stat().st_size == 5
    assert listed.stat().st_ino == 0
    now = fresh(listed).stat()
    assert (now.st_size, now.st_mtime_ns) == (5, listed.stat().st_mtime_ns)
    assert now.st_ino
    assert names_there(folder, {"part-00001", "part-00009"}) == {"part-00001"}
    assert names_there(object_path(f"{bucket.uri}/none"), {"part-00001"}) == set()
    assert [one.key for one in list_objects(object_path(bucket.uri))] == [
        "folder/below/part-00002",
        "folder/part-00001",
    ]
    assert (folder.is_dir(), (folder / "none").exists(), folder.bucket.exists()) == (True, False, True)


def test_a_listing_is_asked_for_again_after_a_while(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.put("folder/part-00001", b"1")
    folder = object_path(f"{bucket.uri}/folder")
    assert len(entries(folder)) == 1
    listed = dict(module._listed)
    bucket.put("folder/part-00002", b"1")
    module._listed.update(listed)
    assert len(entries(folder)) == 1
    monkeypatch.setattr(module, "LISTED_SECONDS", 0.0)
    assert len(entries(folder)) == 2


@every_store
def test_an_object_is_read_from_its_start_and_here_and_there(bucket: Bucket) -> None:
    content = bytes(range(256)) * 50_000
    part = object_path(bucket.put("part-00000", content))
    with part.open("rb") as file:
        assert file.read(8) == content[:8]
        file.seek(0)
        assert file.read() == content
    with part.open_raw() as raw:
        raw.seek(1_000_001)
        assert raw.read(300) == content[1_000_001:1_000_301]
    with pytest.raises(UserError, match=r"none: no such object$"):
        object_path(f"{bucket.uri}/none").open("rb")


@every_store
def test_another_content_of_the_same_size_and_second_has_another_identity(bucket: Bucket) -> None:
    """Tried until both were put in the same second."""
    for _ in range(20):
        part = object_path(bucket.put("part-00000", b"one"))
        before = identity(part)
        bucket.put("part-00000", b"two")
        after = identity(part)
        if before.mtime_ns == after.mtime_ns:
            break
    assert (before.bytes, before.mtime_ns) == (after.bytes, after.mtime_ns)
    assert before != after


@every_store
def test_a_file_is_put_whole(bucket: Bucket, tmp_path: Path) -> None:
    file = tmp_path / "results.csv"
    file.write_bytes(b"row\n" * 3_000_000)
    object_path(f"{bucket.uri}/out/results.csv").upload(file)
    assert bucket.get("out/results.csv") == file.read_bytes()


@every_store
def test_nothing_is_put_over_a_network_that_is_cut(bucket: Bucket, network: Network, tmp_path: Path) -> None:
    file = tmp_path / "results.csv"
    file.write_bytes(b"row\n" * 3_000_000)
    target = object_path(f"{bucket.uri}/out/results.csv")
    assert not target.exists()
    network.cut_after(0)
    with pytest.raises(UserError, match=rf"^{bucket.uri}/out/results\.csv: .*({CUT})"):
        target.upload(file)
    assert bucket.all_keys() == []


@pytest.mark.parametrize("store", ["s3", "az"], indirect=True)
def test_a_cut_in_the_middle_is_told_and_one_that_heals_is_not_noticed(bucket: Bucket, network: Network) -> None:
    content = bytes(range(256)) * 50_000
    part = object_path(bucket.put("part-00000", content))
    digest = sha256(part)
    network.cut_after(300_000, once=True)
    assert sha256(part) == digest
    assert network.cuts == 1
    network.cut_after(300_000)
    with pytest.raises(UserError, match=rf"^{bucket.uri}/part-00000: .*({CUT})"):
        sha256(part)
    network.mend()
    assert sha256(part) == digest


def test_a_listed_object_is_an_object_path() -> None:
    assert isinstance(location("s3://bucket/x"), ObjectPath)


@every_store
def test_a_store_without_server_is_one_line_after_seconds(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_stores, "GOOGLE_SECONDS", 2)
    for name, value in store.environment(f"http://127.0.0.1:{servers.free_port()}").items():
        monkeypatch.setenv(name, value)
    forget_connections()
    start = time.monotonic()
    with pytest.raises(UserError) as error:
        object_path(f"{store.scheme}://bucket/part-00000").stat()
    forget_connections()
    assert str(error.value).startswith(f"{store.scheme}://bucket/part-00000: ")
    assert "onnect" in str(error.value)
    assert "\n" not in str(error.value)
    assert time.monotonic() - start < 120


@every_store
def test_a_store_that_is_not_reached_is_asked_once_for_all_parts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_stores, "GOOGLE_SECONDS", 2)
    for name, value in store.environment(f"http://127.0.0.1:{servers.free_port()}").items():
        monkeypatch.setenv(name, value)
    forget_connections()
    first, other = (object_path(f"{store.scheme}://bucket/train/part-0000{number}") for number in range(2))
    with pytest.raises(StoreError) as error:
        first.stat()
    reason = str(error.value).removeprefix(f"{first}: ")
    monkeypatch.setattr(module, "file_system", lambda _: pytest.fail("the store was asked again"))
    for asked, where in ((other.stat, other), (other.parent.is_dir, other.parent), (other.open, other)):
        with pytest.raises(StoreError) as error:
            asked()
        assert str(error.value) == f"{where}: {reason}"
    monkeypatch.undo()
    monkeypatch.setattr(object_stores, "UNREACHABLE_SECONDS", 0.0)
    monkeypatch.setattr(module, "file_system", lambda _: (_ for _ in ()).throw(FileNotFoundError))
    with pytest.raises(UserError, match=r"part-00001: no such object$"):
        other.stat()
    forget_connections()


def test_what_is_wrong_with_one_object_keeps_no_other_from_being_read(bucket: Bucket, network: Network) -> None:
    """A missing one, and a connection that is cut in the middle."""
    large, small = bucket.put("large", bytes(3_000_000)), object_path(bucket.put("small", b"1"))
    with pytest.raises(UserError, match=r"none: no such object$"):
        object_path(f"{bucket.uri}/none").open("rb")
    assert small.open().read() == b"1"
    network.cut_after(300_000)
    with pytest.raises(StoreError, match=CUT):
        sha256(object_path(large))
    network.mend()
    assert small.open().read() == b"1"


@pytest.mark.parametrize("store", ["az"], indirect=True)
def test_a_wrong_key_is_one_line(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    part = object_path(bucket.put("part-00000", b"1"))
    monkeypatch.setenv("AZURE_STORAGE_KEY", base64.b64encode(SECRET.encode()).decode())
    forget_connections()
    for asked in (part.exists, part.stat, part.open, lambda: entries(part.parent)):
        with pytest.raises(UserError, match=r"^az://bucket-\w+(/part-00000)?: .* 403 [^\n]*$") as error:
            asked()
        assert "Request" not in str(error.value)


def test_a_missing_file_of_credentials_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLOUD_STORAGE_EMULATOR_ENDPOINT", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nonexistent")
    forget_connections()
    with pytest.raises(UserError, match=r"^gs://bucket/x: .*Cannot open credentials file /nonexistent[^\n]*$") as error:
        object_path("gs://bucket/x").stat()
    assert "error_info" not in str(error.value)
    forget_connections()
