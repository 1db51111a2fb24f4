"""The mean of a text's words against torch's EmbeddingBag, whose gradient is dense."""

import numpy as np
import pytest
import torch  # noqa: TID253 - it is what is tested
from torch import nn  # noqa: TID253

from engage_pipeline.model.network.mean_of_words import MeanOfWords

WORDS, SIZE = 9, 5


def both() -> tuple[MeanOfWords, nn.EmbeddingBag]:
    found, expected = MeanOfWords(WORDS, SIZE), nn.EmbeddingBag(WORDS, SIZE, mode="mean")
    with torch.no_grad():
        found.weight.copy_(torch.rand(WORDS, SIZE, generator=torch.Generator().manual_seed(1)))
        expected.weight.copy_(found.weight)
    found.sparse = True
    return found, expected


@pytest.mark.parametrize(
    "texts",
    [
        [[3]],
        [[1, 2, 1], [2, 8, 8, 8, 0]],
        [[], [4, 4], [], [], [4, 1], []],
        [[], []],
        np.random.default_rng(2).integers(0, WORDS, (40, 7)).tolist(),
    ],
)
def test_gradients_are_those_of_an_embedding_bag_with_each_word_once(texts: list[list[int]]) -> None:
    words = torch.tensor([word for text in texts for word in text], dtype=torch.int64)
    firsts = torch.from_numpy(np.cumsum([0, *map(len, texts)])[:-1])
    told = torch.rand(len(texts), SIZE, generator=torch.Generator().manual_seed(3)) - 0.5
    found, expected = both()
    means, wanted = found(words, firsts), expected(words, firsts)
    torch.testing.assert_close(means, wanted, rtol=0, atol=0)
    means.backward(told)
    wanted.backward(told)

    gradient = found.weight.grad
    assert gradient is not None
    assert sorted(gradient._indices()[0].tolist()) == sorted({word for text in texts for word in text})
    torch.testing.assert_close(gradient.to_dense(), expected.weight.grad)


def test_it_is_an_embedding_bag_where_its_gradient_is_dense() -> None:
    found, _ = both()
    found.sparse = False
    found(torch.tensor([1, 2, 2]), torch.tensor([0, 1])).sum().backward()
    assert not found.weight.grad.is_sparse
