"""What every group of settings is made of: a strict pydantic model, and types that several groups share."""

import os
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

_LONGEST_NAME, _LONGEST_PATH = 255, 2000
"""Bytes, as Linux's file systems have them; the path with room for what is added to it."""


def _from_config_folder(path: Path, info: ValidationInfo) -> Path:
    """Relative paths are relative to the folder of the configuration file, wherever the process was started."""
    base = (info.context or {}).get("folder", Path.cwd())
    return Path(os.path.normpath(base / expanded_path(path)))


def expanded_path(path: Path) -> Path:
    """`~` and `~user` as the home folder. Raises ValueError where there is none, or for what no file system takes."""
    encoded = os.fsencode(path)
    if (
        b"\0" in encoded
        or len(encoded) > _LONGEST_PATH
        or any(len(name) > _LONGEST_NAME for name in encoded.split(b"/"))
    ):
        raise ValueError("no path: a byte 0 in it, or too long")
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ValueError("no such home folder") from error


ConfigPath = Annotated[Path, AfterValidator(_from_config_folder)]
Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A group of settings. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)

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
