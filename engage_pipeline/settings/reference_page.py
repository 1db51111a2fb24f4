"""Makes docs/settings.md from the settings model: `engage settings > docs/settings.md`."""

from collections.abc import Iterator
from datetime import date
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from engage_pipeline.locations.location import ObjectPath
from engage_pipeline.settings.section import SettingsSection
from engage_pipeline.settings.settings import PRESETS, Settings

_UNCHANGED = object()
"""Stands for a setting that a preset leaves at its default; null is a value."""
REFERENCE_NAMES = {
    **{
        name: f"`{name}`"
        for name in (
            "working_dir",
            "recsys_data",
            "validation_part",
            "max_n_parts",
            "max_n_parts_in_memory",
            "authors_similarity_top_N",
            "authors_similarity_threshold",
            "validation_percentage",
            "num_validation_chunks",
            "sketch_width",
            "sketch_depth",
        )
    },
    "encoder.parts": "encoder: parts",
    "encoder.epochs": "encoder: epochs",
    "encoder.max_tokens": "encoder: max tokens",
    "encoder.batch_size": "encoder: batch size",
    "encoder.save_steps": "encoder: save steps",
    "encoder.checkpoint": "encoder: checkpoint to sketch from",
    "network.hidden_size": "training: hidden size",
    "network.batch_size": "training: batch size",
    "network.learning_rate": "training: learning rate",
    "network.decay_per_day": "training: decay per day file",
    "network.finetuning_decay": "training: decay per fine-tuning epoch",
    "network.finetuning_epochs": "training: fine-tuning epochs",
}
"""The reference's names of settings (docs/specification.md, section 2). The other settings are ours."""

_HEADER = """# Settings

Settings are read from the file that `--config` names, else `$ENGAGE_CONFIG`, else `config.yaml` in the current folder.
Relative paths are relative to that file; URIs are those of [object stores](data.md#object-stores). A file written for
the reference works unchanged: its eleven keys keep their names at the top level. An unknown key, a wrong type or a
value out of range is an error that names it. Without any file all settings have their defaults.

A single value comes from elsewhere, too; the later one wins:

| source | example |
|---|---|
| the file | `network: {hidden_size: 128}` |
| the environment: `ENGAGE__`, section and key in capitals | `ENGAGE__SEED=2`, `ENGAGE__NETWORK__HIDDEN_SIZE=128` |
| `--preset`, for the defaults | `engage run --preset demo` |
| `--set`, which may be repeated | `engage run --set network.hidden_size=128 --set max_n_parts=null` |
| Dagster's launchpad, [for a run](operations.md#for-scripts) | `overrides: {network: {hidden_size: 128}}` |

Values are written in YAML, as in the file; an empty variable counts as unset. Relative paths are relative to the file
wherever they come from. All mistakes are listed at once, a line each with source and key.

Editors check and complete the file by its [JSON schema](config.schema.json) (`engage settings --schema`), which its
first line names: `# yaml-language-server: $schema=docs/config.schema.json`, or a full path.

`preset` chooses the defaults, which the other settings override: `default` is the best we know, `synerise` the
reference to the letter, `demo` the default on a tiny encoder. The last column below has a preset's own values.

This page is made by `engage settings`; a test compares it with the code.
"""


def settings_markdown() -> str:
    """Returns the whole page."""
    lines = [_HEADER]
    sections: list[tuple[str, type[BaseModel], str]] = [("", Settings, "Top level"), *_sections()]
    for prefix, model, title in sections:
        lines += [f"## {title}", "", "| setting | type | default | meaning | in the reference | presets |"]
        lines.append("|---|---|---|---|---|---|")
        lines += [_row(prefix, name, info) for name, info in model.model_fields.items() if not _is_section(info)]
        lines.append("")
    return "\n".join(lines)


def _sections() -> Iterator[tuple[str, type[BaseModel], str]]:
    for name, info in Settings.model_fields.items():
        if _is_section(info):
            assert isinstance(info.annotation, type)  # noqa: S101 - narrows the type for the checker
            yield f"{name}.", info.annotation, f"`{name}`: {(info.description or '').rstrip('.').lower()}"


def _is_section(info: FieldInfo) -> bool:
    return isinstance(info.annotation, type) and issubclass(info.annotation, SettingsSection)


def _row(prefix: str, name: str, info: FieldInfo) -> str:
    full = prefix + name
    reference = REFERENCE_NAMES.get(full, "—")
    cells = [f"`{full}`", _type_name(info.annotation) + _limits(info), f"`{_text(info.default)}`"]
    cells += [info.description or "", reference, _in_presets(full)]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _text(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_text(one)}' for key, one in value.items())}}}"
    return str(list(value)) if isinstance(value, tuple) else str(value)


def _type_name(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _type_name(get_args(annotation)[0])
    if origin is Literal:
        return " or ".join(f"`{choice}`" for choice in get_args(annotation))
    if origin in (Union, UnionType):
        return " or ".join(_type_name(choice) for choice in get_args(annotation))
    if origin is tuple:
        return "list of " + _type_name(get_args(annotation)[0])
    if origin is dict:
        key, value = get_args(annotation)
        return f"map of {_type_name(key)} to {_type_name(value)}"
    names = {NoneType: "null", date: "date", int: "integer", float: "number", bool: "true or false", str: "text"}
    return (names | {ObjectPath: "URI"}).get(annotation, "path")


def _limits(info: FieldInfo) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    found = [
        f"{sign} {getattr(limit, name)}"
        for limit in info.metadata
        for name, sign in signs.items()
        if getattr(limit, name, None) is not None
    ]
    return f" ({', '.join(found)})" if found else ""


def _in_presets(name: str) -> str:
    found = []
    for preset, values in PRESETS.items():
        value: Any = values
        for step in name.split("."):
            value = value.get(step, _UNCHANGED) if isinstance(value, dict) else _UNCHANGED
        if value is not _UNCHANGED:
            found.append(f"{preset}: `{_text(value)}`")
    return ", ".join(found) or " "
