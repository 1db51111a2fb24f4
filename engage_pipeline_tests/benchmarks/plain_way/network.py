"""The network the way of the reference: its input built a row at a time, dense, fp32, batches of 256."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch  # noqa: TID253
from torch import nn  # noqa: TID253
from torch.nn import functional as F  # noqa: N812, TID253

from engage_pipeline import schema

Row = Mapping[str, Any]
SCALES = range(-1, 7)
BATCH_ROWS = 256
N_HOURS, N_DAYS = 24, 31


def row_input(row: Row, codes: np.ndarray, width: int) -> np.ndarray:
    """The known input of a feature row by column name, float32 [depth x width + 16 x 73 + 12].

    Its order is that of docs/specification.md, section 6.
    """
    depth = codes.shape[1]
    sketch = np.zeros((depth, width), np.float32)
    for token in row["text_tokens"][1:-1]:
        if 0 <= token < len(codes) and codes[token, 0] >= 0:
            for place in range(depth):
                sketch[place, codes[token, place]] += 1
    norms = np.linalg.norm(sketch, axis=1, keepdims=True)
    sketch = sketch / np.where(norms > 0, norms, 1)
    waves: list[float] = []
    for name in schema.NUMBERS:
        angles = [row[name] / 2.0**scale for scale in SCALES]
        waves += [math.sin(angle) for angle in angles]
        waves += [math.cos(angle) for angle in angles]
    flags = [float(row[name]) for name in schema.BINARY_FEATURES]
    return np.concatenate([sketch.ravel(), np.array(waves, np.float32), np.array(flags, np.float32)])


class PlainNetwork(nn.Module):
    """The network of docs/specification.md, section 6, a matrix for each product, the whole input differentiated."""

    def __init__(self, n_known: int, n_languages: int, hidden: int, embedding: int = 20) -> None:
        super().__init__()
        sizes = (n_languages + 1, N_HOURS, N_DAYS)
        self.embeddings = nn.ModuleList(nn.Embedding(size, embedding) for size in sizes)
        n_inputs = n_known + len(sizes) * embedding
        self.w1, self.wp = (nn.Linear(n_inputs, hidden) for _ in range(2))
        self.w2, self.w3, self.w4 = (nn.Linear(hidden, hidden) for _ in range(3))
        self.norms = nn.ModuleList(nn.BatchNorm1d(hidden) for _ in range(4))
        self.output = nn.Linear(hidden, len(schema.TARGETS))

    def forward(self, known: torch.Tensor, categories: torch.Tensor) -> torch.Tensor:
        """known float32 [n, known], categories int64 [n, 3] -> logits [n, 4]."""
        embedded = [table(column) for table, column in zip(self.embeddings, categories.unbind(1), strict=True)]
        x = torch.cat([known, *embedded], dim=1)
        skip = self.wp(x)
        h1 = self.norms[0](F.leaky_relu(self.w1(x)))
        h2 = self.norms[1](F.leaky_relu(self.w2(h1) + skip))
        h3 = self.norms[2](F.leaky_relu(self.w3(h2) + skip))
        h4 = self.norms[3](F.leaky_relu(self.w4(h3) + h1))
        return self.output(h4)


def batch_inputs(
    rows: Sequence[Row], codes: np.ndarray, width: int, languages: Mapping[str, int]
) -> Iterator[tuple[torch.Tensor, torch.Tensor, Sequence[Row]]]:
    """known, categories and the rows, BATCH_ROWS at a time, each row's input built by itself."""
    for start in range(0, len(rows), BATCH_ROWS):
        batch = rows[start : start + BATCH_ROWS]
        known = torch.stack([torch.from_numpy(row_input(row, codes, width)) for row in batch])
        categories = [
            [languages.get(row["language"], len(languages)), row["hour"], row["day_of_month"]] for row in batch
        ]
        yield known, torch.tensor(categories), batch


def train(
    network: PlainNetwork, rows: Sequence[Row], codes: np.ndarray, width: int, languages: Mapping[str, int]
) -> None:
    """One pass over the rows, in batches as they come."""
    optimizer = torch.optim.AdamW(network.parameters(), 1e-4, weight_decay=0.01, foreach=False)
    network.train()
    for known, categories, batch in batch_inputs(rows, codes, width, languages):
        labels = torch.tensor([[float(row[target]) for target in schema.TARGETS] for row in batch])
        loss = F.binary_cross_entropy_with_logits(network(known, categories), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def predict(
    network: PlainNetwork, rows: Sequence[Row], codes: np.ndarray, width: int, languages: Mapping[str, int]
) -> np.ndarray:
    """Logits float32 [n, 4]."""
    network.eval()
    with torch.no_grad():
        pieces = [network(known, kinds) for known, kinds, _ in batch_inputs(rows, codes, width, languages)]
    return torch.cat(pieces).numpy()
