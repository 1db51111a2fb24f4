"""The tweet sketch: which codes the tokens of a tweet have, counted per depth."""

import torch  # noqa: TID253 - nothing light imports this module


def count_codes(tokens: torch.Tensor, lengths: torch.Tensor, codes: torch.Tensor, width: int) -> torch.Tensor:
    """How many tokens of each tweet have each code: float32 [n, depth, width].

    `tokens` is int [sum of lengths], tweet after tweet; `lengths` int64 [n]; `codes` int32 [vocabulary, depth], -1
    where a token has none. The first and last token of a tweet ([CLS], [SEP]) and tokens without a code are skipped.
    """
    n, depth = len(lengths), codes.shape[1]
    ends = lengths.cumsum(0)
    tweets = torch.arange(n, device=tokens.device).repeat_interleave(lengths)
    kept = (tokens >= 0) & (tokens < len(codes))
    kept[(ends - lengths)[lengths > 0]] = False
    kept[(ends - 1)[lengths > 0]] = False
    token_codes, tweets = codes[tokens[kept].long()].long(), tweets[kept]
    coded = token_codes[:, 0] >= 0
    cells = token_codes[coded]
    cells += torch.arange(depth, device=cells.device) * width
    cells += tweets[coded].unsqueeze(1) * (depth * width)
    counts = torch.zeros(n * depth * width, device=tokens.device)
    counts.index_add_(0, cells.flatten(), counts.new_ones(1).expand(cells.numel()))
    return counts.view(n, depth, width)


def normalize_sketch(counts: torch.Tensor) -> torch.Tensor:
    """Counts [n, depth, width], each depth's row divided by its Euclidean norm (a zero row stays zero), flattened."""
    return torch.nn.functional.normalize(counts, dim=2).flatten(1)
