"""The residual network against the reference's own values."""

import numpy as np
import pytest
import torch  # noqa: TID253 - it is what is tested

from engage_pipeline.model.network.network_config import NetworkConfig
from engage_pipeline.model.network.residual import ResidualNetwork
from engage_pipeline_tests.samples import GOLDEN

GOLDEN_NAMES = {
    "l2": "second",
    "l3": "third",
    "l4": "fourth",
    "l_output": "output",
    "bn1": "norm1",
    "bn2": "norm2",
    "bn3": "norm3",
    "bn4": "norm4",
    "language": "language",
    "hour": "hour",
    "day": "day",
}


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(GOLDEN / "network.npz", allow_pickle=False) as file:
        return dict(file)


def golden_network(golden: dict[str, np.ndarray]) -> ResidualNetwork:
    given = {name.removeprefix("weight."): torch.from_numpy(v) for name, v in golden.items() if "weight." in name}
    first = torch.cat([given["l1.weight"], given["projection.weight"]])
    n_known = first.shape[1] - 60
    state = {
        "first_known.weight": first[:, :n_known],
        "first_known.bias": torch.cat([given["l1.bias"], given["projection.bias"]]),
        "first_embedded.weight": first[:, n_known:],
    }
    for name, tensor in given.items():
        layer, _, rest = name.partition(".")
        if layer in GOLDEN_NAMES:
            state[f"{GOLDEN_NAMES[layer]}.{rest}"] = tensor
    network = ResidualNetwork(NetworkConfig(tuple("abcde"), 4, 8, 24, 20))
    network.load_state_dict(state)
    return network.eval()


def test_logits_equal_the_references(golden: dict[str, np.ndarray]) -> None:
    known = torch.from_numpy(np.concatenate([golden["sketch"], golden["fourier"], golden["binary"]], axis=1)).float()
    categories = torch.from_numpy(np.stack([golden["language"], golden["hour"], golden["day"]], axis=1))
    none = torch.zeros(0, dtype=torch.int64)
    logits = golden_network(golden)(known, categories, none, none, none).detach().numpy()
    np.testing.assert_allclose(logits, golden["logits"], rtol=0, atol=1e-5)
