"""The residual network of the reference.

    x  = known input and embeddings side by side          p = Wp x
    h1 = bn1(lrelu(W1 x))                                 h3 = bn3(lrelu(W3 h2 + p))
    h2 = bn2(lrelu(W2 h1 + p))                            logits = Wo bn4(lrelu(W4 h3 + h1))

W1 and Wp read the same x, so they are one product: the first stage.
"""

import torch  # noqa: TID253 - nothing light imports this module
from torch import nn  # noqa: TID253
from torch.nn import functional as F  # noqa: N812, TID253

from engage_pipeline import schema
from engage_pipeline.model.network.batch_norm import BatchNorm
from engage_pipeline.model.network.network import EngagementNetwork
from engage_pipeline.model.network.network_config import NetworkConfig


class ResidualNetwork(EngagementNetwork):
    """Four layers with two skips from the first stage."""

    def __init__(self, config: NetworkConfig) -> None:
        """Random weights from torch's generator."""
        hidden = config.hidden_size
        super().__init__(config, first_size=2 * hidden)  # rows of its weights: W1, then Wp
        self.second, self.third, self.fourth = (nn.Linear(hidden, hidden) for _ in range(3))
        self.norm1, self.norm2, self.norm3, self.norm4 = (BatchNorm(hidden) for _ in range(4))
        self.output = nn.Linear(hidden, len(schema.TARGETS))

    def above_first(self, first: torch.Tensor) -> torch.Tensor:
        """The products W1 x and Wp x side by side, [n, 2 hidden] -> logits float32 [n, 4]."""
        first, skip = first.chunk(2, dim=1)  # W1 x, p: [n, hidden] each
        h1 = self.norm1(F.leaky_relu(first))
        h2 = self.norm2(F.leaky_relu(self.second(h1) + skip))
        h3 = self.norm3(F.leaky_relu(self.third(h2) + skip))
        h4 = self.norm4(F.leaky_relu(self.fourth(h3) + h1))
        return self.output(h4).float()
