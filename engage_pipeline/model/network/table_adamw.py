"""AdamW for networks with large tables of embeddings: on CPUs a step moves only the rows that its batch reads.

I. Loshchilov, F. Hutter, 2019, arXiv 1711.05101. A row without a gradient keeps moving by its momentum and shrinks by
the weight decay. Doing so for all rows of three large tables costs more than the rest of a step. But without gradients
the moments of a row are m b1^i and v b2^i after i steps, so its movement is known in advance:

    w(T) = w(t) A(T) / A(t) - m / (sqrt(v) + eps sqrt(1 - b2^t)) S(t, T)    A(T) = product of 1 - lr(i) decay, i <= T
    S(t, T) = sum over i = t + 1 … T of lr(i) sqrt(1 - b2^i) / (1 - b1^i) (b1 / sqrt(b2))^(i - t) A(T) / A(i)

So a row is brought up to date when a batch reads it, and all are at the end. The one difference to AdamW: eps is held
constant in proportion to sqrt(v), instead of outgrowing it after thousands of steps, when m is 0.
"""

from collections.abc import Sequence
from typing import Any

import torch  # noqa: TID253 - nothing light imports this module
from torch import nn  # noqa: TID253

from engage_pipeline.model.network import row_steps

_State = dict[str, Any]
_HELD_STEPS = 1024


class TableAdamW(torch.optim.AdamW):
    """AdamW over all parameters of `network`; on a CPU by row for the weights of `tables`, modules of it.

    Several processes sum the gradients of a table as of any other parameter, if this comes before the network is
    wrapped for them. `close` it before other code reads the tables.
    """

    def __init__(
        self,
        network: nn.Module,
        tables: Sequence[nn.Embedding | nn.EmbeddingBag],
        learning_rate: float,
        weight_decay: float,
    ) -> None:
        """Nothing has moved."""
        super().__init__(network.parameters(), learning_rate, weight_decay=weight_decay, fused=True)
        self._tables = [table for table in tables if table.weight.device.type == "cpu"]
        self._hooks = [table.register_forward_pre_hook(self._before_reading) for table in self._tables]
        for table in self._tables:
            table.sparse = True

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Moves all that has a gradient."""
        for table in self._tables:
            gradient, table.weight.grad = table.weight.grad, None
            if gradient is not None:
                self._step_rows(table.weight, gradient)
        super().step()

    def start_anew(self) -> None:
        """Forgets all moments."""
        self._settle()
        self.state.clear()

    def close(self) -> None:
        """Brings all rows up to date, and leaves the network as it was."""
        self._settle()
        for table, hook in zip(self._tables, self._hooks, strict=True):
            table.sparse = False
            hook.remove()

    def _settle(self) -> None:
        for table in self._tables:
            self._catch_up(table.weight, torch.arange(len(table.weight)))

    def _before_reading(self, table: nn.Embedding, arguments: tuple[torch.Tensor, ...]) -> None:
        if table.training:
            self._catch_up(table.weight, arguments[0])

    def _catch_up(self, weights: torch.Tensor, rows: torch.Tensor) -> None:
        """Moves `rows` int64 [n] as they moved without gradients since their last step."""
        if state := self.state.get(weights):
            row_steps.catch_up(
                rows.contiguous().numpy(),  # one layout is one compilation
                int(state["step"]),
                *self._betas,
                self._group["eps"],
                weights.detach().numpy(),
                *_arrays(state, "exp_avg", "exp_avg_sq", "last", "kept", "moved"),
            )

    def _step_rows(self, weights: torch.Tensor, gradient: torch.Tensor) -> None:
        """Moves the rows of `gradient`, sparse [rows, size]; notes how the others move."""
        if not self.state[weights]:
            self.state[weights] = _first_state(weights)
        state = self.state[weights]
        rate, decay, eps = (self._group[name] for name in ("lr", "weight_decay", "eps"))
        found = gradient._indices()[0].numpy()
        self._catch_up(weights, gradient._indices()[0])  # those that other processes read
        state["step"] += 1
        step = int(state["step"])
        if step == len(state["kept"]):
            for name in ("kept", "moved"):
                state[name] = torch.cat([state[name], torch.zeros(_HELD_STEPS, dtype=torch.float64)])
        row_steps.note_step(step, rate, decay, *self._betas, *_arrays(state, "kept", "moved"))
        row_steps.move_rows(
            found,
            gradient._values().numpy(),
            step,
            rate,
            decay,
            *self._betas,
            eps,
            weights.numpy(),
            *_arrays(state, "exp_avg", "exp_avg_sq", "last"),
        )

    @property
    def _group(self) -> dict[str, Any]:
        return self.param_groups[0]

    @property
    def _betas(self) -> tuple[float, float]:
        found: tuple[float, float] = self._group["betas"]
        return found


def _first_state(weights: torch.Tensor) -> _State:
    kept, moved = torch.ones(_HELD_STEPS, dtype=torch.float64), torch.zeros(_HELD_STEPS, dtype=torch.float64)
    return {
        "step": torch.zeros((), dtype=torch.int64),
        "exp_avg": torch.zeros_like(weights),
        "exp_avg_sq": torch.zeros_like(weights),
        "last": torch.zeros(len(weights), dtype=torch.int64),
        "kept": kept,
        "moved": moved,
    }


def _arrays(state: _State, *names: str) -> list[Any]:
    return [state[name].numpy() for name in names]
