import numpy as np
import pytest

from engage_pipeline.errors import UserError
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
LANGUAGES = tuple("abcde")


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "network.npz", allow_pickle=False) as file:
        return dict(file)


def make_network(**values):
    import torch

    from engage_pipeline.model.network.network import EngagementNetwork, NetworkConfig

    torch.manual_seed(3)
    shape = {"languages": LANGUAGES, "sketch_depth": 4, "sketch_width": 8, "hidden_size": 24, "embedding_size": 20}
    return EngagementNetwork(NetworkConfig(**{**shape, **values}))


def golden_network(golden):
    import torch

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
    network = make_network()
    network.load_state_dict(state)
    return network.eval()


def golden_batch(golden):
    import torch

    known = torch.from_numpy(np.concatenate([golden["sketch"], golden["fourier"], golden["binary"]], axis=1)).float()
    return known, torch.from_numpy(np.stack([golden["language"], golden["hour"], golden["day"]], axis=1))


def test_logits_equal_the_references(golden):
    logits = golden_network(golden)(*golden_batch(golden)).detach().numpy()
    np.testing.assert_allclose(logits, golden["logits"], rtol=0, atol=1e-5)


def test_survives_a_round_trip_through_its_files(golden, tmp_path):
    from engage_pipeline.model.network.network import load_network, save_network

    network = golden_network(golden)
    save_network(network, tmp_path)
    loaded = load_network(tmp_path)
    assert loaded.config == network.config
    assert not loaded.training
    np.testing.assert_array_equal(loaded(*golden_batch(golden)).detach(), network(*golden_batch(golden)).detach())


def test_says_which_folder_holds_no_network(tmp_path):
    from engage_pipeline.model.network.network import load_network, save_network

    with pytest.raises(UserError, match=str(tmp_path)):
        load_network(tmp_path)
    save_network(make_network(), tmp_path)
    (tmp_path / "network.safetensors").write_bytes(b"\x00" * 100)
    with pytest.raises(UserError, match="not a network"):
        load_network(tmp_path)


def test_trains_on_a_single_row(golden):
    network = make_network().train()
    known, categories = golden_batch(golden)
    network(known[:1], categories[:1]).sum().backward()
    assert network.first_known.weight.grad.abs().sum() > 0
    assert network.norm1.num_batches_tracked == 0


def test_starts_at_base_rates(golden):
    network = make_network()
    rates = (0.4, 0.09, 0.007, 0.03)
    network.start_at(rates)
    probabilities = network(*golden_batch(golden)).sigmoid().detach().numpy()
    np.testing.assert_allclose(probabilities, np.tile(rates, (16, 1)), rtol=1e-5)


def test_an_input_never_seen_does_not_act(golden):
    import torch

    network = make_network(base_rates=(0.4, 0.1, 0.01, 0.03)).eval()
    known, categories = golden_batch(golden)
    first, second = (torch.cat([known, filler], dim=1) for filler in (torch.zeros(16, 70), torch.ones(16, 70)))
    assert torch.equal(network(first, categories), network(second, categories))


def test_embeddings_start_small_and_cover_unseen_language():
    network = make_network(languages=tuple(str(i) for i in range(400)))
    assert network.language.weight.shape == (401, 20)
    import torch

    weights = torch.cat([getattr(network, name).weight.flatten() for name in ("language", "hour", "day")])
    assert weights.abs().max().item() <= 0.02  # two deviations of 0.01
    # a normal distribution truncated there keeps 0.8796 of its deviation
    assert weights.std().item() == pytest.approx(0.008796, rel=0.05)
