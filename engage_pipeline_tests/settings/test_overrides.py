"""Single settings from the environment, the command line and the launchpad: who wins, and whose mistake it is."""

from pathlib import Path

import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.settings.overrides import from_arguments, from_mapping, nested
from engage_pipeline.settings.settings import Settings, load_settings

FILE = "network: {hidden_size: 16, batch_size: 64}\nmax_n_parts: 3\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(FILE, encoding="utf-8")
    return path


def load(config: Path, *arguments: str, preset: str | None = None) -> Settings:
    return load_settings(config, preset=preset, overrides=from_arguments(arguments))


def test_the_later_source_wins_and_neighbours_stay(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(config).network.hidden_size == 16
    monkeypatch.setenv("ENGAGE__NETWORK__HIDDEN_SIZE", "32")
    assert load(config).network.hidden_size == 32
    settings = load(config, "network.hidden_size=64", "network.hidden_size=128")
    assert (settings.network.hidden_size, settings.network.batch_size, settings.max_n_parts) == (128, 64, 3)


def test_a_preset_is_chosen_by_the_last_source(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGAGE__PRESET", "demo")
    assert load(config).encoder.model == "tiny"
    assert not load(config, preset="synerise").trees.enabled
    assert load(config, "preset=demo", preset="synerise").encoder.model == "tiny"
    assert load(config, preset="synerise").network.hidden_size == 16, "the defaults alone are another preset's"


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("max_n_parts=null", "max_n_parts", None),
        ("trees.enabled=false", "trees.enabled", False),
        ("network.learning_rate=1e-4", "network.learning_rate", 1e-4),
        ("evaluation.follower_edges=[1, 20, 300]", "evaluation.follower_edges", (1, 20, 300)),
        ("network={batch_size: 32}", "network.hidden_size", 16),
        ("engine.memory_limit=2GB", "engine.memory_limit", "2GB"),
        ("checks.label_rates.like=[0.2, 0.3]", "checks.label_rates", None),
    ],
)
def test_a_value_is_written_as_in_the_file(config: Path, text: str, name: str, value: object) -> None:
    settings: object = load(config, text)
    for step in name.split("."):
        settings = getattr(settings, step)
    if name == "checks.label_rates":
        assert isinstance(settings, dict)
        assert settings == {"like": (0.2, 0.3)}, "as in a file: the others are not checked"
    else:
        assert settings == value


def test_variables_spell_names_in_capitals(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGAGE__AUTHORS_SIMILARITY_TOP_N", "7")
    monkeypatch.setenv("ENGAGE__CHECKS__LABEL_RATES__RETWEET_WITH_COMMENT", "[0.1, 0.2]")
    monkeypatch.setenv("ENGAGE__NETWORK", "{epochs: 2}")
    monkeypatch.setenv("ENGAGE__NETWORK__EPOCHS", "5")
    monkeypatch.setenv("ENGAGE__SEED", "")
    settings = load(config)
    assert settings.authors_similarity_top_N == 7
    assert settings.checks.label_rates["retweet_with_comment"] == (0.1, 0.2)
    assert settings.network.epochs == 5
    assert settings.seed == Settings().seed, "an empty variable is unset"


def test_a_relative_path_is_relative_to_the_file(config: Path, tmp_path: Path) -> None:
    assert load(config, "working_dir=elsewhere").working_dir == tmp_path / "elsewhere"


@pytest.mark.parametrize(
    ("arguments", "variables", "line"),
    [
        (["network.hiden_size=3"], {}, "--set: network.hiden_size: no such setting"),
        (["network.hidden_size=many"], {}, "--set: network.hidden_size: a whole number is needed (found 'many')"),
        (["network=3"], {}, "--set: network: "),
        (["hidden_size"], {}, "--set 'hidden_size': write section.key=value"),
        (["=3"], {}, "--set '=3': write section.key=value"),
        (["seed=[1"], {}, "--set seed, line 1: not a YAML file"),
        (["preset=best"], {}, "--set: preset: 'best' is not one of synerise, default, demo"),
        ([], {"ENGAGE__PRESET": "best"}, "ENGAGE__PRESET: preset: 'best' is not one of"),
        ([], {"ENGAGE__NETWORK__HIDEN_SIZE": "3"}, "ENGAGE__NETWORK__HIDEN_SIZE: network.hiden_size: no such setting"),
        ([], {"ENGAGE__SEED": "-1"}, "ENGAGE__SEED: seed: "),
        ([], {"ENGAGE__SEED": "{"}, "ENGAGE__SEED, line 1: not a YAML file"),
        (["seed=1"], {"ENGAGE__NETWORK": "{hidden_size: x, epochs: 1}"}, "ENGAGE__NETWORK: network.hidden_size: "),
        (
            ["automation.freshness_fail_hours=1", "seed=3"],
            {},
            "--set: automation: freshness_warn_hours must be less than freshness_fail_hours",
        ),
    ],
)
def test_a_mistake_names_its_source_in_one_line(
    config: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], variables: dict[str, str], line: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError) as error:
        load(config, *arguments)
    assert str(error.value).startswith(line)
    assert "\n" not in str(error.value)


def test_each_mistake_names_its_own_source(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text("network: {hidden_size: x}\nsketch_depth: 0\n", encoding="utf-8")
    monkeypatch.setenv("ENGAGE__SEED", "-1")
    with pytest.raises(UserError) as error:
        load(config, "network.epochs=0", "sketch_depth=2", preset="best")
    assert [line.partition(" (")[0] for line in str(error.value).split("\n")] == [
        "--preset: preset: 'best' is not one of synerise, default, demo",
        "ENGAGE__SEED: seed: must be greater than or equal to 0",
        f"{config}: network.hidden_size: a whole number is needed",
        "--set: network.epochs: must be greater than or equal to 1",
    ]


def test_all_arguments_and_variables_of_no_form_are_named(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError) as error:
        load(config, "hidden_size", "seed=3", "max_n_parts=[")
    first, second = str(error.value).split("\n")
    assert first.startswith("--set 'hidden_size': write section.key=value")
    assert second.startswith("--set max_n_parts, line 1: not a YAML file")
    for name in ("SEED", "SKETCH_DEPTH"):
        monkeypatch.setenv(f"ENGAGE__{name}", "{")
    with pytest.raises(UserError) as error:
        load(config)
    assert [line.partition(",")[0] for line in str(error.value).split("\n")] == ["ENGAGE__SEED", "ENGAGE__SKETCH_DEPTH"]


def test_a_mistake_in_the_file_is_still_the_file_s(config: Path) -> None:
    config.write_text("network: {hidden_size: x}\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"config\.yaml: network\.hidden_size: "):
        load(config, "network.epochs=3", "seed=2")
    assert load(config, "network.hidden_size=3").network.hidden_size == 3


def test_a_mapping_may_be_nested_or_dotted() -> None:
    given = {"network": {"hidden_size": 3}, "network.epochs": 2, "seed": 1}
    assert nested(from_mapping(given, "there")) == {"network": {"hidden_size": 3, "epochs": 2}, "seed": 1}
