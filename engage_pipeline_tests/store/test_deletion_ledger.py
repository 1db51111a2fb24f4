"""Which artifacts predate a deletion: followed through every artifact between, until each is made anew."""

import re
from pathlib import Path

import pytest

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.errors import UserError
from engage_pipeline.store.deletion_ledger import LEDGER, enter, enter_replaced_inputs, predating
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline.store.wanted import input_versions
from engage_pipeline_tests.samples import bare_store, tiny_settings

CHAIN = ("interaction_counts", "interaction_features", "pretrained_network", "finetuned_network")


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    store = bare_store(tiny_settings(tmp_path / "data", recsys_data=str(tmp_path / "raw")))
    (tmp_path / "raw").mkdir()
    for key in ("part-0", "part-1"):
        (tmp_path / "raw" / key).write_bytes(key.encode())
        ingest(store, key, f"rows of {key}")
    for name in CHAIN:
        make(store, name)
    return store


def ingest(store: ArtifactStore, key: str, content: str) -> None:
    with store.publish("tweet_parts", key, [store.settings.recsys_data / key]) as draft:
        draft.path("tweets.parquet").write_text(content)


def make(store: ArtifactStore, name: str, content: str | None = None) -> None:
    """As an asset would: of the inputs as they are, which determine the content unless it is given."""
    keys = store.parts() if name == "interaction_features" else [None]
    for key in keys:
        with store.publish(name, key) as draft:
            inputs = input_versions(store, ARTIFACTS[name], key)
            draft.path("content").write_text(content or f"{name} of {inputs}")


def delete_from(store: ArtifactStore, key: str, content: str = "fewer rows") -> None:
    manifest = store.manifest("tweet_parts", key)
    assert manifest
    enter(store, [manifest])
    ingest(store, key, content)


def names(store: ArtifactStore) -> set[str]:
    return set(predating(store))


BELOW = {"interaction_counts", "interaction_features/part-0", "interaction_features/part-1", *CHAIN[2:]}


def test_nothing_predates_before_the_first_deletion(store: ArtifactStore) -> None:
    assert predating(store) == {}


def test_a_deletion_is_followed_to_the_end_of_the_graph(store: ArtifactStore) -> None:
    delete_from(store, "part-0")
    assert names(store) == BELOW


def test_each_is_cleared_when_it_is_made_anew_of_what_is_clear(store: ArtifactStore) -> None:
    delete_from(store, "part-0")
    make(store, "interaction_counts")
    assert names(store) == BELOW - {"interaction_counts"}
    make(store, "interaction_features")
    assert names(store) == {"pretrained_network", "finetuned_network"}
    make(store, "pretrained_network")
    assert names(store) == {"finetuned_network"}
    make(store, "finetuned_network")
    assert names(store) == set()


def test_what_is_made_anew_of_what_predates_predates_still(store: ArtifactStore) -> None:
    delete_from(store, "part-0")
    make(store, "finetuned_network", "trained on and on")
    assert "finetuned_network" in names(store)
    make(store, "interaction_counts")
    make(store, "interaction_features")
    make(store, "finetuned_network", "and again")
    assert names(store) == {"pretrained_network", "finetuned_network"}


def test_what_comes_out_unchanged_clears_what_is_below_it(store: ArtifactStore) -> None:
    make(store, "interaction_counts", "the same counts")
    make(store, "interaction_features", "the same features")
    make(store, "pretrained_network")
    delete_from(store, "part-0")
    make(store, "interaction_counts", "the same counts")
    make(store, "interaction_features", "the same features")
    assert "interaction_features/part-0" not in names(store)
    assert "pretrained_network" not in names(store)


def test_a_part_that_was_entered_and_not_rewritten_yet_predates(store: ArtifactStore) -> None:
    manifest = store.manifest("tweet_parts", "part-1")
    assert manifest
    enter(store, [manifest])
    assert names(store) == {"tweet_parts/part-1", *BELOW}
    ingest(store, "part-1", "rows of part-1")
    assert "tweet_parts/part-1" not in names(store)


def test_the_first_deletion_is_the_one_that_is_told(store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import UTC, datetime

    from engage_pipeline.store import deletion_ledger as module

    class Clock(datetime):
        day = 1

        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime(2021, 3, cls.day, tzinfo=UTC)

    monkeypatch.setattr(module, "datetime", Clock)
    delete_from(store, "part-0")
    make(store, "interaction_counts")
    Clock.day = 9
    delete_from(store, "part-1")
    dates = predating(store)
    assert dates["interaction_counts"][:10] == "2021-03-09"
    assert dates["finetuned_network"][:10] == "2021-03-01"


def test_an_entry_keeps_its_date_when_it_is_made_again(store: ArtifactStore) -> None:
    manifest = store.manifest("tweet_parts", "part-1")
    assert manifest
    enter(store, [manifest])
    path = store.root / LEDGER
    path.write_text(re.sub(r"20\d\d-\d\d-\d\dT", "2021-03-01T", path.read_text()))
    enter(store, [manifest])
    assert {date[:10] for date in predating(store).values()} == {"2021-03-01"}


def test_a_replaced_input_counts_as_one_that_may_hold_what_is_deleted(store: ArtifactStore) -> None:
    ingest(store, "part-0", "other rows")
    enter_replaced_inputs(store)
    assert names(store) == BELOW
    make(store, "interaction_counts")
    make(store, "interaction_features")
    assert names(store) == {"pretrained_network", "finetuned_network"}


def test_a_kept_model_predates_when_it_is_returned_to(store: ArtifactStore) -> None:
    for name in ("candidate_model", "trained_model"):
        make(store, name)
    first = store.open("trained_model").manifest
    delete_from(store, "part-0")
    for name in (*CHAIN, "candidate_model", "trained_model"):
        make(store, name)
    assert names(store) == set()
    with store.publish("trained_model") as draft:
        draft.path("content").write_text((store.folder("trained_model") / first.directory / "content").read_text())
        draft.inputs = first.inputs
    assert names(store) == {"trained_model"}


def test_a_kept_model_predates_also_if_it_stands_in_for_one_that_does_not(store: ArtifactStore) -> None:
    for content in ("first", "second"):
        make(store, "candidate_model", content)
        make(store, "trained_model", content)
    delete_from(store, "part-0")
    for name in (*CHAIN, "candidate_model", "trained_model"):
        make(store, name)
    assert names(store) == set()
    make(store, "trained_model", "first")
    assert names(store) == {"trained_model"}


def test_a_broken_ledger_is_one_clear_line(store: ArtifactStore) -> None:
    (store.root / "deletions").mkdir()
    (store.root / "deletions" / "ledger.json").write_text("[]")
    with pytest.raises(UserError, match=r"ledger\.json: not the ledger"):
        predating(store)


def test_a_model_that_goes_on_predicting_in_place_of_a_clean_one_predates(store: ArtifactStore) -> None:
    model = "trained_model"
    candidate = "candidate_model"
    for name in (candidate, model):
        make(store, name, "first")
    delete_from(store, "part-0")
    for name in CHAIN:
        make(store, name)
    make(store, candidate, "second")
    make(store, model, "first")
    assert names(store) == {model}
    make(store, candidate, "first")
    make(store, model, "first")
    assert names(store) == set()
