"""The hours of a day in bands, each hour by hand."""

from pathlib import Path

from engage_pipeline.model.effects.rows import EffectRows
from engage_pipeline.model.effects.scoring import load_clusters
from engage_pipeline_tests.model.bundles import quiet_settings, write_clusters
from engage_pipeline_tests.model.network_samples import set_column
from engage_pipeline_tests.samples import FIRST_DAY, feature_table


def test_six_bands_of_four_hours(tmp_path: Path) -> None:
    table = set_column(feature_table(24, 4, validation=True), "hour", list(range(24)))
    write_clusters(table, tmp_path, quiet_settings(tmp_path))
    rows = EffectRows.of(table, load_clusters(tmp_path), FIRST_DAY * 86_400)
    assert rows.hours.tolist() == [band for band in (1, 2, 3, 4, 5, 6) for _ in range(4)]
    assert rows.hour.tolist() == list(range(1, 25))
