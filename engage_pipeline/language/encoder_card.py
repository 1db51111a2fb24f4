"""Writes README.md of the fine-tuned encoder: a model card in the format of the Hugging Face hub.

It holds no time and no path of the machine: the same encoder of the same rows gives the same bytes. What does not
belong here: the figures (language.facts), and the card of the model that predicts (model.promotion).
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.files.atomic import atomic_file, sha256
from engage_pipeline.files.text_templates import text_template
from engage_pipeline.language.encoder_files import CONFIG, base_folder, local_folder
from engage_pipeline.language.facts import EncoderFacts
from engage_pipeline.language.tokenizer_files import has_tokenizer
from engage_pipeline.schema import ENGAGEMENTS
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.file_names import ENCODER_CARD

_LIBRARIES = ("torch", "transformers", "safetensors", "numpy")
_NOT_SHOWN = {"model", "checkpoint"}
"""Settings that the table leaves out: the base is told above, and the checkpoint is chosen by who reads the encoder."""
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class TrainedOn:
    """The training rows whose tweets an encoder learned: parts, rows, first and last engagement day (ISO 8601, empty if
    unknown), and rows by engagement."""

    parts: int
    rows: int
    first_day: str
    last_day: str
    positives: Mapping[str, int]


@dataclass(frozen=True)
class Base:
    """The encoder that training started from: the hub's `name` and `revision`, or of a local folder the SHA-256 of its
    weight files by name. All empty = random weights."""

    name: str = ""
    revision: str = ""
    weights: Mapping[str, str] | None = None


def write_encoder_card(folder: Path, facts: EncoderFacts, rows: TrainedOn, settings: Settings) -> None:
    """Writes README.md into the `folder` that finetune_encoder filled. Raises UserError: the base encoder is gone."""
    base = _base(settings.encoder.base)
    config = json.loads((folder / CONFIG).read_bytes())
    text = text_template("engage_pipeline.language", "encoder_card.md").render(
        base=base,
        facts=facts,
        rows=rows,
        positives={name: rows.positives[name] for name in ENGAGEMENTS if name in rows.positives},
        tokenizer=has_tokenizer(folder),
        architecture=config["architectures"][0],
        vocabulary=config["vocab_size"],
        settings={name: _shown(name, value) for name, value in settings.encoder.model_dump(exclude=_NOT_SHOWN).items()},
        seed=settings.seed,
        versions=_versions(),
    )
    with atomic_file(folder / ENCODER_CARD) as path:
        path.write_text(f"---\n{_front_matter(base)}---\n\n{text}", encoding="utf-8")


def joined_days(days: Iterable[str]) -> tuple[str, str]:
    """Returns the first and the last day of texts `<first> to <last>` (ISO 8601); empty texts if there is none."""
    found = sorted(day for text in days for day in text.split(" to ") if day[:1].isdigit())
    return (found[0], found[-1]) if found else ("", "")


def _base(name: str | None) -> Base:
    if name is None:
        return Base()
    folder = base_folder(name)
    if local_folder(name) is None:
        return Base(name, folder.name if _COMMIT.fullmatch(folder.name) else "")
    return Base(weights={path.name: sha256(path) for path in sorted(folder.glob("*.safetensors"))})


def _front_matter(base: Base) -> str:
    """Returns the YAML at the head of the card: keys of huggingface_hub.ModelCardData."""
    values: dict[str, Any] = {"base_model": base.name} if base.name else {}
    values |= {
        "library_name": "transformers",
        "license": "other",
        "license_name": "base-model-and-training-data",
        "pipeline_tag": "fill-mask",
        "tags": ["engage_pipeline", "masked-language-modelling", "tweets"],
    }
    return str(yaml.safe_dump(values, sort_keys=True))


def _versions() -> dict[str, str]:
    found = {"engage_pipeline": version("engage_pipeline")}
    found["code of finetuned_encoder"] = ARTIFACTS["finetuned_encoder"].code_version
    return found | {name: version(name) for name in _LIBRARIES}


def _shown(name: str, value: Any) -> str:
    return ("all" if name == "max_tweets" else "none") if value is None else str(value)
