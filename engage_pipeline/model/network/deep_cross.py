"""The deep and cross network, DCN V2: R. Wang et al., 2021, arXiv 2008.13535, with low-rank cross layers.

    x0   = bn0(P x)                                       x = known input and embeddings side by side
    xk+1 = x0 * (Uk Vk xk + bk) + xk                      each layer multiplies by x0 again
    h    = bn1(lrelu(W1 x)); h = bn2(lrelu(W2 h))         the deep part
    logits = Wo [bn3(xK), h]

The paper crosses the input itself, which has a few hundred columns. This input has thousands, most of them sketch and
Fourier features, so the cross layers work on a projection P of it. P and W1 read the same x, so they are one product:
the first stage.
"""

import torch  # noqa: TID253 - nothing light imports this module
from torch import nn  # noqa: TID253
from torch.nn import functional as F  # noqa: N812, TID253

from engage_pipeline import schema
from engage_pipeline.model.network.batch_norm import BatchNorm
from engage_pipeline.model.network.network import EngagementNetwork
from engage_pipeline.model.network.network_config import NetworkConfig

N_CROSS_LAYERS = 3
RANK_SHARE = 4
"""The rank of a cross layer is the hidden size divided by this; in the paper a quarter loses no accuracy."""


class CrossLayer(nn.Module):
    """x0 * (U V x + b) + x, with U [size, rank] and V [rank, size]."""

    def __init__(self, size: int) -> None:
        """Random weights from torch's generator."""
        super().__init__()
        rank = max(1, size // RANK_SHARE)
        self.down = nn.Linear(size, rank, bias=False)
        self.up = nn.Linear(rank, size)

    def forward(self, start: torch.Tensor, crossed: torch.Tensor) -> torch.Tensor:
        """Both [n, size] -> [n, size]."""
        product: torch.Tensor = self.up(self.down(crossed))
        return start * product + crossed


class DeepCrossNetwork(EngagementNetwork):
    """Cross layers beside two deep layers, both above the first stage."""

    def __init__(self, config: NetworkConfig) -> None:
        """Random weights from torch's generator."""
        hidden = config.hidden_size
        super().__init__(config, first_size=2 * hidden)  # rows of its weights: P, then W1
        self.crosses = nn.ModuleList(CrossLayer(hidden) for _ in range(N_CROSS_LAYERS))
        self.second = nn.Linear(hidden, hidden)
        self.norm0, self.norm1, self.norm2, self.norm3 = (BatchNorm(hidden) for _ in range(4))
        self.output = nn.Linear(2 * hidden, len(schema.TARGETS))

    def above_first(self, first: torch.Tensor) -> torch.Tensor:
        """The products P x and W1 x side by side, [n, 2 hidden] -> logits float32 [n, 4]."""
        projected, first = first.chunk(2, dim=1)  # [n, hidden] each
        start = crossed = self.norm0(projected)
        for cross in self.crosses:
            crossed = cross(start, crossed)
        deep = self.norm1(F.leaky_relu(first))
        deep = self.norm2(F.leaky_relu(self.second(deep)))
        return self.output(torch.cat([self.norm3(crossed), deep], dim=1)).float()
