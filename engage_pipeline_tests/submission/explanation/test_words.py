"""Words for the families of an explanation."""

import pytest

from engage_pipeline import schema
from engage_pipeline.model.explanation.families import FAMILIES, ExplainedFamily
from engage_pipeline.settings.families import FURTHER_FAMILIES
from engage_pipeline.submission.explanation import words
from engage_pipeline_tests.samples import feature_table


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
def test_every_family_has_words(family: ExplainedFamily) -> None:
    [row] = feature_table(1, 3, families=[one.name for one in FURTHER_FAMILIES]).to_pylist()
    assert all(words.describe(family, target, row) for target in schema.TARGETS)


def test_an_embedding_rests_on_training_rows() -> None:
    [row] = feature_table(1, 3).to_pylist()
    row |= {"viewer_exposures": 1, "author_exposures": 2300}
    assert words.describe(FAMILIES["viewer_embedding"], "like", row) == "1 training row"
    assert words.describe(FAMILIES["author_embedding"], "like", row) == "2,300 training rows"
