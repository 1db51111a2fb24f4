import math

import numpy as np
import pyarrow as pa
import torch  # noqa: TID253 - it is what is tested

from engage_pipeline import schema
from engage_pipeline.model.network.rows import COUNTS, RowReader
from engage_pipeline.model.network.smoothed_rates import history_features, n_history_features
from engage_pipeline.settings.families import FURTHER_FAMILIES
from engage_pipeline_tests.samples import feature_table

BASE = {"like": 0.4, "retweet": 0.1, "retweet_with_comment": 0.01, "reply": 0.03}


def logit(rate):
    return math.log(rate / (1 - rate))


def slow_history(row, further=()):
    keys = [name[: -len("_exposures")] for name in schema.EXPOSURE_FEATURES] + [*further]
    rates = []
    for key in keys:
        for target, base in BASE.items():
            rate = (row[f"{key}_{target}"] + 20 * base) / (row[f"{key}_exposures"] + 20)
            rates.append(logit(min(rate, 1 - 1e-6)) - logit(base))
    return [*rates, *(math.log(1 + row[f"{key}_exposures"]) / 4 for key in keys)]


def features(table, further=()):
    rows = RowReader(["en"], further).rows(table, labelled=True)
    return history_features(torch.from_numpy(rows.counts), torch.from_numpy(rows.exposures), tuple(BASE.values()))


def test_equals_a_slow_reference_row_by_row():
    table = feature_table(40, 2)
    result = features(table)
    assert result.dtype == torch.float32
    np.testing.assert_allclose(result, [slow_history(row) for row in table.to_pylist()], rtol=0, atol=1e-5)


def test_counters_beyond_the_reference_stand_behind_the_others_in_both_blocks():
    families = [family.name for family in FURTHER_FAMILIES]
    table = feature_table(40, 2, families=families)
    further = schema.further_counters(families)
    expected = [slow_history(row, further) for row in table.to_pylist()]
    np.testing.assert_allclose(features(table, further), expected, rtol=0, atol=1e-5)
    assert len(expected[0]) == n_history_features(len(further)) == 80


def test_by_hand():
    table = feature_table(1, 2)
    counters = {f"pair_{target}": 0 for target in BASE} | {"pair_like": 3, "pair_exposures": 5}
    result = features(pa.Table.from_pylist([{**table.to_pylist()[0], **counters}], schema=table.schema))[0]
    # (3 + 20 * 0.4) / (5 + 20) = 11 / 25
    assert abs(result[0].item() - (math.log(11 / 14) - math.log(0.4 / 0.6))) < 1e-6
    assert abs(result[56].item() - math.log(6) / 4) < 1e-6


def test_a_key_never_shown_has_zeros():
    n = len(schema.EXPOSURE_FEATURES)
    zeros = history_features(torch.zeros(2, 60, dtype=torch.int32), torch.zeros(2, n), tuple(BASE.values()))
    assert zeros.abs().max() == 0


def test_a_rate_of_one_has_finite_log_odds():
    counts, exposures = torch.zeros(1, 60, dtype=torch.int32), torch.zeros(1, len(schema.EXPOSURE_FEATURES))
    counts[0, COUNTS.index("pair_like")] = exposures[0, schema.EXPOSURE_FEATURES.index("pair_exposures")] = 1e9
    found = history_features(counts, exposures, tuple(BASE.values()))[0, 0].item()
    # (1e9 + 20 * 0.4) / (1e9 + 20) = 1 - 1.2e-8, more than the highest rate 1 - 1e-6, whose odds are 999999 to 1
    assert abs(found - (math.log(999_999) - math.log(0.4 / 0.6))) < 1e-5
