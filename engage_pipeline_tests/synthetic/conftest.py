"""One synthetic folder that all tests of it read."""

import pytest

from engage_pipeline.synthetic import synthesize
from engage_pipeline_tests.synthetic.reading import PARTS, ROWS, SEED, USERS, Made, read_back


@pytest.fixture(scope="package")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("synthetic")
    synthesize(folder, rows=ROWS, users=USERS, parts=PARTS, seed=SEED)
    return read_back(folder)


@pytest.fixture(scope="package")
def peopled(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A world of many authors and rows: medians over the authors of `made` vary by a third from seed to seed."""
    folder = tmp_path_factory.mktemp("peopled")
    synthesize(folder, rows=60_000, users=40_000, parts=1, seed=SEED)
    return read_back(folder)
