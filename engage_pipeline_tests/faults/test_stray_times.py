"""Rows without a time, or with one of 1969 or 2030, in a part: used, counted, and left out where work goes by day."""

from pathlib import Path

import numpy as np
import pytest

from engage_pipeline import schema
from engage_pipeline.model.effects.fields import end_of_window
from engage_pipeline.model.network.schedule import day_by_day
from engage_pipeline.plots import curves
from engage_pipeline_tests import worlds
from engage_pipeline_tests.faults.raw import part_of
from engage_pipeline_tests.orchestration.checks.looking import failed, look, raw_lines, write_lines

pytestmark = pytest.mark.long
LIKE = schema.COLUMN_NAMES.index(schema.engagement_timestamp("like"))
TIMES = [place for place, name in enumerate(schema.COLUMN_NAMES) if name.endswith("_timestamp")]
WITHOUT, NEGATIVE, FUTURE = 5, 2, 1
IN_2030 = "1900000000"


def test_a_part_with_stray_times_is_ingested_counted_and_trained_on(world: Path) -> None:
    config = worlds.write_config(world, network={"schedule": "days"})
    part = part_of(config)
    lines = raw_lines(part)
    for fields in lines[:WITHOUT]:
        for column in TIMES:
            fields[column] = ""
    for fields in lines[WITHOUT : WITHOUT + NEGATIVE]:
        for column in TIMES[1:]:
            fields[column] = ""
        fields[LIKE] = "-1"
    lines[WITHOUT + NEGATIVE][LIKE] = IN_2030
    write_lines(part, lines)
    made = {step.artifact for step in worlds.run(config, "pretrained_network")}
    assert {"tweet_parts", "interaction_counts", "interaction_features", "pretrained_network"} <= made

    store = worlds.store_of(config)
    found = look(config, "tweet_parts")
    assert failed(found) == {}
    stray = WITHOUT + NEGATIVE + FUTURE
    assert found["days_are_in_the_window"].metadata["rows lie outside"].value == stray
    total = sum(store.open("tweet_parts", key).manifest.rows or 0 for key in store.parts())
    assert store.open("interaction_counts").manifest.rows == total

    paths = [store.open("interaction_features", key).path("features.parquet") for key in store.parts()]
    stretches = day_by_day(paths, 1, 10, seed=1)
    names = [stretch.name for stretch in stretches]
    assert (names, names[0], names[-1]) == (sorted(set(names)), "2021-02-04", "2021-02-24")
    assert sum(stretch.rows for stretch in stretches) == total - stray
    assert [stretch.n_decays for stretch in stretches] == list(range(21))


def test_one_stray_time_in_a_hundred_does_not_move_the_end_of_the_window() -> None:
    day = 86_400
    end = int(np.datetime64("2021-02-25").astype("datetime64[s]").astype(np.int64))
    times = np.arange(end - 21 * day, end, 600)
    stray = np.repeat([0, -1, int(IN_2030)], len(times) // 300)
    assert end_of_window(np.concatenate([stray, times])) == end_of_window(times) == end


def test_label_rates_are_drawn_of_the_days_of_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[list[int]] = []
    monkeypatch.setattr(curves, "label_rates", lambda days, rates: drawn.append(list(days)) or b"")
    days = [-1, 18_662, 18_663, 21_990]
    counts = {schema.ENGAGEMENT_DAY: days, "rows": [1, 9, 9, 1], **{name: [1, 2, 3, 1] for name in schema.TARGETS}}
    curves.label_rates_by_day(counts)
    assert drawn == [[18_662, 18_663]]
