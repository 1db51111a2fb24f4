"""Figures of a version, which its manifest holds under `facts`: one frozen model for each kind of artifact.

The models of a stage are in its module `facts`. They declare the figures that code reads; figures that are only shown
to people are kept by name, undeclared. What does not belong here: figures of one stage.
"""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from engage_pipeline.store.manifests import Manifest, VersionError, label


class Figures(BaseModel):
    """Figures by name. `model_dump` returns those that were set, in that order, without defaults."""

    model_config = ConfigDict(frozen=True, extra="allow")

    _given: tuple[str, ...] = PrivateAttr(())

    @model_validator(mode="wrap")
    @classmethod
    def _note_order(cls, values: Any, build: ModelWrapValidatorHandler[Self]) -> Self:
        figures = build(values)
        if isinstance(values, Mapping):
            figures._given = tuple(values)
        return figures

    @model_serializer(mode="wrap")
    def _in_order(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        figures = dump(self)
        return {name: figures[name] for name in self._given if name in figures}


class Facts(Figures):
    """Figures of any artifact: the seconds that making it took, and the peak of resident memory (MB).

    `why` says why there is nothing in it, of an artifact that the settings or the machine can do without.
    """

    seconds: float = 0.0
    peak_mb: int = 0
    why: str | None = None

    @classmethod
    def read(cls, manifest: Manifest) -> Self:
        """Reads the figures of a published version.

        Raises KeyError with the name of a figure that an earlier version of the program did not write, and UserError
        if a figure has the wrong type.
        """
        try:
            return cls.model_validate(manifest.facts)
        except ValidationError as error:
            problem = error.errors()[0]
            name = ".".join(map(str, problem["loc"]))
            if problem["type"] == "missing":
                raise KeyError(name) from error
            raise VersionError(
                f"{label(manifest.artifact, manifest.key)}: the fact {name} of its manifest can't be read "
                f"({problem['msg']}): materialize it again",
                manifest,
            ) from error
