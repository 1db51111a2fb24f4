from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.model.facts import BundleFacts
from engage_pipeline.model.provenance import _told, _window, provenance
from engage_pipeline.store.file_names import MODEL_CARD, REPORT
from engage_pipeline_tests import worlds
from engage_pipeline_tests.samples import tiny_settings


@pytest.mark.long
def test_the_candidate_s_manifest_tells_what_it_was_trained_on(finished_world: Path) -> None:
    store = worlds.store_of(finished_world / "config.yaml")
    known = BundleFacts.read(store.open("candidate_model").manifest).provenance
    assert known == provenance(store)
    assert known is not None
    parts = [store.open("tweet_parts", part).manifest for part in store.parts()]
    assert known.parts == len(parts) == worlds.PARTS
    assert known.rows == sum(part.rows or 0 for part in parts)
    for name, count in known.positives.items():
        assert count == sum(part.facts["positives"][name] for part in parts)
    days = sorted(day for part in parts for day in part.facts["days"].split(" to "))
    assert (known.first_day, known.last_day, known.stray_rows) == (days[0], days[-1], 0)
    assert known.validation_rows == store.open("validation_tweets").manifest.rows
    assert known.data["validation_tweets"] == store.open("validation_tweets").manifest.version
    assert known.preset == "demo"
    assert known.settings["network.hidden_size"] == 16
    assert "network.learning_rate" not in known.settings
    assert "features.further" not in known.settings
    assert known.libraries["torch"]


@pytest.mark.long
def test_report_and_card_name_the_code_of_the_model(finished_world: Path) -> None:
    store = worlds.store_of(finished_world / "config.yaml")
    code = provenance(store).code
    assert f"| code | {code} |" in store.open("trained_model").path(MODEL_CARD).read_text(encoding="utf-8")
    assert f"{code} (a digest of " in store.open("evaluation").path(REPORT).read_text(encoding="utf-8")


@pytest.mark.long
@pytest.mark.parametrize(("artifact", "same"), [("tweet_topics", False), ("submission", True)])
def test_the_digest_of_the_code_follows_the_code_versions_of_what_it_is_made_of(
    finished_world: Path, monkeypatch: pytest.MonkeyPatch, artifact: str, same: bool
) -> None:
    store = worlds.store_of(finished_world / "config.yaml")
    before = provenance(store).code
    monkeypatch.setitem(ARTIFACTS, artifact, replace(ARTIFACTS[artifact], code_version="99"))
    assert (provenance(store).code == before) == same


def test_stray_days_are_outside_the_window() -> None:
    days, rows = np.array([0, 18_662, 18_663, 18_664, 30_000], np.int32), np.array([2, 50, 0, 60, 3])
    assert _window(days, rows) == {
        "rows": 115,
        "first_day": "2021-02-04",
        "last_day": "2021-02-06",
        "stray_rows": 5,
    }
    assert _window(days[:0], rows[:0]) == {"rows": 0, "first_day": "", "last_day": "", "stray_rows": 0}


def test_a_local_encoder_s_path_is_not_told(tmp_path: Path) -> None:
    local = tiny_settings(tmp_path, encoder={"model": str(tmp_path)})
    assert _told({"encoder.model": str(tmp_path), "features.further": [], "seed": 1}, local) == {
        "encoder.model": "a local folder",
        "seed": 1,
    }
    hub = tiny_settings(tmp_path, encoder={"model": "some/encoder"})
    assert _told({"encoder.model": "some/encoder"}, hub) == {"encoder.model": "some/encoder"}
