"""Sections of settings for what the models read of a row: feature families, and the mixed model's effects."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field, computed_field, field_validator

from engage_pipeline.settings.families import (
    COMMUNITY_READERS,
    COUNTER_FAMILIES,
    DEFAULT_FAMILIES,
    EFFECT_FAMILIES,
    FAMILY_NAMES,
    FURTHER_FAMILIES,
    SCORED_FILE,
    TOPIC_READERS,
)
from engage_pipeline.settings.section import SettingsSection

if TYPE_CHECKING:
    FamilyName = str
else:  # pydantic allows only the names of the records
    FamilyName = Literal[FAMILY_NAMES]


class FeatureSettings(SettingsSection):
    """Which feature families the models read."""

    families: tuple[FamilyName, ...] = Field(
        DEFAULT_FAMILIES,
        description="Feature families that the models read; what is left out is neither counted nor fitted. "
        f"`{SCORED_FILE}`, off by default, counts the rows of the very file that is predicted.",
    )

    @field_validator("families")
    @classmethod
    def _in_order(cls, names: tuple[FamilyName, ...]) -> tuple[FamilyName, ...]:
        return tuple(name for name in FAMILY_NAMES if name in names)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def counters(self) -> tuple[str, ...]:
        """The families of counters that are on: what the tables of features depend on."""
        return tuple(name for name in self.families if name in COUNTER_FAMILIES)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def further(self) -> tuple[str, ...] | None:
        """The families beyond the reference that are on, which add tables to the counters; None where none is."""
        return tuple(family.name for family in FURTHER_FAMILIES if family.name in self.families) or None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def effects(self) -> tuple[str, ...]:
        """The families of effects that are on: what the mixed model and what is above it depend on."""
        return tuple(name for name in self.families if name in EFFECT_FAMILIES)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def scored_file(self) -> bool | None:
        """Whether the trees read counts inside the scored file; None where they do not."""
        return SCORED_FILE in self.families or None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def topics(self) -> bool:
        """Whether any family that is on reads topics."""
        return any(name in self.families for name in TOPIC_READERS)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def communities(self) -> bool:
        """Whether any family that is on reads communities."""
        return any(name in self.families for name in COMMUNITY_READERS)


class EffectSettings(SettingsSection):
    """The mixed model: an effect for each viewer, author, pair, topic … of the feature families that are on."""

    sweeps: int = Field(
        15,
        ge=4,
        description="Sweeps over the training rows; a quarter as many over those of each fold, and over all rows. With "
        "many more the deviations of small effects wander off, and predictions get worse.",
    )
    folds: int = Field(
        2,
        ge=2,
        description="Folds of the fine-tuning rows: the trees read effects that were learned without the row's.",
    )
    half_life_days: float | None = Field(
        None, gt=0, description="Days after which a row counts half as much; null = all alike."
    )
