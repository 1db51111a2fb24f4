"""The tweet sketch: a histogram of the codes of a tweet's tokens at each depth."""

import numpy as np
import torch  # noqa: TID253 - nothing light imports this module

from engage_pipeline.numerics.compilation import compiled, compiled_within


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


@compiled_within()
def _depth(codes: np.ndarray, token: int) -> int:
    """Returns how many codes a token has: all or none."""
    return codes.shape[1] if 0 <= token < len(codes) and codes[token, 0] >= 0 else 0


@compiled()
def write_sketches(
    tokens: np.ndarray, lengths: np.ndarray, codes: np.ndarray, width: int, sketches: np.ndarray
) -> None:
    """Writes what count_codes and normalize_sketch make of the tweets into the first columns of `sketches`, float32.

    For a CPU: a tweet has few tokens and thousands of cells, and cells that none has are only cleared.
    """
    size = codes.shape[1] * width
    squares, start = np.zeros(codes.shape[1], np.float32), 0
    for row in range(len(lengths)):
        own, end = sketches[row], start + lengths[row]
        own[:size] = 0
        squares[:] = 0
        for place in range(start + 1, end - 1):
            for level in range(_depth(codes, tokens[place])):
                cell = level * width + codes[tokens[place], level]
                squares[level] += 1 - 2 * own[cell]
                own[cell] -= 1  # below 0 until it is divided, once however many tokens have it
        for place in range(start + 1, end - 1):
            for level in range(_depth(codes, tokens[place])):
                cell = level * width + codes[tokens[place], level]
                if own[cell] < 0:
                    own[cell] = -own[cell] / np.sqrt(squares[level])
        start = end
