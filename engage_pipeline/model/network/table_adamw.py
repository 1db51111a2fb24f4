"""AdamW for networks with large tables of embeddings: on CPUs a step moves only the rows that its batch reads.

I. Loshchilov, F. Hutter, 2019, arXiv 1711.05101. A row without a gradient keeps moving by its momentum and shrinks by
the weight decay. Doing so for all rows of three large tables costs more than the rest of a step. But without gradients
the moments of a row are m b1^i and v b2^i after i steps, so its movement is known in advance:

    w(T) = w(t) A(T) / A(t) - m / (sqrt(v) + eps sqrt(1 - b2^t)) S(t, T)    A(T) = product of 1 - lr(i) decay, i <= T
    S(t, T) = sum over i = t + 1 … T of lr(i) sqrt(1 - b2^i) / (1 - b1^i) (b1 / sqrt(b2))^(i - t) A(T) / A(i)

So a row is brought up to date when a batch reads it. The one difference to AdamW: there eps, which matters where
sqrt(v) is as small, stays while sqrt(v) shrinks and its bias is corrected; here it goes along.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch  # noqa: TID253 - nothing light imports this module
from torch import nn  # noqa: TID253

from engage_pipeline.model.network import row_steps
from engage_pipeline.model.network.exchange import in_group, leave_to_optimizer, rows_of
from engage_pipeline.model.network.row_steps import Rule, Table

_MOST_STEPS = 1024
"""After so many steps all rows are brought up to date, so that what is noted of steps stays small."""


@dataclass
class _Behind:
    """How far the rows of a table are behind: see row_steps."""

    base: int
    steps: int
    last: np.ndarray
    kept: np.ndarray
    moved: np.ndarray


class TableAdamW(torch.optim.AdamW):
    """AdamW over all parameters of `network`; on a CPU by row for the weights of `tables`, modules of it.

    Several processes that train together exchange the rows that each has moved (exchange), if this comes before the
    network is wrapped for them. Its state is AdamW's. Settle it before other code reads the tables or the state.
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
        self._behind: dict[torch.Tensor, _Behind] = {}
        for table in self._tables:
            table.sparse = True
        if self._tables and in_group():
            leave_to_optimizer(network, self._tables)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Moves all that has a gradient."""
        found = {weights: weights.grad for table in self._tables if (weights := table.weight).grad is not None}
        for weights, gradient in zip(found, rows_of(list(found.values())), strict=True):
            weights.grad = None
            self._step_rows(weights, *gradient)
        super().step()

    def start_anew(self) -> None:
        """Forgets all moments."""
        self.settle()
        self.state.clear()

    def settle(self) -> None:
        """Brings all rows up to date."""
        for table in self._tables:
            self._settle(table.weight)

    def close(self) -> None:
        """Settles, and leaves the network as it was."""
        self.settle()
        for table, hook in zip(self._tables, self._hooks, strict=True):
            table.sparse = False
            hook.remove()

    def _before_reading(self, table: nn.Embedding, arguments: tuple[torch.Tensor, ...]) -> None:
        rows = arguments[0]
        if len(rows) and int(rows.max()) >= len(table.weight):
            raise IndexError(f"row {int(rows.max())} of a table of {len(table.weight)}")
        if table.training:
            self._catch_up(table.weight, rows)

    def _settle(self, weights: torch.Tensor) -> None:
        if weights in self._behind:
            self._catch_up(weights, torch.arange(len(weights)))
            del self._behind[weights]

    def _catch_up(self, weights: torch.Tensor, rows: torch.Tensor) -> None:
        """Moves `rows` int64 [n] as they moved without gradients since their last step."""
        if (behind := self._behind.get(weights)) is None:
            return
        row_steps.catch_up(
            rows.contiguous().numpy(),  # one layout is one compilation
            behind.steps,
            behind.base,
            self._rule,
            self._table(weights, behind),
            behind.kept,
            behind.moved,
        )

    def _step_rows(self, weights: torch.Tensor, rows: torch.Tensor, values: torch.Tensor) -> None:
        """Moves `rows` int64 [n] by their gradients `values` [n, size]; notes how the others move."""
        state: dict[str, Any] = self.state[weights]
        if not state:
            state["step"] = torch.zeros(())
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(weights), torch.zeros_like(weights)
        group = self.param_groups[0]
        rate, decay = group["lr"], group["weight_decay"]
        self._catch_up(weights, rows)  # those that other processes have read
        behind = self._behind.get(weights) or self._begin(weights)
        moved, summed = row_steps.sum_by_row(rows.contiguous().numpy(), values.contiguous().numpy(), behind.last)
        state["step"] += 1
        behind.steps += 1
        steps = behind.steps, behind.base
        row_steps.note_step(*steps, rate, decay, self._rule, behind.kept, behind.moved)
        row_steps.move_rows(moved, summed, *steps, rate, decay, self._rule, self._table(weights, behind))
        if behind.steps == _MOST_STEPS:
            self._settle(weights)

    def _begin(self, weights: torch.Tensor) -> _Behind:
        base, last = int(self.state[weights]["step"]), np.zeros(len(weights), np.int64)
        self._behind[weights] = _Behind(base, 0, last, np.ones(_MOST_STEPS + 1), np.zeros(_MOST_STEPS + 1))
        return self._behind[weights]

    def _table(self, weights: torch.Tensor, behind: _Behind) -> Table:
        state = self.state[weights]
        return Table(weights.detach().numpy(), state["exp_avg"].numpy(), state["exp_avg_sq"].numpy(), behind.last)

    @property
    def _rule(self) -> Rule:
        group = self.param_groups[0]
        beta1, beta2 = group["betas"]
        return Rule(beta1, beta2, group["eps"])
