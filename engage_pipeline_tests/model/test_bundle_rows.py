"""Rows for which a bundle gives no number."""

from pathlib import Path

import numpy as np
import pytest

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.model.bundle import TrainedModel, _check_finite, build_bundle
from engage_pipeline_tests.model.bundles import make_inputs, quiet_settings
from engage_pipeline_tests.samples import feature_table

TABLE = feature_table(1200, 31, validation=True)
UNSEEN = feature_table(200, 32, labelled=False)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("inputs")
    return make_inputs(TABLE, folder, quiet_settings(folder))


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_logit_that_is_no_number_is_enough(place: int, value: float) -> None:
    logits = np.zeros((len(UNSEEN), 4))
    _check_finite("model", logits, UNSEEN)
    logits[[5, 8], place] = value
    line = UNSEEN[schema.LINE_NUMBER][5].as_py()
    with pytest.raises(UserError, match=rf"line number {line}: the model gives no number \(2 such rows\)"):
        _check_finite("model", logits, UNSEEN)


def test_a_pretrained_network_that_gives_no_number_is_named(inputs: dict[str, Path], tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    build_bundle(tmp_path, **inputs, settings=quiet_settings(tmp_path))
    path = tmp_path / "pretrained_network.safetensors"
    weights = load_file(path)
    floats = {name: values * np.nan for name, values in weights.items() if values.dtype.kind == "f"}
    save_file(weights | floats, path)
    with pytest.raises(UserError, match="the pretrained network gives no number"):
        TrainedModel.load(tmp_path, threads=1).probabilities(UNSEEN)
