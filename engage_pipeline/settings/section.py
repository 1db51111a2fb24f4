"""The base of every group of settings: a strict pydantic model, and types that several groups share."""

import os
import re
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import PydanticCustomError

from engage_pipeline.errors import UserError
from engage_pipeline.locations.location import Location, ObjectPath, is_uri, location

_LONGEST_NAME, _LONGEST_PATH = 255, 2000
"""Limits of Linux's file systems in bytes; the path's leaves room for names below it."""


def _from_config_folder(path: Path, info: ValidationInfo) -> Path:
    """Resolves relative paths against the folder of the configuration file, wherever the process was started."""
    base = (info.context or {}).get("folder", Path.cwd())
    return Path(os.path.normpath(base / expanded_path(path)))


def _raw_location(value: Any, info: ValidationInfo) -> Location:
    """Leaves URIs as they are and resolves relative paths."""
    if isinstance(value, ObjectPath):
        return value
    if not isinstance(value, str | Path):
        raise PydanticCustomError("path_type", "Input is not a valid path")
    if not is_uri(value):
        return _from_config_folder(Path(value), info)
    try:
        return location(value)
    except UserError as error:
        raise ValueError(str(error)) from error


def _mirror(value: Any) -> ObjectPath:
    """Accepts URIs of stores in which an object appears whole, or not at all."""
    try:
        found = location(value) if is_uri(value) else value
    except UserError as error:
        raise ValueError(str(error)) from error
    if not isinstance(found, ObjectPath) or found.uri.startswith("hdfs:"):
        raise ValueError("the URI of a folder in an object store is needed, such as s3://bucket/engage")
    return found


def expanded_path(path: Path) -> Path:
    """Expands `~` and `~user`. Raises ValueError: no such home folder, or a path that no file system accepts."""
    encoded = os.fsencode(path)
    if (
        b"\0" in encoded
        or len(encoded) > _LONGEST_PATH
        or any(len(name) > _LONGEST_NAME for name in encoded.split(b"/"))
    ):
        raise ValueError("not a path: it holds a zero byte or is too long")
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ValueError("no such home folder") from error


def _as_owner(value: str) -> str:
    """Accepts what Dagster accepts as an owner; any other text would keep it from loading the definitions."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._%+-]*@[A-Za-z0-9.-]+\.[A-Za-z]{2,7}|team:\S+", value):
        raise ValueError("an owner is an email address, or a team as `team:name`")
    return value


def _no_uri(value: Any) -> Any:
    if is_uri(value):
        raise ValueError("must be on this machine, a path without a scheme")
    return value


ConfigPath = Annotated[Path, BeforeValidator(_no_uri), AfterValidator(_from_config_folder)]
RawLocation = Annotated[
    Location, PlainValidator(_raw_location), PlainSerializer(str), WithJsonSchema({"type": "string"}, mode="validation")
]
"""A path, or a URI of an object store."""
MirrorLocation = Annotated[
    ObjectPath, PlainValidator(_mirror), PlainSerializer(str), WithJsonSchema({"type": "string"}, mode="validation")
]
"""The URI of a folder in an object store."""
Owner = Annotated[str, AfterValidator(_as_owner)]
Share = Annotated[float, Field(ge=0, le=1)]


class SettingsSection(BaseModel):
    """A group of settings. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _as_written(cls, value: Any, info: ValidationInfo) -> Any:
        """Rejects text and truth values for whole numbers, and anything else for truth values."""
        annotation = cls.model_fields[str(info.field_name)].annotation
        kinds = {annotation, *get_args(annotation)}
        if int in kinds and isinstance(value, bool | str | float):
            raise ValueError("a whole number is needed")
        if bool in kinds and not isinstance(value, bool):
            raise ValueError("true or false is needed")
        return value
