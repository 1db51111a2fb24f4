"""The tweet sketch: a histogram of the codes of a tweet's tokens at each depth."""

import numpy as np
import torch  # noqa: TID253 - nothing light imports this module


def count_codes(tokens: torch.Tensor, lengths: torch.Tensor, codes: torch.Tensor, width: int) -> torch.Tensor:
    """Counts the tokens of each tweet that have each code: float32 [n, depth, width].

    `tokens` is int [sum of lengths], tweet after tweet; `lengths` int64 [n]; `codes` int32 [vocabulary, depth], -1
    for a token without codes. The first and last token of a tweet ([CLS], [SEP]) and tokens without a code are skipped.
    """
    n, depth = len(lengths), codes.shape[1]
    ends = lengths.cumsum(0)
    tweets = torch.arange(n, device=tokens.device).repeat_interleave(lengths)
    kept = (tokens >= 0) & (tokens < len(codes))
    kept[(ends - lengths)[lengths > 0]] = False
    kept[(ends - 1)[lengths > 0]] = False
    kept &= codes[tokens.clamp(0, len(codes) - 1), 0] >= 0
    columns = codes[tokens[kept]]  # [kept tokens, depth]
    columns += torch.arange(0, depth * width, width, dtype=torch.int32, device=tokens.device)
    counts = torch.zeros(n, depth * width, device=tokens.device)
    cells = columns + (tweets[kept] * (depth * width)).unsqueeze(1)
    counts.view(-1).index_add_(0, cells.flatten(), counts.new_ones(1).expand(cells.numel()))
    return counts.view(n, depth, width)


def normalize_sketch(counts: torch.Tensor) -> torch.Tensor:
    """Divides each depth's row of `counts` [n, depth, width] by its Euclidean norm, in place; a zero row stays zero.

    Returns the counts as [n, depth x width].
    """
    norms = torch.linalg.vector_norm(counts, dim=2, keepdim=True)
    return counts.div_(norms.clamp_min_(1)).flatten(1)


def sketch_of_one(tokens: np.ndarray, codes: np.ndarray, width: int) -> np.ndarray:
    """Returns the normalized sketch of one tweet, float32 [depth x width]; arguments as those of count_codes."""
    inner = tokens[1:-1]
    columns = codes[inner[(inner >= 0) & (inner < len(codes))]]  # [inner tokens, depth]
    size = codes.shape[1] * width
    cells = columns[columns[:, 0] >= 0] + np.arange(0, size, width)
    counts = np.bincount(cells.ravel(), minlength=size).reshape(-1, width).astype(np.float32)
    return (counts / np.sqrt(np.square(counts).sum(axis=1, keepdims=True)).clip(1)).ravel()
