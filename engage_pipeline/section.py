"""What every group of settings is made of: a strict pydantic model, and types that several groups share."""

import os
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator


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
