"""The groups of settings that change no artifact: checks, promotion, automation, engine."""

from datetime import date
from typing import Literal, Self
from zoneinfo import available_timezones

from pydantic import Field, field_validator, model_validator

from engage_pipeline.settings.section import ConfigPath, SettingsSection, Share

Engagement = Literal["like", "reply", "retweet", "retweet_with_comment"]
PLAUSIBLE_RATES: dict[Engagement, tuple[float, float]] = {
    "like": (0.1, 0.8),
    "reply": (0.003, 0.2),
    "retweet": (0.01, 0.4),
    "retweet_with_comment": (0.0007, 0.07),
}
"""Bounds that are a few times below and above the rates in the challenge's data: 39.7 %, 2.9 %, 8.75 % and 0.70 %."""
_TEN_YEARS = 87_600
"""Hours."""
_MOST_OF_MEMORY = {"%": 100.0, "K": 1e15, "M": 1e12, "G": 1e9, "T": 1e6}
"""The highest limit of memory by the first letter of its unit, less than the 2^64 bytes that DuckDB can read."""


class CheckSettings(SettingsSection):
    """The limits of the asset checks. Those before `drift_psi` block downstream assets; the others only warn."""

    max_duplicate_share: Share = Field(
        0.001, description="A part with a larger share of rows that repeat an earlier tweet and viewer is not used."
    )
    first_day: date = Field(date(2006, 3, 21), description="First plausible engagement day (UTC).")
    last_day: date | None = Field(None, description="Last plausible engagement day (UTC); null = the day of ingest.")
    max_outside_share: Share = Field(
        0.01,
        description="A part with a larger share of rows outside these days, or without any time, is not used. Fewer "
        "are counted and used, but left out of work by day (docs/reliability.md).",
    )
    max_shared_share: Share = Field(
        0.01,
        description="A training, validation or test part that shares more of its rows with a part of another of these "
        "three is not used: a model must not be judged by rows from which it has learned.",
    )
    allow_missing_engagements: tuple[Engagement, ...] = Field(
        (), description="Engagements that may be absent from the training rows; if another is absent, training fails."
    )
    drift_psi: float = Field(
        0.25, gt=0, description="Warn of a part whose features have a larger population stability index."
    )
    new_user_share: Share = Field(
        0.5, description="Warn if a larger share of the rows to predict has a viewer, or author, of no labelled row."
    )
    label_rate_change: float = Field(
        0.25, gt=0, description="Warn of a part whose engagement rate differs by a larger share, beyond chance."
    )
    label_rates: dict[Engagement, tuple[Share, Share]] = Field(
        PLAUSIBLE_RATES,
        description="Warn if the share of rows with an engagement is outside these bounds, in the training or the "
        "validation rows; an engagement without bounds is not checked.",
    )
    calibration_error: Share = Field(
        0.02, description="Warn if predicted and observed rate differ by more on the holdout, in any tenth of the rows."
    )
    fairness_rce: float = Field(
        10.0, ge=0, description="Warn if an author group's RCE is this many points below that of all rows."
    )
    group_calibration: float = Field(
        0.1, gt=0, description="Warn if predicted and observed rate of an author group differ by a larger share."
    )

    @field_validator("label_rates")
    @classmethod
    def _lower_bounds_first(cls, value: dict[Engagement, tuple[Share, Share]]) -> dict[Engagement, tuple[Share, Share]]:
        if wrong := [f"{name}: {low} is above {high}" for name, (low, high) in value.items() if low > high]:
            raise ValueError("; ".join(wrong))
        return value

    @model_validator(mode="after")
    def _first_day_comes_first(self) -> Self:
        if self.last_day is not None and self.first_day > self.last_day:
            raise ValueError("first_day must not be after last_day")
        return self


class PromotionSettings(SettingsSection):
    """When a newly trained model replaces the one that predicts."""

    tolerance: float = Field(
        0.5,
        ge=0,
        description="Points of holdout RCE, mean of the engagements, by which the new model may be worse. It is "
        "refused if the whole 95 % interval of the paired difference is below that.",
    )
    least_first_rce: float | None = Field(
        0.0,
        description="A first model predicts only if its mean RCE on the holdout is above this; 0 = better than the "
        "constant rate; null = with any score.",
    )
    keep: int = Field(5, ge=1, description="Models kept for a rollback, including the one that predicts.")


class AutomationSettings(SettingsSection):
    """When the daemon of `make ui` acts by itself."""

    sensor_seconds: int = Field(30, ge=1, description="Seconds between two looks at `recsys_data`.")
    stable_seconds: int = Field(
        60, ge=0, description="A part is ingested when its file has kept its size and time for this many seconds."
    )
    nightly_cron: str = Field(
        "0 3 * * *",
        pattern=r"^\S+( \S+){4}$",
        examples=["0 3 * * *"],
        description="When to refresh and retrain if parts have changed (cron).",
    )
    timezone: str = Field("UTC", description="Time zone of `nightly_cron`.")
    freshness_warn_hours: int | None = Field(
        48,
        ge=1,
        le=_TEN_YEARS,
        description="Warn if the newest part, model, evaluation or submission is this old; null = never.",
    )
    freshness_fail_hours: int | None = Field(
        192,
        ge=1,
        le=_TEN_YEARS,
        description="Show it as failing when it is this old; null = no freshness policies. With the defaults, nightly "
        "parts are fresh, and weekly ones warn but do not fail.",
    )

    @model_validator(mode="after")
    def _warning_comes_first(self) -> Self:
        warn, fail = self.freshness_warn_hours, self.freshness_fail_hours
        if warn is not None and fail is not None and warn >= fail:
            raise ValueError("freshness_warn_hours must be less than freshness_fail_hours")
        return self

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("no such time zone")
        return value


class EngineSettings(SettingsSection):
    """The SQL engine and its resources."""

    kind: Literal["duckdb", "spark"] = Field(
        "duckdb", description="What runs the SQL: DuckDB on this machine, or Spark (see spark.md)."
    )
    spark_master: str = Field(
        "local[*]",
        pattern=r"^(local(\[(\*|[1-9]\d*)\])?|yarn|(spark|k8s)://\S+)$",
        examples=["local[4]", "spark://host:7077", "yarn", "k8s://https://host:6443"],
        description="Where Spark runs: `local[4]` = 4 cores of this machine, `spark://host:7077`, `yarn`, `k8s://…`.",
    )
    threads: int | None = Field(
        None,
        ge=1,
        description="Threads of DuckDB, LightGBM and the effects, and of torch when it predicts; null = all cores.",
    )
    processes: int | None = Field(
        None,
        ge=1,
        description="Processes that work side by side on parts, shards and tweets; all of them together have "
        "`memory_limit`, and each at least 512 MB of it. null = as many as threads where there are at least 400 000 "
        "rows for each, and one for tweets.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto",
        description="Where torch trains encoder and networks, sketches tokens, scores rows and evaluates: `auto` = the "
        "GPU if there is one, else the CPU. Single rows are scored and explained on the CPU.",
    )
    memory_limit: str = Field(
        "70%",
        pattern=r"^[0-9]+(\.[0-9]+)? ?(%|KB|MB|GB|TB|KiB|MiB|GiB|TiB)$",
        examples=["4GB", "70%"],
        description="Memory of DuckDB, or of Spark on this machine, before it spills to disk.",
    )
    parts_at_once: int = Field(
        1024,
        ge=1,
        description="Training parts whose features one run makes: the shards are worked on once for all of them.",
    )
    temp_directory: ConfigPath | None = Field(None, description="Where the engine spills; null = in working_dir.")

    @field_validator("memory_limit")
    @classmethod
    def _limit_that_duckdb_accepts(cls, value: str) -> str:
        unit = value.lstrip("0123456789. ")
        if float(value.removesuffix(unit)) > _MOST_OF_MEMORY[unit[0]]:
            raise ValueError(f"must be at most {'100%' if unit == '%' else 'a million TB'}")
        return value
