"""The base of every group of settings: a strict pydantic model, and types that several groups share."""

import os
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

_LONGEST_NAME, _LONGEST_PATH = 255, 2000
"""Limits of Linux's file systems in bytes; the path's leaves room for names below it."""


def _from_config_folder(path: Path, info: ValidationInfo) -> Path:
    """Resolves relative paths against the folder of the configuration file, wherever the process was started."""
    base = (info.context or {}).get("folder", Path.cwd())
    return Path(os.path.normpath(base / expanded_path(path)))


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


ConfigPath = Annotated[Path, AfterValidator(_from_config_folder)]
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
