"""Test rows of a language, type, medium, viewer, author and tokens that training never saw: predicted, and counted."""

from pathlib import Path

import numpy as np
import pytest

from engage_pipeline import schema
from engage_pipeline.interactions.features.rows import FeatureFile
from engage_pipeline.language.codes import CODES, load_codes
from engage_pipeline.submission.scoring.results_file import read_predictions
from engage_pipeline_tests import worlds
from engage_pipeline_tests.faults.raw import part_of
from engage_pipeline_tests.orchestration.checks.looking import failed, look, raw_lines, write_lines

pytestmark = pytest.mark.long
UNSEEN = {
    "language": "a language of its own",
    "tweet_type": "Poll",
    "present_media": "Photo\tHologram",
    "engaged_with_user_id": "F" * 32,
    "engaging_user_id": "E" * 32,
}
ROWS = 12


AUTHOR, VIEWER, LANGUAGE = (
    schema.COLUMN_NAMES.index(name) for name in ("engaged_with_user_id", "engaging_user_id", "language")
)


def expected_unknown(world: Path) -> dict[str, int]:
    """Test rows with an author or viewer that no labelled line has, or a language that no training line has."""
    train = [fields for part in sorted((world / "raw" / "train").iterdir()) for fields in raw_lines(part)]
    labelled = train + raw_lines(world / "raw" / "validation" / "part-00000")
    known = {
        "new_author_rows": (AUTHOR, {fields[AUTHOR] for fields in labelled}),
        "new_viewer_rows": (VIEWER, {fields[VIEWER] for fields in labelled}),
        "unknown_language_rows": (LANGUAGE, {fields[LANGUAGE] for fields in train}),
    }
    test = raw_lines(world / "raw" / "test" / "part-00000")
    return {name: sum(fields[place] not in values for fields in test) for name, (place, values) in known.items()}


def test_what_was_never_seen_is_predicted_and_counted(world: Path) -> None:
    config = world / "config.yaml"
    store = worlds.store_of(config)
    before = store.open("submission").manifest.facts["unknown"]
    codes = load_codes(store.open("trained_model").path(CODES))[:, 0]
    without_code = np.flatnonzero(codes[1000:] < 0)[:3] + 1000
    test = part_of(config, "part-00000", "test")
    lines = raw_lines(test)
    expected = expected_unknown(world)
    assert {name: before[name] for name in expected} == expected

    strange = dict(zip(schema.COLUMN_NAMES, lines[0], strict=False)) | UNSEEN
    strange["text_tokens"] = "\t".join(map(str, [101, *without_code, 102]))
    empty = dict.fromkeys(strange, "") | {"tweet_id": "no", "engaging_user_id": "body"}
    write_lines(test, lines + [list(strange.values())] * ROWS + [list(empty.values())])
    worlds.run(config)

    facts = store.open("submission").manifest.facts
    unknown = facts["unknown"]
    assert facts["rows"] == len(lines) + ROWS + 1
    assert {name: unknown[name] - before[name] for name in expected} == dict.fromkeys(expected, ROWS + 1)
    assert unknown["tokens"] == before["tokens"] + 3 * ROWS
    assert unknown["unknown_tokens"] == before["unknown_tokens"] + 3 * ROWS
    tweets = store.open("test_tweets").manifest.facts["parts"]["part-00000"]
    assert (tweets["unknown_tweet_types"], tweets["unknown_media"]) == ({"Poll": ROWS}, {"Hologram": ROWS})
    assert "a language of its own" in failed(look(config, "test_features"))["languages_are_known"]
    features = FeatureFile(store.open("test_features").path("part-00000.parquet")).read().slice(len(lines), ROWS)
    assert {name: set(features[name].to_pylist()) for name in schema.TRAINING_FEATURES} == {
        name: {0} for name in schema.TRAINING_FEATURES
    }
    predicted = read_predictions(store.open("submission").path("results.csv")).probabilities
    assert len(predicted) == facts["rows"]
    assert (predicted[-ROWS - 1 : -1] == predicted[-2]).all()
    assert ((predicted > 0) & (predicted < 1)).all()
