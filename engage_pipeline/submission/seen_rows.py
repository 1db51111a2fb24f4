"""Statistics of the predicted rows, gathered while they are predicted, and their differences from the training rows.

A sample of SAMPLE_ROWS per batch is binned; languages and new users are counted over all rows. What does not belong
here: the bins (interactions.drift.profile), and the meaning of a difference (interactions.drift.stability).
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from engage_pipeline.interactions.drift.profile import LANGUAGE, MISSING, MOST_VALUES, OTHERS, Profile, binned
from engage_pipeline.interactions.drift.stability import (
    COMPARABLE_FEATURES,
    improbable_languages,
    profile_drift,
    rows_in_words,
    worst_in_words,
)
from engage_pipeline.interactions.features.windows import counter_family
from engage_pipeline.settings.settings import Settings
from engage_pipeline.submission.unknown import EXPOSURES

SAMPLE_ROWS = 2048


@dataclass
class SeenRows:
    """Counts over rows of schema.feature_schema: `new`, rows whose `author` or `viewer` is in no labelled row; `bins`,
    rows of the sample by feature and bin; `languages`, rows by language."""

    rows: int = 0
    new: Counter[str] = field(default_factory=Counter)
    bins: dict[str, Counter[str]] = field(default_factory=dict)
    languages: Counter[str] = field(default_factory=Counter)

    def add(self, table: pa.Table) -> None:
        """Counts a batch."""
        self.rows += table.num_rows
        for user, (training, validation) in EXPOSURES.items():
            shown = table[training].to_numpy() + table[validation].to_numpy()
            self.new[user] += int((shown == 0).sum())
        step = max(1, -(-table.num_rows // SAMPLE_ROWS))
        names = [name for name in COMPARABLE_FEATURES if name != LANGUAGE]
        self._add_bins(binned({name: table[name].to_numpy()[::step] for name in names}))
        for found in pc.value_counts(table[LANGUAGE].combine_chunks()).to_pylist():
            self._add_language(MISSING if found["values"] is None else found["values"], found["counts"])

    def merge(self, other: Self) -> None:
        """Adds what another process has seen."""
        self.rows += other.rows
        self.new.update(other.new)
        self._add_bins(other.bins)
        for name, rows in other.languages.items():
            self._add_language(name, rows)

    def _add_bins(self, bins: Profile) -> None:
        for name, rows in bins.items():
            self.bins.setdefault(name, Counter()).update(rows)

    def _add_language(self, name: str, rows: int) -> None:
        """Counts rows of a language; those beyond the first MOST_VALUES are one, since a file may hold any number."""
        known = name in self.languages or len(self.languages) < MOST_VALUES
        self.languages[name if known else OTHERS] += rows

    def differences(self, training: Profile | None, settings: Settings) -> list[str]:
        """Returns a line for each difference from the training rows: unknown languages, features beyond
        checks.drift_psi, more new viewers or authors than checks.new_user_share.

        `training` is the profile in the bundle; None if it has none.
        """
        if not self.rows:
            return []
        return [*(self._unlike(training, settings.checks.drift_psi) if training else []), *self._new_users(settings)]

    def _unlike(self, training: Profile, limit: float) -> list[str]:
        lines = []
        if unknown := improbable_languages(self.languages, training[LANGUAGE]):
            rows = sum(unknown.values())
            lines.append(
                f"{rows:,} of {self.rows:,} rows are in languages of no training row: {rows_in_words(unknown)}"
            )
        index = profile_drift({**self.bins, LANGUAGE: self.languages}, training)
        beyond = {name: value for name, (value, chance) in index.items() if value > limit + chance}
        if beyond:
            worst = dict(sorted(beyond.items(), key=lambda item: -item[1]))
            lines.append(f"the rows are unlike the training rows: {worst_in_words(worst)} (checks.drift_psi = {limit})")
        return lines

    def _new_users(self, settings: Settings) -> list[str]:
        limit = settings.checks.new_user_share
        return [
            f"{count:,} of {self.rows:,} rows are of {user}s that no labelled row has (checks.new_user_share = {limit})"
            for user, count in sorted(self.new.items())
            if count > limit * self.rows and counter_family(user) in settings.features.families
        ]
