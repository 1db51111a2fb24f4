"""The settings: one pydantic model, read from one YAML file whose values override a preset.

The eleven settings of the reference keep their names at the top level, so that a file written for it works unchanged.
The groups of settings are in computing.py, features.py and operating.py; docs/settings.md is generated from all.
What belongs here: names, types, ranges, defaults and presets. What does not: which artifact depends on which setting
(catalogue).
"""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails

from engage_pipeline.errors import UserError, raise_all
from engage_pipeline.plurals import closest
from engage_pipeline.settings.computing import (
    DISTILBERT,
    CommunitySettings,
    EncoderSettings,
    EvaluationSettings,
    IngestSettings,
    NetworkSettings,
    TopicSettings,
    TreeSettings,
)
from engage_pipeline.settings.families import REFERENCE_FAMILIES
from engage_pipeline.settings.features import EffectSettings, FeatureSettings
from engage_pipeline.settings.operating import AutomationSettings, CheckSettings, EngineSettings, PromotionSettings
from engage_pipeline.settings.overrides import Override, from_environment, nested, overlay
from engage_pipeline.settings.section import ConfigPath, MirrorLocation, Owner, RawLocation, SettingsSection
from engage_pipeline.settings.yaml_file import read_tree, shortened, shown, yaml_problem

CONFIG_VARIABLE = "ENGAGE_CONFIG"
DEFAULT_CONFIG = Path("config.yaml")
_MOST_BYTES = 200_000
MOST_MISTAKES = 20
"""Mistakes that are listed; one line counts the others."""
Preset = Literal["synerise", "default", "demo"]
Tracker = Literal["mlflow", "tensorboard", "wandb"]


class Settings(SettingsSection):
    """All settings. Frozen: a run sees one version of them."""

    preset: Preset = Field("default", description="The defaults, which the other settings override.")
    seed: int = Field(20210, ge=0, lt=2**31, description="Seed of every random choice.")
    working_dir: ConfigPath = Field(Path("data"), description="Where the artifacts of the five stages are kept.")
    mirror: MirrorLocation | None = Field(
        None,
        description="Folder of an object store (`s3://bucket/engage`) that has the published artifacts too, for "
        "machines that do not share `working_dir` (operations.md); null = none.",
    )
    recsys_data: RawLocation = Field(Path("data/raw/train"), description="Folder of the training parts.")
    validation_part: RawLocation = Field(
        Path("data/raw/validation/part-00000"),
        description="The validation part (a file; `.gz`, `.zst`, `.lzo` or Parquet too).",
    )
    test_data: RawLocation = Field(Path("data/raw/test"), description="Folder of the test parts.")
    deletions: RawLocation = Field(
        Path("data/raw/deletions"), description="Folder of lists of deleted tweet ids and user ids; may be missing."
    )
    owners: tuple[Owner, ...] = Field(
        (),
        description="Who answers for the assets, shown in Dagster's UI: email addresses, or teams as `team:name`.",
    )
    follow_links: bool = Field(
        False,
        description="Follow links that lead out of their folder in `recsys_data`, `test_data` and `deletions`; else "
        "they are refused.",
    )
    training_threads: int = Field(
        4,
        ge=1,
        description="Threads for training encoder and networks, in each process, independent of `engine.threads` and "
        "the cores: another number gives other last digits. Small ones train fastest on one: with cores for more, "
        "several networks, or blocks of the encoder's vocabulary, are computed at a time, which changes no digit.",
    )
    max_n_parts: int | None = Field(None, ge=1, description="Training parts used, in order of name; null = all.")
    max_n_parts_in_memory: int = Field(
        4,
        ge=1,
        description="Training parts that one run works on, and whose rows the network mixes. More of them take the "
        "network no more memory: it holds at most 491 520 rows.",
    )
    authors_similarity_top_N: int = Field(  # noqa: N815 - the reference's name
        10, ge=1, description="Similar authors kept for each author, including the author itself."
    )
    authors_similarity_threshold: float = Field(0.1, gt=0, le=1, description="Least Jaccard similarity of two authors.")
    validation_percentage: float = Field(
        0.1, gt=0, lt=1, description="Share of the validation part that is held out; the rest fine-tunes."
    )
    num_validation_chunks: int = Field(
        10, ge=2, description="Chunks of the fine-tuning rows: each is counted without its own rows."
    )
    trackers: tuple[Tracker, ...] = Field(
        (),
        description="What follows training curves and scores beside Dagster: MLflow, TensorBoard, Weights & Biases. "
        "Its package must be installed; its own variables say where it keeps them (docs/operations.md).",
    )
    refit: bool = Field(
        True,
        description="Predict with network, effects and trees that are trained once more on all validation rows, the "
        "held out ones included; false = with those that are compared on these.",
    )
    sketch_width: int = Field(256, ge=2, le=65536, description="Codes per depth of the text sketch.")
    sketch_depth: int = Field(20, ge=1, description="Independent codes per token.")
    ingest: IngestSettings = Field(default_factory=IngestSettings, description="How raw parts are read.")
    features: FeatureSettings = Field(default_factory=FeatureSettings, description="The features of a row.")
    effects: EffectSettings = Field(default_factory=EffectSettings, description="The mixed model.")
    encoder: EncoderSettings = Field(default_factory=EncoderSettings, description="The text encoder.")
    topics: TopicSettings = Field(default_factory=TopicSettings, description="The topics of tweets.")
    communities: CommunitySettings = Field(default_factory=CommunitySettings, description="The communities of users.")
    network: NetworkSettings = Field(default_factory=NetworkSettings, description="The network.")
    trees: TreeSettings = Field(default_factory=TreeSettings, description="The trees.")
    evaluation: EvaluationSettings = Field(default_factory=EvaluationSettings, description="The scores.")
    engine: EngineSettings = Field(default_factory=EngineSettings, description="Where the SQL runs.")
    checks: CheckSettings = Field(default_factory=CheckSettings, description="The limits of the asset checks.")
    promotion: PromotionSettings = Field(
        default_factory=PromotionSettings, description="When a new model replaces the one that predicts."
    )
    automation: AutomationSettings = Field(
        default_factory=AutomationSettings, description="When the daemon acts by itself."
    )


PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    "synerise": {
        "features": {"families": [family.name for family in REFERENCE_FAMILIES]},
        "encoder": {"model": DISTILBERT, "patience": None},
        "network": {
            "architecture": "residual",
            "hidden_size": 1500,
            "embedding_size": 20,
            "batch_size": 256,
            "learning_rate": 1e-4,
            "schedule": "days",
            "epochs": 1,
            "finetuning_learning_rate": None,
            "finetuning_epochs": 1,
            "start_at_base_rates": False,
            "smoothed_rates": False,
            "precision": "fp32",
        },
        "trees": {"enabled": False},
        "refit": False,
    },
    "demo": {
        "training_threads": 1,
        "sketch_width": 64,
        "sketch_depth": 8,
        "encoder": {
            "model": "tiny",
            "max_tweets": 640,
            "max_tokens": 48,
            "batch_size": 64,
            "learning_rate": 1e-3,
            "warmup_steps": 20,
            "patience": None,
        },
        "network": {"sketches": False},
        "trees": {"num_leaves": 15},
    },
}
"""The defaults above that each preset changes. `synerise` is the reference to the letter."""


def load_settings(
    path: Path | str | None = None, *, preset: str | None = None, overrides: Sequence[Override] = ()
) -> Settings:
    """Reads the settings of `path`, else of $ENGAGE_CONFIG, else of ./config.yaml if it exists, else the defaults.

    Variables ENGAGE__SECTION__KEY override the file, `preset` overrides both, and `overrides` all. Raises UserError
    naming source, key and problem, a line for each mistake.
    """
    named = path or os.environ.get(CONFIG_VARIABLE)
    chosen = Path(named) if named else None
    if chosen is None and DEFAULT_CONFIG.is_file():
        chosen = DEFAULT_CONFIG
    values = {} if chosen is None else read_yaml(chosen)
    folder = Path.cwd() if chosen is None else chosen.resolve().parent
    asked = [] if preset is None else [Override(("preset",), preset, "--preset")]
    every = [*from_environment(Settings), *asked, *overrides]
    return settings_from(values, folder=folder, source=str(chosen or "settings"), overrides=every)


def settings_from(
    values: Mapping[str, Any], *, folder: Path, source: str = "settings", overrides: Sequence[Override] = ()
) -> Settings:
    """Checks `values`, which override their preset's; `overrides` override both, the last one most.

    Relative paths are relative to `folder`. Raises UserError naming source, key and problem, a line for each mistake.
    """
    values = overlay(values, nested(overrides))
    preset = values.get("preset", "default")
    base = PRESETS.get(preset, {}) if isinstance(preset, str) else {}
    try:
        return Settings.model_validate(overlay(base, values), context={"folder": folder})
    except ValidationError as error:
        found = [(_source(list(map(str, one["loc"])), overrides, source), _problem(one)) for one in error.errors()]
        lines = list(dict.fromkeys(f"{of}: {problem}" for of, problem in found))
        more = len(lines) - MOST_MISTAKES
        raise_all([*lines[:MOST_MISTAKES], *([f"{source}: and {more:,} more"] if more > 0 else [])])
        raise


def _source(place: Sequence[str], overrides: Sequence[Override], file: str) -> str:
    """Returns the source of the value at `place`."""
    return next((one.source for one in reversed(overrides) if one.concerns(place)), file)


def read_yaml(path: Path) -> dict[str, Any]:
    """Reads the settings of a file, unchecked. Raises UserError naming the file if it can't be read."""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    if len(content) > _MOST_BYTES:
        raise UserError(f"{path}: more than {_MOST_BYTES:,} bytes; is this a settings file?")
    try:
        values = read_tree(content.decode("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}{yaml_problem(error)}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise UserError(f"{path}: expected `key: value` lines, found {type(values).__name__}")
    return values


_WITHOUT_CLASSES = {"path_type": "must be a path", "model_type": "must be a section of settings"}
"""What to say instead of messages of pydantic that name Python's classes."""


def _problem(problem: ErrorDetails) -> str:
    name = shortened(".".join(map(str, problem["loc"])), 100) or "settings"
    if problem["type"] == "extra_forbidden":
        return f"{name}: no such setting{_meant([str(step) for step in problem['loc']])}"
    if problem["type"] == "literal_error":
        choices = ", ".join(re.findall(r"'(\w+)'", problem["ctx"]["expected"]))
        return f"{name}: {shown(problem['input'])} is not one of {shortened(choices, 200)}"
    said = shortened(problem["msg"].removeprefix("Value error, "), 200).replace("Input should be", "must be", 1)
    if problem["type"] == "string_pattern_mismatch":
        said = f"must be like {' or '.join(_examples(problem['loc']))}"
    said = _WITHOUT_CLASSES.get(problem["type"], said)
    return f"{name}: {said} (found {shown(problem['input'])})"


def _examples(place: Sequence[int | str]) -> list[str]:
    """Returns the examples of the setting at `place`."""
    fields: Any = Settings.model_fields
    *sections, name = map(str, place)
    for section in sections:
        fields = fields[section].annotation.model_fields
    return [*fields[name].examples]


def _meant(place: Sequence[str]) -> str:
    """Returns the question for the setting that is meant at `place`: one of the same section, else of any other."""
    *section, name = place
    names: dict[tuple[str, ...], Any] = {(): Settings.model_fields}
    names |= {(one,): getattr(info.annotation, "model_fields", {}) for one, info in Settings.model_fields.items()}
    found = closest(name, names.get(tuple(section), {}))
    if found is None:
        found = next((".".join((*path, name)) for path, fields in names.items() if name in fields), None)
    return "" if found is None else f"; did you mean {found}?"
