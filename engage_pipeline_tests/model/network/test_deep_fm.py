"""The network that knows people and words, against a plain computation from its weights."""

from collections.abc import Callable

import numpy as np
import pytest
import torch  # noqa: TID253 - it is what is tested
from torch.nn import functional as F  # noqa: N812, TID253

from engage_pipeline.model.network.inputs import Inputs
from engage_pipeline.model.network.vocabulary import Vocabulary
from engage_pipeline_tests.model.network.network_samples import make_network, sample_vocabulary

EMBEDDING_SIZE = 4


def inputs_of(network, people: list[list[int]], words: list[list[int]]) -> Inputs:
    """A batch with random known input."""
    rows = len(people)
    known = torch.rand(rows, network.config.known_size, generator=torch.Generator().manual_seed(1))
    firsts = np.cumsum([0, *map(len, words)])[:-1]
    flat = torch.tensor([word for row in words for word in row], dtype=torch.int64)
    return Inputs(known, torch.zeros(rows, 3, dtype=torch.int64), torch.tensor(people), flat, torch.from_numpy(firsts))


def trained(members: int = 2):
    """A network whose biases and norms are not those of the beginning."""
    network = make_network("deep_fm", members=members)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for tensor in (*network.parameters(), *network.buffers()):
            if tensor.is_floating_point():
                tensor.add_(torch.rand(tensor.shape, generator=generator) / 5)
    return network.eval()


@pytest.mark.parametrize("members", [1, 3])
def test_equals_the_formula_row_by_row(members: int) -> None:
    network = trained(members)
    weights = {name: tensor.double() for name, tensor in network.state_dict().items()}
    people, words = [[1, 2], [0, 0], [3, 1]], [[4, 4, 9], [], [0]]
    inputs = inputs_of(network, people, words)
    found = network(*inputs)
    for row, (known, own) in enumerate(zip(people, words, strict=True)):
        alone = [member_logits(weights, member, members, inputs.known[row], known, own) for member in range(members)]
        torch.testing.assert_close(found[row].double(), sum(alone) / members, rtol=0, atol=1e-5)


def member_logits(
    weights: dict[str, torch.Tensor], member: int, members: int, known: torch.Tensor, people: list[int], own: list[int]
) -> torch.Tensor:
    """The logits of one of so many members, from its share of each layer and table."""

    def share(values: torch.Tensor) -> torch.Tensor:
        return values.chunk(members)[member]

    def learned(table: str, places: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        rows = [weights[table][place] for place in places]
        mean = sum(rows) / len(rows) if rows else torch.zeros(weights[table].shape[1], dtype=torch.float64)
        size = members * EMBEDDING_SIZE
        return share(mean[:size]), share(mean[size:])

    def layer(name: str, values: torch.Tensor) -> torch.Tensor:
        return values @ weights[f"{name}.weight"][member] + weights[f"{name}.bias"][member, 0]

    viewer, author = people
    (v, a, w), biases = zip(
        learned("viewer.weight", [viewer]), learned("author.weight", [author]), learned("word.weight", own), strict=True
    )
    embedded = torch.cat([weights[f"{name}.weight"][0] for name in ("language", "hour", "day")])
    first = weights["first_known.weight"] @ known.double() + weights["first_known.bias"]
    hidden = share(first + weights["first_embedded.weight"] @ embedded)
    hidden = hidden + layer("first_identified", torch.cat([v, a, w, v * a, v * w]))
    hidden = share_normed(weights, "norm1", F.leaky_relu(hidden), share)
    hidden = share_normed(weights, "norm2", F.leaky_relu(layer("second", hidden)), share)
    return layer("output", hidden) + sum(biases)


def share_normed(
    weights: dict[str, torch.Tensor], name: str, values: torch.Tensor, share: Callable[[torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    mean, variance, weight, bias = (
        share(weights[f"{name}.{piece}"]) for piece in ("running_mean", "running_var", "weight", "bias")
    )
    return (values - mean) / (variance + 1e-5).sqrt() * weight + bias


def test_it_says_whom_it_knows() -> None:
    assert sample_vocabulary().same_as(make_network("deep_fm").vocabulary)


def test_a_grown_vocabulary_computes_the_same() -> None:
    """Of the people and words that stay; who is new counts as unknown, and who is gone is forgotten."""
    network, before = trained(), sample_vocabulary()
    viewers = np.sort(np.append(before.viewers[2:], [5, 7]))
    now = Vocabulary(viewers, before.authors, before.tokens[::2])
    grown = make_network("deep_fm", now).eval()
    grown.load_state_dict(network.weights_for(network.config.languages, now))
    assert now.same_as(grown.vocabulary)
    stays, new = int(before.viewers[3]), 7
    places = [int(np.searchsorted(known, stays)) + 1 for known in (before.viewers, viewers)]
    here = network(*inputs_of(network, [[places[0], 2], [0, 2]], [[1, 3], [5]]))
    there = grown(*inputs_of(grown, [[places[1], 2], [int(np.searchsorted(viewers, new)) + 1, 2]], [[1, 2], [3]]))
    assert torch.equal(here, there)
