"""A network on disk."""

import json
from pathlib import Path

import numpy as np
import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.model.network.network_files import load_network, save_network
from engage_pipeline_tests.model.network.network_samples import ARCHITECTURES, make_network


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("base_rates", [(), (0.4, 0.1, 0.01, 0.03)])
def test_survives_a_round_trip_through_its_files(
    tmp_path: Path, architecture: str, base_rates: tuple[float, ...]
) -> None:
    network = make_network(architecture, base_rates=base_rates)
    save_network(network, tmp_path)
    loaded = load_network(tmp_path)
    assert type(loaded) is type(network)
    assert loaded.config == network.config
    assert not loaded.training
    before, after = network.state_dict(), loaded.state_dict()
    assert list(before) == list(after)
    for name, weights in before.items():
        np.testing.assert_array_equal(weights, after[name], name)


def test_the_files_of_a_residual_network_do_not_name_it(tmp_path: Path) -> None:
    """Networks that were saved when there was no other architecture stay what they are, to the byte."""
    save_network(make_network("residual"), tmp_path)
    names = ["languages", "sketch_depth", "sketch_width", "hidden_size", "embedding_size", "base_rates", "precision"]
    assert list(json.loads((tmp_path / "network.json").read_text(encoding="utf-8"))) == names
    assert load_network(tmp_path).config.architecture == "residual"


def test_says_which_folder_holds_no_network(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=str(tmp_path)):
        load_network(tmp_path)
    save_network(make_network(), tmp_path)
    (tmp_path / "network.safetensors").write_bytes(b"\x00" * 100)
    with pytest.raises(UserError, match="not a network"):
        load_network(tmp_path)


def test_an_architecture_that_is_not_known_is_no_network(tmp_path: Path) -> None:
    save_network(make_network(), tmp_path)
    path = tmp_path / "network.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**values, "architecture": "later"}), encoding="utf-8")
    with pytest.raises(
        UserError, match="not a network: architecture 'later' is not one of deep_fm, residual, deep_cross"
    ):
        load_network(tmp_path)


def test_weights_of_another_shape_are_refused_in_a_few_words(tmp_path: Path) -> None:
    save_network(make_network(), tmp_path)
    path = tmp_path / "network.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**values, "hidden_size": 7}), encoding="utf-8")
    with pytest.raises(UserError, match=r"not a network: its weights are not those of its architecture and shape$"):
        load_network(tmp_path)
