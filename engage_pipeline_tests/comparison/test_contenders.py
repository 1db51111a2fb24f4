"""What a contender runs with, and when its outcome is another one's."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engage_pipeline import catalogue
from engage_pipeline.commands.comparison import parse_worlds
from engage_pipeline.comparison import contenders
from engage_pipeline.comparison.contenders import common_values, contender
from engage_pipeline.comparison.worlds import RawFiles, Variant, WorldSpec
from engage_pipeline.errors import UserError
from engage_pipeline.settings.families import DEFAULT_FAMILIES
from engage_pipeline.settings.settings import settings_from
from engage_pipeline.synthetic.recipes import Recipe

WORLD = WorldSpec(1000, 1)
RAW = RawFiles(*(Path(name) for name in ("/w/train", "/w/validation/part-00000", "/w/test", "/w/labels", "/w/oracle")))
NAMES = ("synerise", "reference_trees", "default", "demo")


def key(name: str, world: WorldSpec = WORLD, **values: Any) -> str:
    return contender(name).key(common_values(None) | values, world)


def test_a_run_has_its_preset_the_tiny_encoder_and_its_own_places():
    values = contender("synerise").settings(common_values(None), RAW, Path("/w/run/data"))
    settings = settings_from(values, folder=Path("/elsewhere"))
    assert (settings.preset, settings.encoder.model, settings.encoder.max_tweets) == ("synerise", "tiny", 640)
    assert settings.network.schedule == "days"
    assert settings.recsys_data == Path("/w/train")
    assert settings.working_dir == Path("/w/run/data")
    assert settings.deletions == Path("/w/run/data/deletions")


def test_a_settings_file_is_laid_over_the_tiny_encoder(tmp_path: Path):
    config = tmp_path / "common.yaml"
    config.write_text("encoder: {max_tweets: 50}\nnetwork: {hidden_size: 8}\n")
    common = common_values(config)
    assert common["encoder"] | {"max_tweets": 640} == common_values(None)["encoder"]
    assert (common["encoder"]["max_tweets"], common["network"]) == (50, {"hidden_size": 8})


@pytest.mark.parametrize(
    ("name", "value"),
    [("preset", "demo"), ("working_dir", "x"), ("test_data", "y"), ("netwrok", "{}"), ("seed", "one")],
)
def test_a_settings_file_that_can_not_be_laid_over_is_named(tmp_path: Path, name: str, value: str):
    config = tmp_path / "common.yaml"
    config.write_text(f"{name}: {value}\n")
    with pytest.raises(UserError, match=rf"common\.yaml: {name}: "):
        common_values(config)


def test_an_unknown_preset_is_named():
    with pytest.raises(UserError, match="'best' is not one of synerise, default, demo, reference_trees"):
        contender("best")


def test_every_contender_and_world_has_a_key_of_its_own():
    worlds = [
        WORLD,
        WorldSpec(2000, 1),
        WorldSpec(1000, 2),
        WorldSpec(1000, 1, Variant.SHUFFLED),
        WorldSpec(1000, 1, Variant.STRANGERS),
    ]
    keys = {key(name, world) for name in NAMES for world in worlds}
    assert len(keys) == len(NAMES) * len(worlds)


def test_a_key_changes_with_the_settings_that_matter_and_no_others():
    for name in NAMES:
        assert key(name, seed=1) != key(name)
        assert key(name, engine={"threads": 1}) == key(name)
        assert key(name, evaluation={"follower_edges": [10]}) != key(name)
    assert key("default", network={"hidden_size": 8}) != key("default")
    assert key("reference_trees", network={"hidden_size": 8}) == key("reference_trees")


def test_a_key_changes_with_the_code_of_what_is_made(monkeypatch: pytest.MonkeyPatch):
    before = {name: key(name) for name in NAMES}
    network = catalogue.ARTIFACTS["pretrained_network"]
    monkeypatch.setitem(catalogue.ARTIFACTS, "pretrained_network", replace(network, code_version="next"))
    assert [name for name in NAMES if key(name) != before[name]] == ["synerise", "default", "demo"]
    counts = catalogue.ARTIFACTS["interaction_counts"]
    monkeypatch.setitem(catalogue.ARTIFACTS, "interaction_counts", replace(counts, code_version="next"))
    assert key("reference_trees") != before["reference_trees"]


def test_worlds_are_every_size_with_every_seed_or_with_its_own():
    sizes = [WorldSpec(100, 1), WorldSpec(100, 2), WorldSpec(200, 3)]
    assert parse_worlds("100,200:3", "1, 2", "plain") == sizes
    drifting = [replace(world, kind=Recipe.DRIFT) for world in sizes]
    assert parse_worlds("100,200:3", "1, 2", "drift, plain") == [*drifting, *sizes]
    with pytest.raises(UserError, match=r"--kinds: 'x' is not one of plain, drift, threads, network, all"):
        parse_worlds("100", "1", "plain,x")


@pytest.mark.parametrize(("sizes", "seeds"), [("x", "1"), ("1.5", "1"), ("100:", "1"), ("100", "-1"), ("", "1")])
def test_what_is_no_size_or_seed_is_named(sizes: str, seeds: str):
    with pytest.raises(UserError, match=r"--(sizes|seeds): .* is not a whole number"):
        parse_worlds(sizes, seeds, "plain")


def test_an_ablation_leaves_one_family_out_at_a_time():
    found = contenders.ablations()
    assert tuple(found) == DEFAULT_FAMILIES
    assert {one.preset for one in found.values()} == {"default"}
    assert found["habit_effects"].name == "default-without-habit_effects"
    kept = [name for name in DEFAULT_FAMILIES if name != "habit_effects"]
    assert found["habit_effects"].values == {"features": {"families": kept}}
