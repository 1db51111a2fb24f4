"""What the processes of one training tell each other beside torch's own sums of gradients.

torch sums sparse gradients one after the other, each by three messages, and sorts them. Here those of all tables are in
one message. What does not belong here: how processes find each other (launched).
"""

from collections.abc import Sequence

import torch  # noqa: TID253 - nothing light imports this module
from torch import distributed, nn  # noqa: TID253
from torch.nn import functional as F  # noqa: N812, TID253

Gradient = tuple[torch.Tensor, torch.Tensor]
"""The rows of a table that a gradient moves, int64 [n], and their values, float32 [n, size]."""
_ROW = 2
"""So many numbers of 32 bits has the number of a row."""


def in_group() -> bool:
    """Whether this process trains with others, or in a group of one."""
    return distributed.is_available() and distributed.is_initialized()


def leave_to_optimizer(network: nn.Module, tables: Sequence[nn.Embedding | nn.EmbeddingBag]) -> None:
    """Gives `tables`, modules of `network`, the weights of the first process, and leaves their gradients to the
    optimizer: torch, which wraps the network next, does not sum them."""
    weights = [table.weight for table in tables]
    for each in weights:
        distributed.broadcast(each.detach(), 0)
    names = [name for name, each in network.named_parameters() if any(each is one for one in weights)]
    nn.parallel.DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(network, names)


def rows_of(gradients: Sequence[torch.Tensor]) -> list[Gradient]:
    """Returns what sparse gradients [rows, size] move, of each its mean over the processes of a group.

    Processes may have different rows, or none.
    """
    own = [(gradient._indices()[0], gradient._values()) for gradient in gradients]
    if not own or not in_group():
        return own
    counts = [each.tolist() for each in _of_all(torch.tensor([len(rows) for rows, _ in own]))]
    widths = [_ROW + values.shape[1] for _, values in own]  # numbers of a row: which it is, and its values
    lengths = [[n * width for n, width in zip(each, widths, strict=True)] for each in counts]
    message = torch.cat([part for rows, values in own for part in (rows.view(torch.float32), values.flatten())])
    most = max(map(sum, lengths))
    messages = _of_all(F.pad(message, (0, most - len(message)))) if most else [message] * len(counts)
    parts = [each[: sum(sizes)].split(sizes) for each, sizes in zip(messages, lengths, strict=True)]
    found = []
    for table, width in enumerate(widths):
        each = [(part[table], count[table] * _ROW) for part, count in zip(parts, counts, strict=True)]
        rows = torch.cat([part[:ends] for part, ends in each]).view(torch.int64)
        values = torch.cat([part[ends:] for part, ends in each]).view(-1, width - _ROW)
        found.append((rows, values / len(counts)))
    return found


def _of_all(tensor: torch.Tensor) -> list[torch.Tensor]:
    """Returns the tensors of all processes, which have the same shape."""
    found = [torch.empty_like(tensor) for _ in range(distributed.get_world_size())]
    distributed.all_gather(found, tensor)
    return found
