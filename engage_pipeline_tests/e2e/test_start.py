"""What `make ui` says when it starts."""

import re

import pytest

from engage_pipeline_tests.e2e.harness import Dev

pytestmark = pytest.mark.long


def test_nothing_that_is_used_is_deprecated(dev: Dev) -> None:
    log = dev.log.read_text(encoding="utf-8")
    assert "Launching Dagster services" in log
    assert not re.findall(r".*(?:Warning: |deprecated|superseded).*", log)
