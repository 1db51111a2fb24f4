"""One synthetic folder that all tests of it read."""

import pytest

from engage_pipeline.synthetic import synthesize
from engage_pipeline_tests.synthetic.reading import PARTS, ROWS, SEED, USERS, Made, read_back


@pytest.fixture(scope="package")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("synthetic")
    synthesize(folder, rows=ROWS, users=USERS, parts=PARTS, seed=SEED)
    return read_back(folder)
