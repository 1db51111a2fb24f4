"""Going back to a kept model: it predicts at once, stays, and nothing is lost on the way."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.model.promotion.rollback import format_models, kept_models, promote_by_hand, roll_back
from engage_pipeline.store.current_link import is_version_folder
from engage_pipeline.store.kept_versions import LAST
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline_tests.model.bundles import quiet_settings
from engage_pipeline_tests.model.promotion.promotions import (
    decide,
    delete_a_row,
    edit_json,
    files_of,
    make_store,
    mean_rce,
    predicting,
    publish_candidate,
    shift_blend,
)
from engage_pipeline_tests.samples import bare_store

TOLERANT = {"tolerance": 1000}


@pytest.fixture(scope="module")
def decided(bundles: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory where `good`, then `bad`, then `worse` was promoted."""
    folder = tmp_path_factory.mktemp("decided")
    for name in ("good", "bad", "worse"):
        decide(make_store(folder / "data", promotion=TOLERANT, raw=folder / "raw"), bundles[name])
    return folder / "data"


@pytest.fixture
def store(decided: Path, tmp_path: Path) -> ArtifactStore:
    """A copy of that directory, without tolerance from now on."""
    shutil.copytree(decided, tmp_path / "data")
    return bare_store(quiet_settings(tmp_path / "data", promotion={"tolerance": 0}))


def versions(store: ArtifactStore) -> list[str]:
    return [model.version for model in kept_models(store)]


def test_the_list_shows_when_each_was_promoted_and_how_it_scored(
    store: ArtifactStore, bundles: dict[str, Path]
) -> None:
    models = kept_models(store)
    assert [model.predicts for model in models] == [True, False, False]
    for model, name in zip(models, ("worse", "bad", "good"), strict=True):
        assert files_of(model.source.directory()) == files_of(bundles[name])
        assert model.rce == pytest.approx(mean_rce(bundles[name]))
    header, *lines = format_models(models).splitlines()
    assert header.split() == ["version", "promoted", "mean", "RCE", "then"]
    assert lines[0].split()[0] == models[0].version
    assert lines[0].endswith(f"UTC  {models[0].rce:>13.2f}  predicts")
    assert not lines[1].endswith("predicts")


def test_each_step_back_goes_further(store: ArtifactStore, bundles: dict[str, Path]) -> None:
    worse, bad, good = versions(store)
    made = roll_back(store)
    assert predicting(store) == files_of(bundles["bad"])
    assert made.version == bad
    assert made.facts["rolled_back_from"] == worse
    assert made.facts["decision"].startswith(f"rolled back to {bad[:8]} on 20")
    assert roll_back(store).version == good
    assert predicting(store) == files_of(bundles["good"])
    with pytest.raises(UserError, match="no earlier model is kept: there is nothing to roll back to"):
        roll_back(store)
    assert versions(store) == [worse, bad, good]
    assert [model.predicts for model in kept_models(store)] == [False, False, True]


def test_the_beginning_of_a_version_is_enough(store: ArtifactStore) -> None:
    worse, _, good = versions(store)
    assert roll_back(store, good[:6]).version == good
    assert roll_back(store, worse).version == worse


def test_what_is_known_of_the_model_comes_back_with_it(store: ArtifactStore) -> None:
    good = kept_models(store)[-1]
    made = roll_back(store, good.version)
    assert made.facts["promoted_at"] == good.promoted_at
    assert made.facts["rce_at_promotion"] == good.rce
    assert not made.facts["promoted"]


def test_mistakes_are_named(store: ArtifactStore) -> None:
    before = predicting(store)
    there = versions(store)
    for wrong in ("xyz", ""):
        with pytest.raises(UserError, match=f"no kept model has the version '{wrong}'; kept: {', '.join(there)}"):
            roll_back(store, wrong)
    with pytest.raises(UserError, match=f"model {there[0]} predicts already"):
        roll_back(store, there[0])
    assert predicting(store) == before


def test_an_ambiguous_beginning_is_named(tmp_path: Path) -> None:
    store = bare_store(quiet_settings(tmp_path, promotion={"keep": 20}))
    for content in range(17):  # one more than there are hexadecimal digits
        with store.publish("trained_model") as draft:
            draft.path("blend.json").write_text(str(content), encoding="utf-8")
    firsts = [version[0] for version in versions(store)]
    twice = next(digit for digit in firsts if firsts.count(digit) > 1)
    with pytest.raises(UserError, match=f"'{twice}' is the beginning of .* and .*: give more"):
        roll_back(store, twice)


def test_without_any_model_there_is_nothing_to_roll_back_to(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing to roll back to"):
        roll_back(bare_store(quiet_settings(tmp_path)))
    assert not list(tmp_path.iterdir())


def test_a_damaged_model_is_not_returned_to(store: ArtifactStore, bundles: dict[str, Path]) -> None:
    good = kept_models(store)[-1]
    weights = good.source.path("finetuned_network.safetensors")
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(UserError, match=f"safetensors: damaged: .*; model {good.version} can't be rolled back to"):
        roll_back(store, good.version)
    assert predicting(store) == files_of(bundles["worse"])


def test_a_model_of_other_columns_is_not_returned_to(tmp_path: Path, bundles: dict[str, Path]) -> None:
    older = tmp_path / "older"
    shutil.copytree(bundles["good"], older)
    edit_json(older / "trees.json", columns=["n_tokens"])
    store = make_store(tmp_path / "data", promotion={**TOLERANT, "least_first_rce": None})
    decide(store, older)
    decide(store, bundles["bad"])
    with pytest.raises(UserError, match="trees read column 'n_tokens'"):
        roll_back(store)
    assert predicting(store) == files_of(bundles["bad"])


def test_a_model_that_saw_deleted_rows_is_not_returned_to(
    store: ArtifactStore, bundles: dict[str, Path], tmp_path: Path
) -> None:
    delete_a_row(store, tmp_path / "raw")
    with pytest.raises(UserError, match=r"model \w+ was trained on rows that were deleted 20.* UTC: train anew"):
        roll_back(store)
    assert predicting(store) == files_of(bundles["worse"])


def test_another_run_that_makes_the_model_is_not_disturbed(store: ArtifactStore) -> None:
    with store.publish("trained_model") as draft, pytest.raises(UserError, match="another run is making trained_model"):
        roll_back(store)
    assert draft.manifest is not None


def test_the_same_candidate_is_not_promoted_again(store: ArtifactStore, bundles: dict[str, Path]) -> None:
    bad = versions(store)[1]
    roll_back(store, bad)
    assert store.stale("trained_model") is None
    made = decide(store)
    assert made.version == bad
    assert made.facts["decision"].startswith("held back: it was given up for another model on 20")
    tolerant = make_store(store.root, promotion=TOLERANT)
    assert decide(tolerant).version == bad
    assert predicting(store) == files_of(bundles["bad"])


def test_going_forward_again_gives_up_the_model_between_alone(store: ArtifactStore) -> None:
    worse, bad, _ = versions(store)
    roll_back(store, bad)
    roll_back(store, worse)
    assert store.open("trained_model").manifest.facts["held_back"] == [bad]


def test_the_next_candidate_competes_with_the_model_rolled_back_to(
    store: ArtifactStore, bundles: dict[str, Path]
) -> None:
    _, bad, good = versions(store)
    roll_back(store, bad)
    assert decide(store, bundles["good"]).version == good
    assert "held_back" not in store.open("trained_model").manifest.facts
    assert decide(store, bundles["worse"]).version == good


def test_a_candidate_that_was_not_judged_yet_still_will_be(store: ArtifactStore, bundles: dict[str, Path]) -> None:
    publish_candidate(store, bundles["good"])
    assert store.stale("trained_model") == "candidate_model changed"
    roll_back(store)
    assert store.stale("trained_model") == "candidate_model changed"
    decide(store)
    assert predicting(store) == files_of(bundles["good"])


def test_a_turned_down_candidate_stays_so_after_a_rollback(store: ArtifactStore, bundles: dict[str, Path]) -> None:
    worse, _, good = versions(store)
    roll_back(store, good)
    assert not decide(store, bundles["bad"]).facts["promoted"]
    roll_back(store, worse)
    assert store.stale("trained_model") is None
    assert decide(make_store(store.root, promotion=TOLERANT)).version == worse


def damage_manifest(store: ArtifactStore) -> Path:
    """Changes one byte of the manifest of trained_model."""
    path = store.folder("trained_model") / "manifest.json"
    content = bytearray(path.read_bytes())
    content[300] ^= 1
    path.write_bytes(content)
    return path


def test_a_damaged_manifest_undoes_no_rollback_and_the_line_says_how_to_go_on(
    store: ArtifactStore, bundles: dict[str, Path]
) -> None:
    good = versions(store)[-1]
    roll_back(store, good)
    before = {path.name for path in store.folder("trained_model").iterdir()}
    path = damage_manifest(store)
    with pytest.raises(UserError) as raised:
        decide(make_store(store.root, promotion=TOLERANT))
    told = re.fullmatch(
        rf"{path}: damaged, so the model that predicted until now is unknown, and no other one takes its place: "
        r"`engage rollback --to (\w+)` lets it predict again; `engage run` decides anew once that file is removed",
        str(raised.value),
    )
    assert told, raised.value
    assert {path.name for path in store.folder("trained_model").iterdir()} == before
    assert roll_back(store, told[1]).version == good
    assert predicting(store) == files_of(bundles["good"])
    assert decide(make_store(store.root, promotion=TOLERANT)).version == good


def test_without_a_copy_of_the_damaged_manifest_the_kept_models_are_offered(
    store: ArtifactStore, bundles: dict[str, Path]
) -> None:
    bad = versions(store)[1]
    (store.folder("trained_model") / LAST).unlink()
    damage_manifest(store)
    with pytest.raises(UserError, match=r"`engage rollback --to VERSION` lets a kept one predict \(`engage rollback`"):
        decide(store)
    assert bad in versions(store)
    assert roll_back(store, bad).version == bad
    assert predicting(store) == files_of(bundles["bad"])


def test_without_a_kept_model_the_damaged_manifest_is_to_be_removed_and_its_model_stays_kept(
    tmp_path: Path, bundles: dict[str, Path]
) -> None:
    store = make_store(tmp_path / "data", promotion={**TOLERANT, "least_first_rce": None})
    first = decide(store, bundles["good"])
    publish_candidate(store, bundles["bad"])
    damage_manifest(store)
    last = store.folder("trained_model") / LAST
    content = last.read_bytes()
    last.unlink()
    with pytest.raises(UserError, match=r"is unknown, .* place: `engage run` decides anew once that file is removed$"):
        decide(store)
    last.write_bytes(content)
    (store.folder("trained_model") / "manifest.json").unlink()
    second = decide(store)
    assert second.facts["decision"] == "promoted: no model predicted before"
    assert versions(store) == [second.version, first.version]
    roll_back(store, first.version)
    assert predicting(store) == files_of(bundles["good"])


def test_a_rollback_with_a_damaged_manifest(store: ArtifactStore, bundles: dict[str, Path]) -> None:
    there = versions(store)
    damage_manifest(store)
    assert versions(store) == there
    assert not any(model.predicts for model in kept_models(store))
    made = roll_back(store)
    assert predicting(store) == files_of(bundles["bad"])
    assert made.facts["rolled_back_from"] is None
    assert store.stale("trained_model") is None
    assert decide(make_store(store.root, promotion=TOLERANT)).version == made.version


def test_promoting_by_hand_overrules_scores_and_rollbacks(store: ArtifactStore, bundles: dict[str, Path]) -> None:
    roll_back(store)
    made = promote_by_hand(store)
    assert predicting(store) == files_of(bundles["worse"])
    assert made.facts["promoted"]
    assert made.facts["decision"].startswith("promoted by hand on 20")
    assert store.stale("trained_model") is None
    assert decide(store).version == made.version
    with pytest.raises(UserError, match=f"the candidate {made.version[:8]} predicts already"):
        promote_by_hand(store)


def test_promoting_a_turned_down_candidate_keeps_its_score(store: ArtifactStore, bundles: dict[str, Path]) -> None:
    roll_back(store, versions(store)[-1])
    assert not decide(store, bundles["bad"]).facts["promoted"]
    assert promote_by_hand(store).facts["rce_at_promotion"] == pytest.approx(mean_rce(bundles["bad"]))


def test_promoting_the_model_given_up_by_a_rollback_keeps_its_score(
    store: ArtifactStore, bundles: dict[str, Path]
) -> None:
    """Its score was noted when it was promoted, although the decision that noted it is no longer the last one."""
    roll_back(store)
    roll_back(store)
    made = promote_by_hand(store)
    assert predicting(store) == files_of(bundles["worse"])
    assert made.facts["rce_at_promotion"] == pytest.approx(mean_rce(bundles["worse"]))
    assert kept_models(store)[0].rce == made.facts["rce_at_promotion"]
    roll_back(store)  # of a promotion by hand, which judged nothing
    assert promote_by_hand(store).facts["rce_at_promotion"] == made.facts["rce_at_promotion"]


def test_promoting_a_candidate_that_never_predicted_keeps_its_score_over_a_rollback(
    store: ArtifactStore, bundles: dict[str, Path], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(bundles["bad"], other)
    shift_blend(other, 0.01)
    roll_back(store, versions(store)[-1])
    assert not decide(store, other).facts["promoted"]
    roll_back(store, versions(store)[1])
    assert promote_by_hand(store).facts["rce_at_promotion"] == pytest.approx(mean_rce(other))


KILLED = """
import os, signal, sys, shutil
from pathlib import Path
from engage_pipeline.model.promotion.rollback import roll_back
from engage_pipeline_tests.model.bundles import quiet_settings
from engage_pipeline_tests.samples import bare_store
moment = sys.argv[2]
copyfile, replace = shutil.copyfile, Path.replace
def die(): os.kill(os.getpid(), signal.SIGKILL)
def copied(source, target):
    copyfile(source, target)
    if moment == "while copying" and Path(target).name.startswith("finetuned"): die()
def replaced(self, target):
    if moment == "before the manifest" and target.name == "manifest.json": die()
    replace(self, target)
    if moment == "after the manifest" and target.name == "manifest.json": die()
shutil.copyfile, Path.replace = copied, replaced
roll_back(bare_store(quiet_settings(Path(sys.argv[1]))))
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("moment", "expected"),
    [("while copying", "worse"), ("before the manifest", "worse"), ("after the manifest", "bad")],
)
def test_a_kill_leaves_a_whole_model_and_the_next_rollback_sweeps(
    store: ArtifactStore, bundles: dict[str, Path], moment: str, expected: str
) -> None:
    there = versions(store)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(store.root), moment], check=False, env=dict(os.environ))
    assert killed.returncode == -signal.SIGKILL
    assert predicting(store) == files_of(bundles[expected])
    assert versions(store) == there
    roll_back(store, there[-1])
    assert predicting(store) == files_of(bundles["good"])
    assert versions(store) == there
    assert not list(store.folder("trained_model").glob(".tmp-*"))
    assert len([path for path in store.folder("trained_model").iterdir() if is_version_folder(path)]) <= 4
