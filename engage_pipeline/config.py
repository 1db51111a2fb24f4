"""The settings: one pydantic model, read from one YAML file, laid over a preset.

The eleven settings of the reference keep their names at the top level, so that a file written for it works unchanged.
A field's description is its documentation: docs/settings.md is generated from this module. What belongs here: names,
types, ranges, defaults and presets. What does not: which artifact depends on which setting (catalogue).
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from engage_pipeline.errors import UserError

CONFIG_VARIABLE = "ENGAGE_CONFIG"
DEFAULT_CONFIG = Path("config.yaml")
Preset = Literal["synerise", "default", "demo"]


def _model_from_config_folder(name: str, info: ValidationInfo) -> str:
    """A local folder is relative to the configuration file too; any other name is the hub's, or `tiny`."""
    folder = (info.context or {}).get("folder", Path.cwd()) / Path(name).expanduser()
    return os.path.normpath(folder) if name != "tiny" and folder.is_dir() else name


def _from_config_folder(path: Path, info: ValidationInfo) -> Path:
    """Relative paths are relative to the folder of the configuration file, wherever the process was started."""
    base = (info.context or {}).get("folder", Path.cwd())
    return Path(os.path.normpath(base / path.expanduser()))


ConfigPath = Annotated[Path, AfterValidator(_from_config_folder)]
Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A group of settings. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    @field_validator("*", mode="before")
    @classmethod
    def _as_written(cls, value: Any, info: ValidationInfo) -> Any:
        """A whole number is no text and no truth value, and a truth value is nothing else."""
        annotation = cls.model_fields[str(info.field_name)].annotation
        kinds = {annotation, *get_args(annotation)}
        if int in kinds and isinstance(value, bool | str | float):
            raise ValueError("a whole number is needed")
        if bool in kinds and not isinstance(value, bool):
            raise ValueError("true or false is needed")
        return value


class IngestSettings(Section):
    """How raw parts are read."""

    max_rejected_share: Share = Field(0.01, description="A part with a larger share of rejected lines fails.")


class EncoderSettings(Section):
    """The text encoder: masked-language-model fine-tuning and the token vectors taken from it."""

    model: Annotated[str, AfterValidator(_model_from_config_folder)] = Field(
        "distilbert-base-multilingual-cased",
        description="Hub name or local folder of the encoder; `tiny` makes a small DistilBERT from nothing.",
    )
    tiny_dim: int = Field(64, ge=8, description="Hidden size of the `tiny` encoder.", multiple_of=4)
    tiny_layers: int = Field(2, ge=1, description="Layers of the `tiny` encoder.")
    parts: int = Field(1, ge=1, description="Training parts that the encoder is fine-tuned on and sketched from.")
    max_tweets: int | None = Field(None, ge=10, description="At most so many distinct tweets; null = all of the parts.")
    epochs: int = Field(1, ge=0, description="Fine-tuning epochs; 0 = take the encoder as it is.")
    max_tokens: int = Field(100, ge=4, le=512, description="Tweets are cut or zero-padded to so many tokens.")
    batch_size: int = Field(16, ge=1, description="Tweets a fine-tuning step.")
    learning_rate: float = Field(5e-5, gt=0, description="Peak learning rate of fine-tuning.")
    warmup_steps: int = Field(1000, ge=0, description="Steps of linear warm-up.")
    weight_decay: float = Field(0.01, ge=0, description="Weight decay of fine-tuning.")
    mask_probability: float = Field(0.15, gt=0, lt=1, description="Share of the tokens that are masked.")
    heldout_share: float = Field(0.02, gt=0, lt=1, description="Share of the tweets held out for the loss.")
    save_steps: int = Field(100_000, ge=1, description="Steps between checkpoints.")
    checkpoint: int | None = Field(
        None, ge=1, description="Sketch from the checkpoint of this step; null = from the end of fine-tuning."
    )


class NetworkSettings(Section):
    """The residual network and its two schedules."""

    hidden_size: int = Field(1500, ge=1, description="Width of the hidden layers.")
    embedding_size: int = Field(20, ge=1, description="Size of the language, hour and day embeddings.")
    batch_size: int = Field(512, ge=2, description="Rows a training step.")
    learning_rate: float = Field(1e-3, gt=0, description="Learning rate at the start of each schedule.")
    weight_decay: float = Field(0.01, ge=0, description="Weight decay of AdamW.")
    schedule: Literal["days", "shuffled"] = Field(
        "shuffled",
        description="`days`: engagement days in order, the optimizer started anew for each (the reference); "
        "`shuffled`: all days mixed, one optimizer, cosine decay.",
    )
    epochs: int = Field(2, ge=1, description="Passes over the training rows (`shuffled`) or over each day (`days`).")
    decay_per_day: float = Field(0.96, gt=0, le=1, description="Factor on the learning rate after each day (`days`).")
    finetuning_learning_rate: float | None = Field(
        2e-4, gt=0, description="Learning rate at the start of fine-tuning; null = learning_rate."
    )
    finetuning_epochs: int = Field(2, ge=0, description="Passes over the fine-tuning rows.")
    finetuning_decay: float = Field(0.5, gt=0, le=1, description="Factor on the learning rate after each such pass.")
    start_at_base_rates: bool = Field(
        True, description="Set the output bias to the logits of the base rates before training."
    )
    smoothed_rates: bool = Field(
        True, description="Read also how often each key was engaged with of how often it was shown (not the reference)."
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="`auto` = bf16 where the processor or GPU is fast at it."
    )
    save_steps: int = Field(500, ge=1, description="Steps between checkpoints to resume from.")


class TreeSettings(Section):
    """The LightGBM trees of the second stage, and how they are blended with the network."""

    enabled: bool = Field(True, description="Train trees on the fine-tuning rows and blend them with the network.")
    n_estimators: int = Field(300, ge=1, description="Most trees an engagement; early stopping may take fewer.")
    learning_rate: float = Field(0.05, gt=0, le=1, description="Shrinkage of each tree.")
    num_leaves: int = Field(31, ge=2, description="Most leaves a tree.")
    min_child_samples: int = Field(100, ge=1, description="Fewest rows a leaf.")
    feature_fraction: float = Field(0.3, gt=0, le=1, description="Share of the features that each tree sees.")
    reg_lambda: float = Field(20.0, ge=0, description="L2 regularisation of the leaves.")
    early_stopping_rounds: int = Field(
        30, ge=1, description="Stop when the out-of-fold loss has not improved for so long."
    )
    folds: int = Field(4, ge=2, description="Folds of the fine-tuning rows that tell how many trees to take.")
    prior_weight: float = Field(
        20.0, gt=0, description="Exposures that the base rate counts for in the smoothed rates that the trees read."
    )
    max_rows: int | None = Field(
        5_000_000,
        ge=1,
        description="At most so many fine-tuning rows, drawn at random; null = all. 1 KB of memory each.",
    )


class EvaluationSettings(Section):
    """How scores are computed."""

    follower_edges: tuple[int, ...] = Field(
        (240, 588, 1331, 3996),
        description="Author groups by follower count; a value on an edge belongs to the upper group.",
    )

    @model_validator(mode="after")
    def _edges_rise(self) -> Self:
        if list(self.follower_edges) != sorted(set(self.follower_edges)):
            raise ValueError("follower_edges must rise")
        return self


class EngineSettings(Section):
    """Where and with how much the SQL runs."""

    threads: int | None = Field(None, ge=1, description="Threads of DuckDB, torch and LightGBM; null = all cores.")
    memory_limit: str = Field(
        "70%",
        pattern=r"^\d+(\.\d+)?\s?(%|KB|MB|GB|TB|KiB|MiB|GiB|TiB)$",
        description="Memory of DuckDB before it spills to disk.",
    )
    temp_directory: ConfigPath | None = Field(None, description="Where DuckDB spills; null = in working_dir.")


class Settings(Section):
    """Everything that can be set. Frozen: a run sees one version of it."""

    preset: Preset = Field("default", description="Which defaults the other settings are laid over.")
    seed: int = Field(20210, ge=0, lt=2**31, description="Seed of every random choice.")
    working_dir: ConfigPath = Field(Path("data"), description="Where the artifacts of the five stages are kept.")
    recsys_data: ConfigPath = Field(Path("data/raw/train"), description="Folder of the training parts.")
    validation_part: ConfigPath = Field(
        Path("data/raw/validation/part-00000"), description="The validation part (a file, `.gz`, `.zst` or `.lzo` too)."
    )
    test_data: ConfigPath = Field(Path("data/raw/test"), description="Folder of the test parts.")
    max_n_parts: int | None = Field(None, ge=1, description="Training parts used, in order of name; null = all.")
    max_n_parts_in_memory: int = Field(4, ge=1, description="Training parts held at once.")
    authors_similarity_top_N: int = Field(  # noqa: N815 - the reference's name
        10, ge=1, description="Similar authors kept for each author, the author itself counted."
    )
    authors_similarity_threshold: float = Field(0.1, gt=0, le=1, description="Least Jaccard similarity of two authors.")
    validation_percentage: float = Field(
        0.1, gt=0, lt=1, description="Share of the validation part that is held out; the rest fine-tunes."
    )
    num_validation_chunks: int = Field(
        10, ge=2, description="Chunks of the fine-tuning rows: each is counted without its own rows."
    )
    sketch_width: int = Field(256, ge=2, le=65536, description="Codes a depth of the text sketch.")
    sketch_depth: int = Field(20, ge=1, description="Independent codes a token.")
    ingest: IngestSettings = Field(default_factory=IngestSettings, description="How raw parts are read.")
    encoder: EncoderSettings = Field(default_factory=EncoderSettings, description="The text encoder.")
    network: NetworkSettings = Field(default_factory=NetworkSettings, description="The network.")
    trees: TreeSettings = Field(default_factory=TreeSettings, description="The trees.")
    evaluation: EvaluationSettings = Field(default_factory=EvaluationSettings, description="The scores.")
    engine: EngineSettings = Field(default_factory=EngineSettings, description="Where the SQL runs.")


PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    "synerise": {
        "network": {
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
    },
    "demo": {
        "sketch_width": 64,
        "sketch_depth": 8,
        "encoder": {
            "model": "tiny",
            "max_tweets": 6000,
            "max_tokens": 48,
            "batch_size": 64,
            "learning_rate": 1e-3,
            "warmup_steps": 20,
        },
        "network": {"hidden_size": 256},
        "trees": {"num_leaves": 15},
    },
}
"""What each preset changes of the defaults above. `synerise` is the reference to the letter."""


def load_settings(path: Path | None = None, *, preset: str | None = None) -> Settings:
    """The settings of `path`, else of $ENGAGE_CONFIG, else of ./config.yaml where it exists, else the defaults.

    `preset` overrides the file's. Raises UserError naming the file, the key and what is wrong with it.
    """
    chosen = path or (Path(os.environ[CONFIG_VARIABLE]) if os.environ.get(CONFIG_VARIABLE) else None)
    if chosen is None and DEFAULT_CONFIG.is_file():
        chosen = DEFAULT_CONFIG
    values = {} if chosen is None else _read_yaml(chosen)
    if preset is not None:
        values["preset"] = preset
    folder = Path.cwd() if chosen is None else chosen.resolve().parent
    return settings_from(values, folder=folder, source=str(chosen or "settings"))


def settings_from(values: Mapping[str, Any], *, folder: Path, source: str = "settings") -> Settings:
    """`values` laid over their preset and checked; relative paths are taken from `folder`."""
    preset = values.get("preset", "default")
    if preset not in get_args(Preset):
        raise UserError(f"{source}: preset: {preset!r} is not one of {', '.join(get_args(Preset))}")
    try:
        return Settings.model_validate(_overlay(PRESETS[preset], values), context={"folder": folder})
    except ValidationError as error:
        raise UserError(f"{source}: {_first_problem(error)}") from error


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a YAML file: {' '.join(str(error).split())}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise UserError(f"{path}: expected `key: value` lines, found {type(values).__name__}")
    return values


def _overlay(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in values.items():
        below = merged.get(key)
        merged[key] = _overlay(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    name = ".".join(str(step) for step in problem["loc"]) or "settings"
    if problem["type"] == "extra_forbidden":
        return f"{name}: no such setting"
    return f"{name}: {problem['msg']} (found {problem['input']!r})"
