"""Fixtures: the folders of bundles that versions of candidate_model are made of."""

from pathlib import Path

import pytest

from engage_pipeline_tests.model.promotion.promotions import make_bundles


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_bundles(tmp_path_factory.mktemp("bundles"))
