"""TableAdamW against torch's AdamW, which moves all rows of a table at each step."""

import numpy as np
import pytest
import torch  # noqa: TID253 - it is what is tested
from torch import nn  # noqa: TID253
from torch.nn import functional as F  # noqa: N812, TID253

from engage_pipeline.model.network.mean_of_words import MeanOfWords
from engage_pipeline.model.network.row_steps import WINDOW
from engage_pipeline.model.network.table_adamw import TableAdamW

ROWS, SIZE, BATCH, WORDS = 40, 3, 6, 4
DECAY = 0.3
STEPS = WINDOW + 144
NEVER, EARLY = ROWS - 1, ROWS - 2
"""A row that no batch reads, and one that only the first ten do."""


class Tables(nn.Module):
    """Two tables below a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.bag = nn.Embedding(ROWS, SIZE), MeanOfWords(ROWS, SIZE)
        self.output = nn.Linear(2 * SIZE, 2)

    def forward(self, rows: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
        first = torch.arange(0, len(words), WORDS)
        return self.output(torch.cat([self.one(rows), self.bag(words, first)], dim=1))


def batch(step: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Rows of which the last ones are rare; row 0 is often there many times."""
    rng = np.random.default_rng(step)
    rows = (rng.random(BATCH * (1 + WORDS)) ** 4 * EARLY).astype(np.int64)
    if step < 10:
        rows[0] = EARLY
    labels = torch.from_numpy(rng.random((BATCH, 2)) < 0.3).float()
    return torch.from_numpy(rows[:BATCH]), torch.from_numpy(rows[BATCH:]), labels


def rate(step: int) -> float:
    return 0.03 * (1 - step / STEPS)


def learn(network: Tables, optimizer: torch.optim.Optimizer, steps: range, scale: float = 1) -> list[float]:
    """The losses of the steps, which it learns from times `scale`."""
    losses = []
    network.train()
    for step in steps:
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        rows, words, labels = batch(step)
        loss = F.binary_cross_entropy_with_logits(network(rows, words), labels)
        (scale * loss).backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


def new_network() -> Tables:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return Tables()


def by_row(network: Tables) -> TableAdamW:
    return TableAdamW(network, [network.one, network.bag], 1.0, DECAY)


def hand_over(before: torch.optim.Optimizer, network: Tables, after: torch.optim.Optimizer, again: Tables) -> None:
    """Copies weights and states, as a checkpoint does."""
    again.load_state_dict(network.state_dict())
    for parameter, old in zip(again.parameters(), network.parameters(), strict=True):
        after.state[parameter] = {name: value.clone() for name, value in before.state[old].items()}


def plain(network: Tables) -> torch.optim.AdamW:
    return torch.optim.AdamW(network.parameters(), 1.0, weight_decay=DECAY)


def assert_same(network: nn.Module, expected: nn.Module, tolerance: float = 1e-4) -> None:
    for (name, found), wanted in zip(network.named_parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(
            found, wanted, atol=tolerance, rtol=tolerance, msg=lambda text, n=name: f"{n}: {text}"
        )


@pytest.mark.parametrize("steps", [1, 2, 30, STEPS])
def test_it_learns_as_adamw_over_all_rows(steps):
    network, expected = new_network(), new_network()
    optimizer = by_row(network)
    losses = learn(network, optimizer, range(steps))
    wanted = learn(expected, plain(expected), range(steps))
    optimizer.close()

    np.testing.assert_allclose(losses, wanted, rtol=1e-5)
    assert_same(network, expected)


def test_a_row_that_no_batch_reads_shrinks_by_the_weight_decay_alone():
    network = new_network()
    before = network.one.weight[NEVER].clone()
    optimizer = by_row(network)
    learn(network, optimizer, range(STEPS))
    assert torch.equal(network.one.weight[NEVER], before)  # until it is read
    optimizer.close()

    kept = np.prod([1 - DECAY * rate(step) for step in range(STEPS)])
    torch.testing.assert_close(network.one.weight[NEVER], before * float(kept), rtol=1e-5, atol=0)


def test_a_row_that_was_read_early_moves_on_by_its_momentum():
    network, expected = new_network(), new_network()
    optimizer = by_row(network)
    learn(network, optimizer, range(STEPS))
    at_last = network.one.weight[EARLY].clone()
    learn(expected, plain(expected), range(STEPS))
    optimizer.close()

    assert (at_last - network.one.weight[EARLY]).abs().max() > 0.05
    torch.testing.assert_close(network.one.weight[EARLY], expected.one.weight[EARLY], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("by_row_before", "by_row_after"), [(True, True), (True, False), (False, True)])
def test_it_goes_on_from_a_state_as_adamw_does_on_any_device(by_row_before, by_row_after):
    """Without tables it is AdamW, as on a GPU."""
    network, expected = new_network(), new_network()
    first = by_row(network) if by_row_before else plain(network)
    learn(network, first, range(70))
    if by_row_before:
        first.settle()
    again = Tables()
    second = TableAdamW(again, [again.one, again.bag] if by_row_after else [], 1.0, DECAY)
    hand_over(first, network, second, again)
    learn(again, second, range(70, 140))
    second.close()
    learn(expected, plain(expected), range(140))

    assert_same(again, expected)


def test_what_is_settled_goes_on_bit_for_bit_in_another():
    network, unbroken = new_network(), new_network()
    first = by_row(network)
    learn(network, first, range(70))
    first.settle()
    again = Tables()
    second = by_row(again)
    hand_over(first, network, second, again)
    learn(again, second, range(70, 140))
    second.close()
    optimizer = by_row(unbroken)
    learn(unbroken, optimizer, range(70))
    optimizer.settle()
    learn(unbroken, optimizer, range(70, 140))
    optimizer.close()

    assert_same(again, unbroken, 0)


def test_a_row_that_another_process_read_moves_as_if_it_were_read_here():
    network, expected = new_network(), new_network()
    optimizers = by_row(network), plain(expected)
    for one, optimizer in zip((network, expected), optimizers, strict=True):
        learn(one, optimizer, range(30))
    gradient = torch.zeros(ROWS, SIZE)
    gradient[NEVER], gradient[EARLY] = 0.01, -0.02
    network.one.weight.grad = gradient.to_sparse(1)
    expected.one.weight.grad = gradient
    for optimizer in optimizers:
        optimizer.step()
    optimizers[0].close()

    assert_same(network.one, expected.one)


def test_gradients_as_small_as_eps_move_rows_nearly_as_adamw_does():
    """sqrt(v) of a row that was read once is a third of eps here."""
    network, expected = new_network(), new_network()
    optimizer = by_row(network)
    learn(network, optimizer, range(STEPS), scale=1e-5)
    optimizer.close()
    before = new_network()
    learn(expected, plain(expected), range(STEPS), scale=1e-5)

    kept = float(np.prod([1 - DECAY * rate(step) for step in range(STEPS)]))
    moved = (expected.one.weight - kept * before.one.weight).norm()
    assert (network.one.weight - expected.one.weight).norm() < 0.03 * moved


def test_it_starts_anew_as_a_new_optimizer_does():
    network, expected = new_network(), new_network()
    optimizer = by_row(network)
    learn(network, optimizer, range(50))
    optimizer.start_anew()
    learn(network, optimizer, range(50, 90))
    optimizer.close()
    learn(expected, plain(expected), range(50))
    learn(expected, plain(expected), range(50, 90))

    assert_same(network, expected)


def test_all_rows_are_brought_up_to_date_now_and_then(monkeypatch):
    monkeypatch.setattr("engage_pipeline.model.network.table_adamw._MOST_STEPS", 7)
    test_it_learns_as_adamw_over_all_rows(STEPS)


def test_a_row_beyond_the_table_is_refused_before_anything_moves():
    network = new_network()
    optimizer = by_row(network)
    learn(network, optimizer, range(3))
    before = network.one.weight.clone()
    with pytest.raises(IndexError, match=f"row {ROWS} of a table of {ROWS}"):
        network(torch.tensor([0, ROWS]), torch.zeros(2 * WORDS, dtype=torch.int64))
    assert torch.equal(network.one.weight, before)


def test_reading_for_scores_moves_nothing():
    network = new_network()
    learn(network, by_row(network), range(50))
    before = network.one.weight.clone()
    network.eval()
    network(*batch(0)[:2])
    assert torch.equal(network.one.weight, before)


def test_a_closed_one_leaves_the_network_as_it_was():
    network = new_network()
    optimizer = by_row(network)
    learn(network, optimizer, range(3))
    optimizer.close()
    before = network.one.weight.clone()
    rows, words, labels = batch(4)
    F.binary_cross_entropy_with_logits(network(rows, words), labels).backward()

    assert torch.equal(network.one.weight, before)
    assert not network.one.weight.grad.is_sparse
    assert not network.one._forward_pre_hooks


def test_no_table_is_plain_adamw():
    network, expected = new_network(), new_network()
    optimizer = TableAdamW(network, [], 1.0, DECAY)
    learn(network, optimizer, range(20))
    optimizer.close()
    learn(expected, plain(expected), range(20))
    assert_same(network, expected, 1e-6)
