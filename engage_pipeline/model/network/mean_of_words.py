"""The mean of the embeddings of a text's words, whose gradient has each word once.

torch's own has a row for each word of each text, all those of a text alike: several megabytes a batch, to write, scale
and read again. Here a loop adds a text's gradient to its words' sums.
"""

from typing import Any

import numpy as np
import torch  # noqa: TID253 - nothing light imports this module
from torch import nn  # noqa: TID253
from torch.nn import functional as F  # noqa: N812, TID253

from engage_pipeline.model.network.row_steps import sum_by_word


class MeanOfWords(nn.EmbeddingBag):
    """An EmbeddingBag of means. While it is `sparse`, as TableAdamW has it on CPUs, its gradient has each word once."""

    def __init__(self, words: int, size: int) -> None:
        """Random weights, float32 [words, size], from torch's generator."""
        super().__init__(words, size, mode="mean")

    def forward(self, words: torch.Tensor, firsts: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """words int64 [n], and the place of each text's first, int64 [texts], rising from 0 -> [texts, size]."""
        if not self.sparse:
            return super().forward(words, firsts)
        found: torch.Tensor = _Means.apply(self.weight, words, firsts)
        return found


class _Means(torch.autograd.Function):
    """The means, and the sparse gradient of the weights."""

    @staticmethod
    def forward(context: Any, weight: torch.Tensor, words: torch.Tensor, firsts: torch.Tensor) -> torch.Tensor:
        context.save_for_backward(words, firsts)
        context.shape = weight.shape
        return F.embedding_bag(words, weight, firsts, mode="mean")

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        words, firsts = context.saved_tensors
        lengths = firsts.diff(append=firsts.new_tensor([len(words)]))
        of_words = (gradients[0] * lengths.clamp(min=1).reciprocal().unsqueeze(1)).contiguous()
        numbers, found = np.full(context.shape[0], -1, np.int32), np.empty(len(words), np.int64)
        sums = np.empty((len(words), of_words.shape[1]), np.float32)
        count = sum_by_word(words.numpy(), firsts.numpy(), of_words.numpy(), numbers, found, sums)
        rows = torch.from_numpy(found[:count]).unsqueeze(0)
        summed = torch.sparse_coo_tensor(
            rows, torch.from_numpy(sums[:count]), context.shape, check_invariants=False, is_coalesced=True
        )
        return summed, None, None
