"""The store: whole or not at all, undamaged or an error that names the asset, never a mixture."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.files import atomic
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.current_link import is_version_folder
from engage_pipeline.store.file_names import FEATURES, PROFILE, tweets_beside
from engage_pipeline.store.rules import Outcome, rule
from engage_pipeline.store.store import ArtifactStore, Version, check_key
from engage_pipeline_tests.samples import bare_store, edit_manifest, tiny_settings

FILE = "rows.parquet"


def publish(store: ArtifactStore, name: str, content: bytes, key: str | None = None, **kwargs: object) -> None:
    with store.publish(name, key, **kwargs) as draft:  # type: ignore[arg-type]
        draft.path(FILE).write_bytes(content)
        draft.rows = len(content)


def ingest_part(store: ArtifactStore, key: str, content: bytes = b"raw") -> None:
    raw = store.settings.recsys_data / key
    raw.parent.mkdir(parents=True, exist_ok=True)
    raw.write_bytes(content)
    publish(store, "tweet_parts", content, key, sources=[raw])


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return tiny_settings(tmp_path / "data", recsys_data=str(tmp_path / "raw"))


@pytest.fixture
def store(settings: Settings) -> ArtifactStore:
    return bare_store(settings)


def test_what_was_published_is_read_back(store: ArtifactStore) -> None:
    publish(store, "test_tweets", b"abc")
    opened = store.open("test_tweets")
    assert opened.path(FILE).read_bytes() == b"abc"
    assert opened.manifest.rows == 3


def test_a_raising_block_publishes_nothing_and_leaves_nothing(store: ArtifactStore) -> None:
    publish(store, "test_tweets", b"old")
    with pytest.raises(RuntimeError), store.publish("test_tweets") as draft:
        draft.path(FILE).write_bytes(b"half")
        raise RuntimeError
    assert store.open("test_tweets").path(FILE).read_bytes() == b"old"
    assert not list(store.folder("test_tweets").glob(".tmp-*"))


def test_what_a_killed_process_left_is_swept_before_anything_is_written(store: ArtifactStore) -> None:
    folder = store.folder("test_tweets")
    (folder / ".tmp-draft").mkdir(parents=True)
    (folder / ".tmp-draft" / "rows").write_bytes(b"half")
    (folder / ".tmp-0123.json").write_bytes(b"half a manifest")
    with pytest.raises(RuntimeError), store.publish("test_tweets") as draft:
        assert list(folder.glob(".tmp-*")) == [draft.directory]
        raise RuntimeError
    assert list(folder.glob(".tmp-*")) == []


def test_an_artifact_without_parts_is_asked_for_none_and_one_with_parts_for_one(store: ArtifactStore) -> None:
    with pytest.raises(ValueError, match="test_tweets: it has no parts"):
        store.folder("test_tweets", "part-00000")
    with pytest.raises(ValueError, match="tweet_parts: a part is needed"):
        store.folder("tweet_parts")


def test_a_reader_keeps_its_version_while_the_next_is_published(store: ArtifactStore) -> None:
    publish(store, "test_tweets", b"one")
    reader = store.open("test_tweets")
    publish(store, "test_tweets", b"two")
    assert reader.path(FILE).read_bytes() == b"one"
    publish(store, "test_tweets", b"three")
    assert len([path for path in store.folder("test_tweets").iterdir() if is_version_folder(path)]) == 2


def test_the_version_is_that_of_the_content(store: ArtifactStore) -> None:
    publish(store, "test_tweets", b"same")
    first = store.open("test_tweets").manifest
    publish(store, "test_tweets", b"same")
    second = store.open("test_tweets").manifest
    publish(store, "test_tweets", b"other")
    assert first.version == second.version != store.open("test_tweets").manifest.version
    publish(store, "test_tweets", b"emas")
    assert first.version != store.open("test_tweets").manifest.version, "of as many bytes"
    assert first.directory != second.directory


def test_what_describes_a_version_is_checked_but_does_not_name_it(store: ArtifactStore) -> None:
    versions = []
    for words in ("one", "two"):
        with store.publish("test_tweets") as draft:
            draft.path(FILE).write_text("1", encoding="utf-8")
            draft.path("README.md").write_text(words, encoding="utf-8")
        versions.append(store.open("test_tweets"))
    first, second = versions
    assert first.manifest.version == second.manifest.version
    assert first.manifest.files["README.md"] != second.manifest.files["README.md"]
    assert second.path("README.md").read_text(encoding="utf-8") == "two"
    second.path("README.md").write_text("six", encoding="utf-8")
    with pytest.raises(UserError, match=r"README\.md"):
        second.directory()


@pytest.mark.parametrize("position", [0, 1, 500, 998, 999])
def test_a_flipped_bit_is_caught(store: ArtifactStore, position: int) -> None:
    publish(store, "test_tweets", bytes(1000))
    path = store.open("test_tweets").path(FILE)
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"rows\.parquet: damaged: .*materialize test_tweets again"):
        store.open("test_tweets").path(FILE)


def test_features_are_not_opened_if_the_tweets_beside_them_are_damaged(store: ArtifactStore) -> None:
    beside = tweets_beside(FEATURES)
    with store.publish("validation_features") as draft:
        for name in (FEATURES, beside, PROFILE):
            draft.path(name).write_bytes(bytes(10))
    version = store.open("validation_features")
    assert version.manifest.own_bytes == 20
    assert version.path(FEATURES).name == FEATURES
    (version.folder / version.manifest.directory / beside).write_bytes(bytes(9))
    with pytest.raises(UserError, match=r"features\.typed-tweets\.parquet: damaged: .*materialize validation_features"):
        version.path(FEATURES)
    assert version.path(PROFILE).name == PROFILE


def test_a_cut_tail_is_caught_and_materializing_again_mends_it(store: ArtifactStore) -> None:
    publish(store, "test_tweets", bytes(1000))
    path = store.open("test_tweets").path(FILE)
    path.write_bytes(bytes(999))
    with pytest.raises(UserError, match="999 bytes instead of 1000"):
        store.open("test_tweets").path(FILE)
    publish(store, "test_tweets", bytes(1000))
    assert store.open("test_tweets").path(FILE).read_bytes() == bytes(1000)


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (Path.unlink, "rows.parquet is missing"),
        (lambda path: path.write_bytes(b"a"), "rows.parquet: damaged: 1 bytes instead of 3"),
        (lambda path: path.write_bytes(b"xyz"), None),
    ],
)
def test_a_missing_or_cut_file_is_a_reason_and_no_file_is_read_for_it(
    store: ArtifactStore, harm: Callable[[Path], object], reason: str | None
) -> None:
    publish(store, "test_tweets", b"abc")
    harm(store.open("test_tweets").path(FILE))
    assert store.stale("test_tweets") == reason
    publish(store, "test_tweets", b"abc")
    assert store.stale("test_tweets") is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"artifact": "test_tweets"}', "null"])
def test_a_broken_manifest_is_one_clear_line(store: ArtifactStore, text: str) -> None:
    publish(store, "test_tweets", b"abc")
    (store.folder("test_tweets") / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="not a manifest; materialize test_tweets again"):
        store.open("test_tweets")
    assert store.stale("test_tweets") == "its manifest is damaged"
    publish(store, "test_tweets", b"abc")
    assert store.open("test_tweets").path(FILE).read_bytes() == b"abc"


@pytest.mark.parametrize("name", ["../../secret", "..", ".", "", "/etc/passwd", "a/b", "a\0b"])
@pytest.mark.parametrize("place", ["files", "directory", "previous"])
def test_a_manifest_cannot_name_a_file_outside(store: ArtifactStore, name: str, place: str) -> None:
    publish(store, "test_tweets", b"abc")
    if (name, place) == ("", "previous"):
        return  # none
    edit_manifest(
        store.folder("test_tweets"),
        lambda values: (
            values["files"].update({name: values["files"][FILE]}) if place == "files" else values.update({place: name})
        ),
    )
    with pytest.raises(UserError, match="not a manifest"):
        store.open("test_tweets")


def test_a_manifest_that_was_changed_is_noticed(store: ArtifactStore) -> None:
    publish(store, "test_tweets", b"abc")
    path = store.folder("test_tweets") / "manifest.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"rows": 3', '"rows": 4'), encoding="utf-8")
    with pytest.raises(UserError, match="not a manifest; materialize test_tweets again"):
        store.open("test_tweets")


def test_a_manifest_of_an_earlier_version_of_the_program_is_read(store: ArtifactStore) -> None:
    publish(store, "test_tweets", b"abc")
    edit_manifest(store.folder("test_tweets"), lambda values: values.update(rows=4))
    assert store.open("test_tweets").manifest.rows == 4


@pytest.mark.parametrize("change", [{"rows": "4"}, {"rows": 4.0}, {"created": 5}, {"rows": True}])
def test_a_manifest_with_a_value_of_another_type_is_refused(store: ArtifactStore, change: dict[str, object]) -> None:
    publish(store, "test_tweets", b"abcd")
    edit_manifest(store.folder("test_tweets"), lambda values: values.update(change))
    with pytest.raises(UserError, match="not a manifest"):
        store.open("test_tweets")


def test_a_manifest_of_another_artifact_is_refused(store: ArtifactStore) -> None:
    publish(store, "test_tweets", b"abc")
    publish(store, "validation_tweets", b"abc")
    other = store.folder("test_tweets") / "manifest.json"
    (store.folder("validation_tweets") / "manifest.json").write_bytes(other.read_bytes())
    with pytest.raises(UserError, match="not a manifest; materialize validation_tweets again"):
        store.open("validation_tweets")


@pytest.mark.parametrize("key", ["../evil", "/etc", "a/b", "a'b", 'a"b', "a\nb", "*", "", ".", "..", "x" * 65, "é"])
def test_a_part_name_that_may_not_become_a_path_is_refused(store: ArtifactStore, key: str) -> None:
    with pytest.raises(UserError, match="a part's name"):
        check_key(key)
    with pytest.raises(UserError, match="a part's name"), store.publish("tweet_parts", key):
        pass


def test_an_artifact_of_other_settings_is_not_opened(store: ArtifactStore, settings: Settings) -> None:
    publish(store, "emde_sketches", b"codes")
    other = bare_store(settings.model_copy(update={"sketch_depth": 5}))
    with pytest.raises(UserError, match=r"other settings \(sketch_depth: 4 → 5\): materialize it again, or .* --set"):
        other.open("emde_sketches")


def test_a_nested_setting_is_named(store: ArtifactStore, settings: Settings) -> None:
    publish(store, "tweet_topics", b"rows")
    topics = settings.topics.model_copy(update={"most_per_language": 9})
    other = bare_store(settings.model_copy(update={"topics": topics}))
    assert other.stale("tweet_topics") == "topics.most_per_language: 60 → 9"


def test_stale_follows_inputs_sources_and_settings(store: ArtifactStore, settings: Settings) -> None:
    assert store.stale("interaction_counts") == "not there yet"
    ingest_part(store, "part-0")
    publish(store, "interaction_counts", b"counts")
    assert store.stale("interaction_counts") is None
    ingest_part(store, "part-1")
    assert store.stale("interaction_counts") == "tweet_parts/part-1 is new"
    raw = settings.recsys_data / "part-0"
    assert store.stale("tweet_parts", "part-0", [raw]) is None
    raw.write_bytes(b"new")
    assert store.stale("tweet_parts", "part-0", [raw]) == "part-0 was replaced"
    raw.write_bytes(b"raw")
    assert store.stale("tweet_parts", "part-0", [raw]) is None


def test_only_as_many_parts_count_as_the_settings_say(store: ArtifactStore, settings: Settings) -> None:
    ingest_part(store, "part-0")
    ingest_part(store, "part-1")
    one = bare_store(settings.model_copy(update={"max_n_parts": 1}))
    assert [store.parts_of("interaction_counts"), one.parts_of("interaction_counts")] == [
        ["part-0", "part-1"],
        ["part-0"],
    ]
    assert store.parts_of("finetuned_encoder") == ["part-0"]


def test_parts_of_another_folder_do_not_mix_in(store: ArtifactStore, settings: Settings, tmp_path: Path) -> None:
    ingest_part(store, "part-0")
    other = bare_store(settings.model_copy(update={"recsys_data": tmp_path / "elsewhere"}))
    assert store.parts() == ["part-0"]
    assert other.parts() == []
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "part-0").write_bytes(b"raw")
    assert other.parts() == [], "the file of the same name there was not read"


def test_a_folder_that_can_not_be_a_part_is_skipped(store: ArtifactStore) -> None:
    ingest_part(store, "part-0")
    store.folder("tweet_parts", "part-0").with_name("lost+found").mkdir()
    assert store.parts() == ["part-0"]
    assert store.keys_on_disk("tweet_parts") == ["part-0"]


def test_a_part_whose_file_is_gone_is_left_out(store: ArtifactStore, settings: Settings) -> None:
    ingest_part(store, "part-0")
    ingest_part(store, "part-1")
    publish(store, "interaction_counts", b"counts")
    (settings.recsys_data / "part-0").unlink()
    assert store.parts() == ["part-1"]
    assert store.gone_parts() == ["part-0"]
    assert store.stale("interaction_counts") == "tweet_parts/part-0 is left out"


def test_a_damaged_manifest_of_a_part_whose_file_is_gone_is_passed_over(
    store: ArtifactStore, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    for key in ("part-0", "part-1"):
        ingest_part(store, key)
    path = store.folder("tweet_parts", "part-0") / "manifest.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match=r"part-0/manifest\.json: not a manifest"):
        store.parts()
    packed = (settings.recsys_data / "part-0").rename(settings.recsys_data / "part-0.gz")
    with pytest.raises(UserError, match=r"part-0/manifest\.json: not a manifest"):
        store.parts()
    packed.unlink()
    with caplog.at_level("WARNING"):
        assert [store.parts(), store.recorded_parts(), store.gone_parts()] == [["part-1"], ["part-1"], []]
    (line,) = [one for one in caplog.messages if "part-0" in one]
    assert line == f"{path}: damaged, passed over: {settings.recsys_data} has no file of part-0"
    shutil.rmtree(settings.recsys_data)
    with pytest.raises(UserError, match=r"part-0/manifest\.json: not a manifest"):
        store.parts()


@rule("{rows} rows", compared_with=("validation_tweets",))
def few_rows(store: ArtifactStore, version: Version) -> Outcome:
    """There are no more rows than checks.drift_psi says."""
    rows = version.manifest.rows or 0
    return Outcome(f"{rows} rows" if rows > store.settings.checks.drift_psi else "", {"rows": rows})


def ruled(store: ArtifactStore, limit: float) -> ArtifactStore:
    checks = store.settings.checks.model_copy(update={"drift_psi": limit})
    return ArtifactStore(
        store.settings.model_copy(update={"checks": checks}),
        lambda name: [few_rows] if name in {"test_tweets", "trained_model"} else [],
    )


def noted(store: ArtifactStore, name: str = "test_tweets") -> dict[str, str]:
    manifest = store.manifest(name)
    assert manifest is not None
    assert manifest.verdict is not None
    return manifest.verdict.problems


def test_a_version_that_fails_a_rule_is_never_opened_and_is_made_again(store: ArtifactStore) -> None:
    store = ruled(store, 3)
    publish(store, "test_tweets", b"rows")
    assert noted(store) == {"few_rows": "4 rows"}
    assert store.stale("test_tweets") == "failed a check (4 rows)"
    assert store.current("test_tweets") is None
    with pytest.raises(
        UserError, match=r"test_tweets failed a check \(4 rows\): correct the cause and materialize it again"
    ):
        store.open("test_tweets")
    publish(store, "test_tweets", b"row")
    assert store.stale("test_tweets") is None
    assert store.open("test_tweets").manifest.rows == 3


def test_the_verdict_is_published_with_the_version(store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads the manifest first after its renaming finds the verdict in it."""
    store, found = ruled(store, 3), []
    rename = Path.replace

    def read_at_once(path: Path, target: Path) -> Path:
        renamed = rename(path, target)
        found.append(noted(store))
        return renamed

    monkeypatch.setattr(Path, "replace", read_at_once)
    publish(store, "test_tweets", b"rows")
    assert found == [{"few_rows": "4 rows"}]


def test_a_version_is_judged_again_under_other_limits_and_that_is_noted(store: ArtifactStore) -> None:
    publish(ruled(store, 9), "test_tweets", b"rows")
    strict = ruled(store, 3)
    assert strict.stale("test_tweets") == "failed a check (4 rows)"
    assert noted(store) == {"few_rows": "4 rows"}
    assert ruled(store, 9).stale("test_tweets") is None
    assert noted(store) == {"few_rows": ""}


def test_a_verdict_on_a_version_that_was_replaced_meanwhile_is_not_noted_of_the_next(store: ArtifactStore) -> None:
    store = ruled(store, 3)
    publish(store, "test_tweets", b"rows")
    before = store.manifest("test_tweets")
    assert before is not None
    publish(store, "test_tweets", b"row")
    assert store.judge_again(before).problems == {"few_rows": "4 rows"}
    assert noted(store) == {"few_rows": ""}
    assert store.stale("test_tweets") is None


def test_a_version_is_judged_again_when_what_it_was_compared_with_is_another(store: ArtifactStore) -> None:
    store = ruled(store, 9)
    publish(store, "test_tweets", b"rows")
    before = store.manifest("test_tweets")
    publish(store, "validation_tweets", b"other")
    store.open("test_tweets")
    after = store.manifest("test_tweets")
    assert before is not None
    assert after is not None
    assert before.verdict is not None
    assert after.verdict is not None
    assert before.verdict.compared == {"validation_tweets": "absent"}
    assert after.verdict.compared == {"validation_tweets": store.open("validation_tweets").manifest.version}
    assert (before.directory, before.created) == (after.directory, after.created)


def test_a_version_without_a_verdict_or_with_one_by_other_rules_is_judged_when_it_is_opened(
    store: ArtifactStore,
) -> None:
    publish(ruled(store, 9), "test_tweets", b"rows")
    for verdict in (None, {"limits": {}, "compared": {}, "problems": {}}):
        edit_manifest(store.folder("test_tweets"), lambda values, verdict=verdict: values.update(verdict=verdict))
        with pytest.raises(UserError, match="failed a check"):
            ruled(store, 3).open("test_tweets")
        assert noted(store) == {"few_rows": "4 rows"}


def test_a_reader_that_may_not_write_judges_all_the_same(store: ArtifactStore) -> None:
    publish(ruled(store, 9), "test_tweets", b"rows")
    with atomic.exclusive(store.folder("test_tweets") / ".lock", "in use"):
        assert ruled(store, 3).stale("test_tweets") == "failed a check (4 rows)"
    assert noted(store) == {"few_rows": ""}


def test_a_version_that_can_not_be_looked_at_fails(store: ArtifactStore) -> None:
    @rule("")
    def rows_are_there(store: ArtifactStore, version: Version) -> Outcome:
        """The rows can be read."""
        return Outcome("", {"bytes": len(version.path(FILE).read_bytes()), "rows": version.manifest.facts["rows"]})

    store = bare_store(store.settings, rows_are_there)
    with store.publish("test_tweets") as draft:
        draft.path("other.parquet").write_bytes(b"")
    assert "no such file in its manifest" in str(store.stale("test_tweets"))
    with pytest.raises(KeyError):
        publish(store, "validation_tweets", b"rows")
    publish(bare_store(store.settings), "validation_tweets", b"rows")
    edit_manifest(store.folder("validation_tweets"), lambda values: values.update(code_version="0"))
    with pytest.raises(UserError, match="an earlier version of the program made it, without the figure 'rows'"):
        store.open("validation_tweets")


@rule("")
def the_other_is_there(store: ArtifactStore, version: Version) -> Outcome:
    """Another artifact can be read."""
    return Outcome("", {"rows": len(store.open("validation_tweets").path(FILE).read_bytes())})


def looking_at_another(store: ArtifactStore, limit: float) -> ArtifactStore:
    strict = ruled(store, limit)
    return ArtifactStore(strict.settings, lambda name: [the_other_is_there] if name == "test_tweets" else [])


@pytest.mark.parametrize("harmed", ["manifest.json", FILE])
def test_what_can_not_be_read_of_another_artifact_is_no_recorded_problem(store: ArtifactStore, harmed: str) -> None:
    publish(store, "validation_tweets", b"other")
    publish(looking_at_another(store, 9), "test_tweets", b"rows")
    version = store.open("validation_tweets")
    path = version.path(FILE) if harmed == FILE else version.folder / harmed
    content = path.read_bytes()
    path.write_text("{", encoding="utf-8")
    strict = looking_at_another(store, 3)
    assert strict.current("test_tweets") is None
    assert noted(store) == {"the_other_is_there": ""}
    path.write_bytes(content)
    assert strict.stale("test_tweets") is None
    assert noted(store) == {"the_other_is_there": ""}


def test_a_version_that_was_published_beside_an_unreadable_one_is_judged_when_it_can_be(store: ArtifactStore) -> None:
    ruling = looking_at_another(store, 9)
    publish(ruling, "test_tweets", b"rows")
    manifest = store.manifest("test_tweets")
    assert manifest is not None
    assert manifest.verdict is None
    with pytest.raises(UserError, match=r"failed a check \(validation_tweets is not there yet"):
        ruling.open("test_tweets")
    publish(store, "validation_tweets", b"other")
    assert ruling.open("test_tweets").path(FILE).read_bytes() == b"rows"
    assert noted(store) == {"the_other_is_there": ""}


def test_a_working_directory_that_is_taken_away_is_one_line(store: ArtifactStore, tmp_path: Path) -> None:
    folder = store.folder("test_tweets")
    with pytest.raises(UserError) as raised, store.publish("test_tweets") as draft:
        store.root.rename(tmp_path / "elsewhere")
        draft.path(FILE).write_bytes(b"rows")
    assert str(raised.value) == f"{folder}: was removed while it was being made"
    publish(store, "test_tweets", b"rows")
    with pytest.raises(UserError, match=r"\.tmp-\w+: was removed while"), store.publish("test_tweets") as draft:
        draft.directory.rmdir()
    with pytest.raises(RuntimeError, match="of its own"), store.publish("test_tweets") as draft:
        raise RuntimeError("of its own")


def test_two_runs_never_make_the_same_artifact(store: ArtifactStore) -> None:
    with (
        store.publish("test_tweets") as draft,
        pytest.raises(UserError, match="another run is making test_tweets"),
        store.publish("test_tweets"),
    ):
        pass
    assert draft.directory.name.startswith(".tmp-")


def test_a_workspace_outlives_a_failure_and_not_a_change(store: ArtifactStore, settings: Settings) -> None:
    with pytest.raises(RuntimeError), store.publish("emde_sketches"):
        (store.workspace("emde_sketches") / "step-1").write_bytes(b"1")
        raise RuntimeError
    assert (store.workspace("emde_sketches") / "step-1").exists()
    other = bare_store(settings.model_copy(update={"sketch_depth": 5}))
    assert not (other.workspace("emde_sketches") / "step-1").exists()
    assert len(list(store.folder("emde_sketches").glob(".work-*"))) == 1, "that of the settings before is gone"
    publish(other, "emde_sketches", b"codes")
    assert not list(store.folder("emde_sketches").glob(".work-*"))


def test_a_workspace_belongs_to_the_content_of_the_raw_files(store: ArtifactStore, tmp_path: Path) -> None:
    raw = tmp_path / "model.safetensors"

    def resumes(content: bytes) -> bool:
        raw.write_bytes(content)
        return (store.workspace("finetuned_encoder", sources=[raw]) / "resume-7").exists()

    assert not resumes(b"one")
    (store.workspace("finetuned_encoder", sources=[raw]) / "resume-7").mkdir()
    assert resumes(b"one"), "written again, with the same content"
    assert not resumes(b"two"), "other weights of the same size"


KILLED = """
import os, signal, sys
from pathlib import Path
from engage_pipeline_tests.samples import bare_store, edit_manifest, tiny_settings
moment = sys.argv[2]
rename = Path.rename
def killed(self, target):
    if moment == "before rename":
        os.kill(os.getpid(), signal.SIGKILL)
    rename(self, target)
    os.kill(os.getpid(), signal.SIGKILL)
with bare_store(tiny_settings(Path(sys.argv[1]))).publish("test_tweets") as draft:
    draft.path("rows.parquet").write_bytes(b"new")
    if moment == "while writing":
        os.kill(os.getpid(), signal.SIGKILL)
    Path.rename = killed
"""


@pytest.mark.parametrize("moment", ["while writing", "before rename", "after rename"])
def test_a_killed_process_leaves_the_old_version_and_the_next_run_sweeps(tmp_path: Path, moment: str) -> None:
    store = bare_store(tiny_settings(tmp_path))
    publish(store, "test_tweets", b"old")
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), moment], check=False, env=dict(os.environ))
    assert killed.returncode == -signal.SIGKILL
    assert store.open("test_tweets").path(FILE).read_bytes() == b"old"
    publish(store, "test_tweets", b"new")
    assert store.open("test_tweets").path(FILE).read_bytes() == b"new"
    folders = [path.name for path in store.folder("test_tweets").iterdir() if is_version_folder(path)]
    assert len(folders) == 2
    assert not any(name.startswith(".") for name in folders)
