"""What every architecture has."""

from dataclasses import replace

import pytest
import torch  # noqa: TID253 - it is what is tested

from engage_pipeline.model.network.batch_norm import BatchNorm
from engage_pipeline.model.network.inputs import Inputs
from engage_pipeline.model.network.network_config import NetworkConfig
from engage_pipeline_tests.model.network.network_samples import ARCHITECTURES, LANGUAGES, make_network

BASE_RATES = (0.4, 0.09, 0.007, 0.03)

pytestmark = pytest.mark.parametrize("architecture", ARCHITECTURES)


def batch(config: NetworkConfig, rows: int = 16) -> Inputs:
    """Random input of a network that reads no smoothed rates, without unknown languages; three words a row."""
    generator = torch.Generator().manual_seed(rows)
    known = torch.rand(rows, make_network(config.architecture).first_known.in_features, generator=generator)

    def numbers(below: int, *shape: int) -> torch.Tensor:
        return torch.randint(below, shape, generator=generator)

    least = min(config.vocabulary, default=1)
    people = numbers(least, rows, 2 if config.vocabulary else 0)
    return Inputs(known, numbers(3, rows, 3), people, numbers(least, 3 * rows), torch.arange(0, 3 * rows, 3))


def row_of(inputs: Inputs, place: int) -> Inputs:
    """One row of a batch."""
    alone = (field[[place]] for field in inputs[:3])
    return Inputs(*alone, inputs.words[3 * place : 3 * place + 3], torch.zeros(1, dtype=torch.int64))


def test_the_config_says_which_architecture_it_is(architecture: str) -> None:
    assert make_network(architecture).config.architecture == architecture


def test_trains_on_a_single_row(architecture: str) -> None:
    network = make_network(architecture).train()
    network(*batch(network.config, 1)).sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
    norms = [module for module in network.modules() if isinstance(module, BatchNorm)]
    assert norms
    assert not any(norm.num_batches_tracked for norm in norms)


def test_a_row_does_not_hang_on_the_others(architecture: str) -> None:
    network = make_network(architecture).train()
    inputs = batch(network.config)
    network(*inputs)
    logits = network.eval()(*inputs)
    assert logits.dtype == torch.float32
    for place in (0, 7):
        torch.testing.assert_close(network(*row_of(inputs, place))[0], logits[place], rtol=0, atol=1e-5)
    assert logits.std(dim=0).min() > 1e-3


def test_the_first_stage_is_all_that_reads_the_input(architecture: str) -> None:
    network = make_network(architecture).eval()
    inputs = batch(network.config)
    embedded = network.embed(inputs.categories)
    weights = torch.cat([network.first_known.weight, network.first_embedded.weight], dim=1)
    first = torch.cat([inputs.known, embedded], dim=1) @ weights.T + network.first_known.bias
    whole = network.identified(first, *inputs[2:])
    torch.testing.assert_close(network.above_first(whole), network(*inputs), rtol=0, atol=1e-5)
    assert whole.shape[1] - first.shape[1] == len(network.identified_features)


def test_starts_at_base_rates(architecture: str) -> None:
    network = make_network(architecture).eval()
    network.start_at(BASE_RATES)
    probabilities = network(*batch(network.config)).sigmoid()
    torch.testing.assert_close(probabilities, torch.tensor(BASE_RATES).expand(16, 4), rtol=1e-5, atol=0)


def test_an_input_never_seen_does_not_act(architecture: str) -> None:
    network = make_network(architecture, base_rates=BASE_RATES).eval()
    known, *others = batch(network.config)
    first, second = (torch.cat([known, filler], dim=1) for filler in (torch.zeros(16, 70), torch.ones(16, 70)))
    assert torch.equal(network(first, *others), network(second, *others))


def test_embeddings_start_small_and_cover_unseen_language(architecture: str) -> None:
    network = make_network(architecture, languages=tuple(str(i) for i in range(400)), embedding_size=20)
    assert network.language.weight.shape == (401, 20)
    weights = torch.cat([getattr(network, name).weight.flatten() for name in ("language", "hour", "day")])
    assert weights.abs().max().item() <= 0.02  # two deviations of 0.01
    # a normal distribution truncated there keeps 0.8796 of its deviation
    assert weights.std().item() == pytest.approx(0.008796, rel=0.05)
    means = torch.cat([getattr(network, name).weight.mean(dim=0) for name in ("language", "hour", "day")])
    assert torch.equal(network.mean_embeddings(), means.unsqueeze(0))


def test_weights_grow_by_languages(architecture: str) -> None:
    network = make_network(architecture).eval()
    languages = ("es", LANGUAGES[2], LANGUAGES[0], "fr")
    grown = make_network(architecture, languages=languages).eval()
    grown.load_state_dict(network.weights_for(languages))
    known, categories, *others = batch(network.config)
    for here, there in ((0, 3), (1, 2), (2, 0), (3, 3), (4, 3)):
        now, before = categories.clone(), categories.clone()
        now[:, 0], before[:, 0] = here, there
        assert torch.equal(grown(known, now, *others), network(known, before, *others))
    assert network.config == replace(grown.config, languages=LANGUAGES)
