"""Settings: presets, the reference's own file, and every mistake named in one line."""

import re
from pathlib import Path

import pytest
from dagster._core.definitions.utils import is_valid_owner

from engage_pipeline.errors import UserError
from engage_pipeline.settings.families import (
    DEFAULT_FAMILIES,
    FAMILY_NAMES,
    FURTHER_FAMILIES,
    REFERENCE_FAMILIES,
    SCORED_FILE,
)
from engage_pipeline.settings.settings import PRESETS, Settings, load_settings, settings_from

REFERENCE_FILE = """
working_dir: /tmp/work
recsys_data: /data/recsys
validation_part: /data/validation/part-00000
max_n_parts: 200
max_n_parts_in_memory: 20
authors_similarity_top_N: 10
authors_similarity_threshold: 0.1
validation_percentage: 0.1
num_validation_chunks: 10
sketch_width: 256
sketch_depth: 20
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_written_for_the_reference_works_unchanged(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, REFERENCE_FILE), preset="synerise")
    assert settings.working_dir == Path("/tmp/work")  # noqa: S108
    assert (settings.max_n_parts, settings.max_n_parts_in_memory) == (200, 20)
    assert (settings.sketch_width, settings.sketch_depth) == (256, 20)


@pytest.mark.parametrize("preset", PRESETS)
def test_no_preset_has_families_on_that_are_off_by_default(preset: str, tmp_path: Path) -> None:
    features = settings_from({"preset": preset}, folder=tmp_path).features
    assert {*features.families} <= {*DEFAULT_FAMILIES}
    assert features.scored_file is None
    assert preset != "synerise" or features.families == tuple(family.name for family in REFERENCE_FAMILIES)
    every = settings_from({"features": {"families": list(FAMILY_NAMES)}}, folder=tmp_path).features
    assert every.further == tuple(family.name for family in FURTHER_FAMILIES)
    assert every.scored_file is True
    assert SCORED_FILE not in (*every.counters, *every.effects)


def test_synerise_has_the_values_of_the_reference(tmp_path: Path) -> None:
    settings = settings_from({"preset": "synerise"}, folder=tmp_path)
    encoder, network = settings.encoder, settings.network
    assert (encoder.parts, encoder.epochs, encoder.max_tokens, encoder.batch_size) == (1, 1, 100, 16)
    assert (encoder.save_steps, encoder.warmup_steps, encoder.weight_decay) == (100_000, 1000, 0.01)
    assert (encoder.mask_probability, encoder.heldout_share) == (0.15, 0.02)
    assert (network.hidden_size, network.batch_size, network.learning_rate) == (1500, 256, 1e-4)
    assert (network.decay_per_day, network.finetuning_decay, network.finetuning_epochs) == (0.96, 0.5, 1)
    assert (network.schedule, network.epochs, network.weight_decay) == ("days", 1, 0.01)
    assert (settings.authors_similarity_top_N, settings.authors_similarity_threshold) == (10, 0.1)
    assert not settings.trees.enabled


def test_a_value_in_the_file_wins_over_the_preset_and_its_neighbours_stay(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, "preset: demo\nencoder: {max_tokens: 12}\n"))
    assert settings.encoder.max_tokens == 12
    assert settings.encoder.model == PRESETS["demo"]["encoder"]["model"]


def test_relative_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "working_dir: here/../there\n")
    monkeypatch.chdir("/")
    assert load_settings(path).working_dir == tmp_path / "there"


def test_a_local_encoder_is_relative_to_the_file_and_a_hub_name_stays(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    path = write(tmp_path, "encoder: {model: weights}\n")
    assert load_settings(path).encoder.model == str(tmp_path / "weights")
    assert load_settings(write(tmp_path, "encoder: {model: some/name}\n")).encoder.model == "some/name"


def test_the_environment_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGAGE_CONFIG", str(write(tmp_path, "sketch_depth: 3\n")))
    assert load_settings().sketch_depth == 3


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("sketch_widht: 256", "sketch_widht: no such setting; did you mean sketch_width?"),
        ("network: {hiden_size: 3}", "network.hiden_size: no such setting; did you mean hidden_size?"),
        ("learning_rate: 3", "learning_rate: no such setting; did you mean encoder.learning_rate?"),
        ("network: {max_n_parts: 3}", "network.max_n_parts: no such setting; did you mean max_n_parts?"),
        ("checks: {xyzzy: {a: 3}}", "checks.xyzzy: no such setting\n"),
        ("sketch_width: wide", "sketch_width"),
        ("validation_percentage: 1.5", "validation_percentage"),
        ("num_validation_chunks: 1", "num_validation_chunks"),
        ("network: 7", "network"),
        ("max_n_parts: true", "max_n_parts: "),
        ('sketch_width: "64"', "sketch_width: "),
        ("max_n_parts: 2.0", "a whole number is needed"),
        ('trees: {enabled: "yes"}', "trees.enabled: "),
        ("preset: best", "preset: 'best'"),
        ("- a\n- b", "expected `key: value` lines"),
        ("a: [", "not a YAML file"),
        ("engine: {memory_limit: lots}", "engine.memory_limit"),
        ("engine: {kind: sqlite}", "engine.kind: 'sqlite' is not one of duckdb, spark\n"),
        ("trackers: [wandb, mlfow]", "trackers.1: 'mlfow' is not one of mlflow, tensorboard, wandb\n"),
        (
            "features: {families: [x]}",
            "'x' is not one of pair_counters, author_counters, viewer_counters, language_cou",
        ),
        ("preset: [demo]", "preset: ['demo'] is not one of synerise, default, demo\n"),
        ("engine: {spark_master: 'local[0]'}", "engine.spark_master"),
        ("engine: {spark_master: spark}", "engine.spark_master"),
        ("evaluation: {follower_edges: [5, 1]}", "follower_edges must rise"),
        ("working_dir: ~nobody_of_this_name/x", "working_dir: no such home folder"),
        ('recsys_data: "a\\0b"', "recsys_data: not a path"),
        (f"encoder: {{model: {'x' * 300}}}", "encoder.model: not a path"),
        ('"a\\eb": 1', "a\\x1bb: no such setting"),
    ],
)
def test_a_mistake_is_named_in_one_line(tmp_path: Path, text: str, named: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UserError) as caught:
        load_settings(path)
    assert str(path) in str(caught.value)
    assert named in f"{caught.value}\n"
    assert "\n" not in str(caught.value)


def test_every_mistake_of_a_file_has_a_line(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "preset: best\nseed: -1\nsketch_widht: 256\nnetwork: {hidden_size: many, epochs: 0}\n"
        "checks: {label_rates: {like: [0.5, 0.4], reply: [0.2, 0.1]}}\nowners: [ada, team:x, bob]\n",
    )
    with pytest.raises(UserError) as caught:
        load_settings(path)
    owner = "an owner is an email address, or a team as `team:name`"
    assert str(caught.value).split("\n") == [
        f"{path}: preset: 'best' is not one of synerise, default, demo",
        f"{path}: seed: must be greater than or equal to 0 (found -1)",
        f"{path}: owners.0: {owner} (found 'ada')",
        f"{path}: owners.2: {owner} (found 'bob')",
        f"{path}: network.hidden_size: a whole number is needed (found 'many')",
        f"{path}: network.epochs: must be greater than or equal to 1 (found 0)",
        f"{path}: checks.label_rates: like: 0.5 is above 0.4; reply: 0.2 is above 0.1 "
        "(found {'like': [0.5, 0.4], 'reply': [0.2, 0.1]})",
        f"{path}: sketch_widht: no such setting; did you mean sketch_width?",
    ]


def test_the_lines_of_very_many_mistakes_end(tmp_path: Path) -> None:
    path = write(tmp_path, "".join(f"x{number}: 1\n" for number in range(1020)))
    with pytest.raises(UserError) as caught:
        load_settings(path)
    lines = str(caught.value).split("\n")
    assert len(lines) == 21
    assert lines[-1] == f"{path}: and 1,000 more"


LAUGHTER = "x0: &x0 [1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"x{level}: &x{level} [{', '.join([f'*x{level - 1}'] * 9)}]\n" for level in range(1, 7)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("checks: {label_rates: {like: [0.5, 0.4]}}", ": checks.label_rates: like: 0.5 is above 0.4"),
        ("seed: 3\nchecks: {first_day: 2021-02-30}", ", line 2: '2021-02-30': day is out of range for month"),
        ("seed: 3\n\nmax_n_parts: " + "9" * 5000, ", line 3: '9999"),
        ("max_n_parts: 0x" + "f" * 6000, ", line 1: '0xfff"),
        (
            "evaluation: {follower_edges: [1, 99999999999999999999]}",
            ", line 1: '99999999999999999999': too large a numb",
        ),
        ("seed: " + "[" * 5000, ", line 1: nested more than 20 deep"),
        ("seed: " + "{a: " * 5000 + "1" + "}" * 5000, ", line 1: nested more than 20 deep"),
        (LAUGHTER + "seed: *x6\n", ", line 5: aliases repeat too much"),
        ("seed: &a [*a]", ", line 1: an alias that contains itself"),
        ("working_dir: 3", ": working_dir: must be a path (found 3)"),
        ("network: 3", ": network: must be a section of settings (found 3)"),
        ("seed: [" + "1, " * 5000 + "1]", ": seed: must be a valid integer (found [1, 1, 1, ...])"),
        ("seed: " + "x" * 100_000, ": seed: a whole number is needed (found 'xxx"),
        ("x" * 1000 + ": 1", ": xxx"),
        ("preset: " + "x" * 100_000, ": preset: 'xxx"),
        ("# " + "x" * 300_000, ": more than 200,000 bytes; is this a settings file?"),
        ("engine: {memory_limit: lots}", ": engine.memory_limit: must be like 4GB or 70% (found 'lots')"),
        ("automation: {nightly_cron: daily}", ": automation.nightly_cron: must be like 0 3 * * * (found 'daily')"),
        ("engine: {memory_limit: 900%}", ": engine.memory_limit: must be at most 100% (found '900%')"),
        ("engine: {memory_limit: 100.5 %}", ": engine.memory_limit: must be at most 100% (found '100.5 %')"),
        ("engine: {memory_limit: ٣GB}", ": engine.memory_limit: must be like 4GB or 70%"),
        (
            "engine: {memory_limit: 99999999999TB}",
            ": engine.memory_limit: must be at most a million TB (found '99999999999TB')",
        ),
        (
            "automation: {freshness_warn_hours: 1, freshness_fail_hours: 100000000000}",
            ": automation.freshness_fail_hours: must be less than or equal to 87600 (found 100000000000)",
        ),
        (
            "automation: {freshness_warn_hours: 100000000000, freshness_fail_hours: null}",
            ": automation.freshness_warn_hours: must be less than or equal to 87600 (found 100000000000)",
        ),
        (
            "checks: {first_day: 2021-02-09, last_day: 2021-02-08}",
            ": checks: first_day must not be after last_day (found ",
        ),
        ("checks: {drift_psi: .inf}", ": checks.drift_psi: must be a finite number (found inf)"),
        ("network: {learning_rate: .nan}", ": network.learning_rate: must be a finite number (found nan)"),
        ("network: {learning_rate: 1e999}", ": network.learning_rate: must be a finite number (found '1e999')"),
        ("seed: 1\nsketch_depth: 3\nseed: 1", ", line 3: 'seed' occurs twice"),
        ("network:\n  batch_size: 3\n  batch_size: 4", ", line 3: 'batch_size' occurs twice"),
        ("seed: !!int ''", ", line 1: '': string index out of range"),
    ],
    ids=lambda value: value[:24],
)
def test_what_yaml_stumbles_over_is_one_short_line(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UserError) as caught:
        load_settings(path)
    assert str(caught.value).startswith(f"{path}{said}")
    assert len(str(caught.value)) < len(str(path)) + 400
    assert str(caught.value).isprintable()


def test_an_alias_may_repeat_a_value(tmp_path: Path) -> None:
    text = "working_dir: &here data\ntest_data: *here\nnetwork: {<<: {batch_size: 3}, hidden_size: 4}\n"
    settings = load_settings(write(tmp_path, text))
    assert settings.test_data == settings.working_dir == tmp_path / "data"
    assert (settings.network.batch_size, settings.network.hidden_size) == (3, 4)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.yaml: No such file"):
        load_settings(tmp_path / "nowhere.yaml")


def test_a_yaml_tag_is_not_executed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="could not determine a constructor for the tag"):
        load_settings(write(tmp_path, "working_dir: !!python/object/apply:os.system ['true']"))


def test_every_setting_has_a_description() -> None:
    def fields(model: type) -> list[tuple[str, str | None]]:
        return [(name, info.description) for name, info in model.model_fields.items()]  # type: ignore[attr-defined]

    sections = [info.annotation for info in Settings.model_fields.values() if hasattr(info.annotation, "model_fields")]
    assert all(description for model in [Settings, *sections] for _, description in fields(model))


@pytest.mark.parametrize("owner", ["ada@example.com", "a.b+c@mail.example.org", "team:engagement", "team:ads/ranking"])
def test_an_owner_that_is_accepted_is_one_for_dagster(owner: str) -> None:
    assert settings_from({"owners": [owner]}, folder=Path()).owners == (owner,)
    assert is_valid_owner(owner)


@pytest.mark.parametrize("owner", ["ada", "team:", "team: x", "@example.com", "ada@example", "a@b.c", ""])
def test_an_owner_that_dagster_would_refuse_is_named(owner: str) -> None:
    with pytest.raises(UserError, match=r"owners\.0: an owner is an email address, or a team as `team:name`"):
        settings_from({"owners": [owner]}, folder=Path())


def test_a_setting_with_a_form_has_examples_of_it() -> None:
    """They are what a wrong value is answered with, and match the form."""
    sections = [Settings, *(one.annotation for one in Settings.model_fields.values())]
    schemas = [one.model_json_schema()["properties"] for one in sections if hasattr(one, "model_json_schema")]
    forms = {name: one for own in schemas for name, one in own.items() if "pattern" in one}
    assert forms.keys() >= {"memory_limit", "spark_master", "nightly_cron"}
    for name, form in forms.items():
        assert form.get("examples"), name
        assert all(re.search(form["pattern"], example) for example in form["examples"]), name
