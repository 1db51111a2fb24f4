"""A network for one row at a time, on the CPU.

Reading the weights is the main cost of a single row, calls of torch are the next. So the first layer reads only the
weights of inputs that differ from an empty row's: most known inputs are the same in most rows, such as codes that no
token has, and Fourier features of counters that are 0. Layers above it are replaced by cheaper ones.
"""

import copy

import torch  # noqa: TID253 - nothing light imports this module
from torch import nn  # noqa: TID253
from torch.nn import functional as F  # noqa: N812, TID253

from engage_pipeline.model.network.batch_norm import BatchNorm
from engage_pipeline.model.network.half_products import HalfLinear, HalfMemberLinear, add_rows, halves_of
from engage_pipeline.model.network.inputs import Inputs
from engage_pipeline.model.network.member_linear import MemberLinear
from engage_pipeline.model.network.network import EngagementNetwork


def lay_out_by_input(linear: nn.Linear) -> None:
    """Stores the weights of `linear` input by input in memory, in the order in which a SparseFirstLayer reads them."""
    linear.weight = nn.Parameter(linear.weight.detach().t().contiguous().t(), requires_grad=False)


class SingleRowNetwork:
    """Computes `network`, which is in evaluation mode, for one row; it shares its weights."""

    def __init__(self, network: EngagementNetwork, empty: torch.Tensor) -> None:
        """`empty` float32 [1, k] is the known input of a row without tokens, counts and flags."""
        self.first_known = SparseFirstLayer(network.first_known, empty)
        self.first_embedded = _EmbeddedFirstLayer(network)
        self.network = _with_cheap_layers(network)

    def __call__(self, inputs: Inputs) -> torch.Tensor:
        """Returns the logits, float32 [1, 4]."""
        first = self.first_known(inputs.known) + self.first_embedded(inputs.categories)
        return self.network.above(first, *inputs[2:])


class SparseFirstLayer:
    """Computes `linear` for rows that differ from the row `empty` in few places, with the rounding of `linear`.

    float32 weights in the layout of `lay_out_by_input` are shared, others copied.
    """

    def __init__(self, linear: nn.Linear, empty: torch.Tensor) -> None:
        """`empty` float32 [1, k] is the input of a row without tokens, counts and flags."""
        self.dtype = linear.weight.dtype
        self.columns = linear.weight.detach().t().contiguous()
        self.halves = halves_of(self.columns) if self.dtype == torch.bfloat16 else None
        self.empty = self._rounded(empty)
        bias = torch.zeros(len(linear.weight)) if linear.bias is None else linear.bias.detach()
        with torch.autocast(empty.device.type, enabled=False):
            self.of_empty = self.empty @ self.columns.float() + bias.float()

    def __call__(self, known: torch.Tensor) -> torch.Tensor:
        """known float32 [1, k] -> the output of `linear`, [1, size]."""
        difference = (self._rounded(known) - self.empty)[0]
        places = difference.nonzero().flatten()
        weights = difference[places]
        if self.halves is not None:
            result = self.of_empty.clone()
            add_rows(self.halves, places.numpy(), weights.numpy(), result.numpy()[0])
            return result.to(self.dtype)
        added = F.embedding_bag(places, self.columns, places.new_zeros(1), mode="sum", per_sample_weights=weights)
        return self.of_empty + added

    def _rounded(self, known: torch.Tensor) -> torch.Tensor:
        return known.to(self.dtype).float()


class _EmbeddedFirstLayer:
    """The layer `first_embedded` of a network above its embeddings, as a table of its products with each of them."""

    def __init__(self, network: EngagementNetwork) -> None:
        weights = network.first_embedded.weight.detach()
        embeddings = [table.weight.detach().to(weights.dtype).float() for table in network.embedding_tables()]
        parts = weights.float().split([table.shape[1] for table in embeddings], dim=1)
        with torch.autocast(weights.device.type, enabled=False):
            self.table = torch.cat([table @ part.t() for table, part in zip(embeddings, parts, strict=True)])
        sizes = torch.tensor([0, *(len(table) for table in embeddings[:-1])])
        self.firsts, self.dtype = sizes.cumsum(0), weights.dtype

    def __call__(self, categories: torch.Tensor) -> torch.Tensor:
        """categories int64 [1, 3] -> the output of `first_embedded`, [1, size]."""
        return F.embedding_bag(categories + self.firsts, self.table, mode="sum").to(self.dtype)


class _Linear(nn.Module):
    """A linear layer as numpy's product of a matrix with a vector, which reads weights faster than torch's."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weights = linear.weight.detach().numpy()
        self.shift = None if linear.bias is None else linear.bias.detach().numpy()

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """[1, k] -> [1, size]."""
        found = self.weights.dot(input.numpy()[0])
        return torch.from_numpy(found if self.shift is None else found + self.shift).unsqueeze(0)


class _MemberLinear(nn.Module):
    """The linear layers of the members, as numpy's products."""

    def __init__(self, layer: MemberLinear) -> None:
        super().__init__()
        self.weights, self.shift = layer.weight.detach().numpy(), layer.bias.detach().numpy()

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """[1, members, k] -> [1, members, size]."""
        return torch.from_numpy(input.numpy().swapaxes(0, 1) @ self.weights + self.shift).transpose(0, 1)


class _BatchNorm(nn.Module):
    """Batch normalisation by the running statistics, as a factor and a shift."""

    def __init__(self, norm: BatchNorm) -> None:
        super().__init__()
        if norm.running_mean is None or norm.running_var is None:
            raise ValueError("no running statistics")
        self.factor = (norm.weight * torch.rsqrt(norm.running_var + norm.eps)).detach()
        self.shift = (norm.bias - norm.running_mean * self.factor).detach()

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """[1, size] -> [1, size]."""
        return torch.addcmul(self.shift, input.float(), self.factor).to(input.dtype)


def _with_cheap_layers(network: EngagementNetwork) -> EngagementNetwork:
    """Returns a copy of the network without its first layers that shares its weights and has cheaper layers for one
    row."""
    shared = {id(weights): weights for weights in (*network.parameters(), *network.buffers())}
    copied = copy.deepcopy(network, shared)
    del copied.first_known, copied.first_embedded
    for parent in list(copied.modules()):
        for name, layer in list(parent.named_children()):
            setattr(parent, name, _cheap(layer))
    return copied


def _cheap(layer: nn.Module) -> nn.Module:
    """Returns a layer that does for one row what `layer` does, or `layer` itself."""
    if isinstance(layer, BatchNorm):
        return _BatchNorm(layer)
    if not isinstance(layer, nn.Linear | MemberLinear):
        return layer
    half = layer.weight.dtype == torch.bfloat16
    if isinstance(layer, MemberLinear):
        return HalfMemberLinear(layer) if half else _MemberLinear(layer)
    return HalfLinear(layer) if half else _Linear(layer)
