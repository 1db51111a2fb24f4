import os
import threading
from pathlib import Path

import numpy as np
import pytest
import torch  # noqa: TID253 - the module under test is about torch
from threadpoolctl import threadpool_info
from transformers import (  # noqa: TID253
    BertConfig,
    BertForMaskedLM,
    DistilBertConfig,
    DistilBertForMaskedLM,
    PreTrainedModel,
    RobertaConfig,
    RobertaForMaskedLM,
)

from engage_pipeline.errors import UserError
from engage_pipeline.language import masked_loss as module
from engage_pipeline.language.masked_loss import check_architecture, masked_loss
from engage_pipeline.language.masking import IGNORED

VOCABULARY = 10_000


def distilbert() -> PreTrainedModel:
    config = DistilBertConfig(vocab_size=VOCABULARY, dim=16, n_layers=2, n_heads=2, hidden_dim=32, dropout=0.0)
    config.attention_dropout = 0.0
    return DistilBertForMaskedLM(config)


def bert() -> PreTrainedModel:
    return BertForMaskedLM(
        BertConfig(
            vocab_size=VOCABULARY,
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
    )


def batch(masked_share: float = 0.2) -> dict[str, torch.Tensor]:
    rng = np.random.default_rng(0)
    ids = torch.from_numpy(rng.integers(110, VOCABULARY, (6, 12)))
    present = torch.arange(12) < torch.tensor([12, 9, 5, 12, 3, 7])[:, None]
    chosen = torch.from_numpy(rng.random((6, 12)) < masked_share) & present
    labels = torch.where(chosen, torch.from_numpy(rng.integers(110, VOCABULARY, (6, 12))), IGNORED)
    if masked_share:
        labels[0, 1] = labels[0, 2] = VOCABULARY - 1
    return {"input_ids": torch.where(present, ids, 0), "attention_mask": present.long(), "labels": labels}


@pytest.mark.parametrize("build", [distilbert, bert])
def test_loss_and_gradients_equal_the_model_s_own_full_logits(build: object) -> None:
    torch.manual_seed(0)
    model: PreTrainedModel = build()  # type: ignore[operator]
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)
    own = model(**batch()).loss
    own.backward()
    expected = {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}
    model.zero_grad()
    loss = masked_loss(model, **batch(), bf16=False)
    (3 * loss).backward()
    assert loss.item() == pytest.approx(own.item(), rel=1e-6)
    for name, weight in model.named_parameters():
        if name in expected:
            torch.testing.assert_close(weight.grad, 3 * expected[name], rtol=2e-4, atol=2e-6, msg=name)


def test_the_vocabulary_takes_several_blocks() -> None:
    assert VOCABULARY > 2 * module._BLOCK


def test_bf16_stays_near_fp32() -> None:
    torch.manual_seed(0)
    model = distilbert()
    losses = [masked_loss(model, **batch(), bf16=bf16).item() for bf16 in (False, True)]
    assert losses[1] == pytest.approx(losses[0], rel=0.01)


def test_a_batch_without_masked_tokens_costs_nothing_and_moves_nothing() -> None:
    model = distilbert()
    loss = masked_loss(model, **batch(masked_share=0.0), bf16=False)
    loss.backward()
    assert loss.item() == 0
    assert all(weight.grad is None or not weight.grad.any() for weight in model.parameters())


def test_unknown_architectures_are_refused(tmp_path: Path) -> None:
    model = RobertaForMaskedLM(
        RobertaConfig(vocab_size=50, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    )
    with pytest.raises(UserError, match=r"encoder\.model: roberta"):
        check_architecture(model)


@pytest.mark.parametrize("bf16", [False, True])
def test_the_threads_that_compute_the_blocks_change_no_digit(monkeypatch: pytest.MonkeyPatch, bf16: bool) -> None:
    monkeypatch.setattr(module, "_BLOCK", 700)
    torch.manual_seed(0)
    model, found = distilbert(), []
    for at_once in (1, 3):
        model.zero_grad()
        loss = masked_loss(model, **batch(), bf16=bf16, blocks_at_once=at_once)
        loss.backward()
        found.append([loss.detach(), *(weight.grad for weight in model.parameters() if weight.grad is not None)])
    assert len(found[0]) > 10
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_each_thread_has_torch_s_number_of_threads_and_notes_no_gradients() -> None:
    wanted = (os.cpu_count() or 1) + 3  # not what a new thread has
    seen = []

    def note(start: int) -> torch.Tensor:
        of_openmp = {one["num_threads"] for one in threadpool_info() if one["user_api"] == "openmp"}
        seen.append((threading.get_ident(), wanted in of_openmp, torch.is_grad_enabled()))
        return torch.tensor(start)

    before = torch.get_num_threads()
    torch.set_num_threads(wanted)
    try:
        assert [int(one) for one in module._of_blocks(note, range(0, 60, 5), 3)] == [*range(0, 60, 5)]
    finally:
        torch.set_num_threads(before)
    threads, numbers, gradients = map(set, zip(*seen, strict=True))
    assert threading.get_ident() not in threads
    assert (numbers, gradients) == ({True}, {False})


@pytest.mark.parametrize("at_once", [1, 2])
def test_without_gradients_the_logits_are_computed_once(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    torch.manual_seed(0)
    model, multiplied, multiply = distilbert(), [], torch.addmm
    monkeypatch.setattr(torch, "addmm", lambda *operands: multiplied.append(operands) or multiply(*operands))
    expected = masked_loss(model, **batch(), bf16=False).item()
    blocks = -(-VOCABULARY // module._BLOCK)
    assert len(multiplied) == 2 * blocks
    with torch.inference_mode():
        assert masked_loss(model, **batch(), bf16=False, blocks_at_once=at_once).item() == expected
    assert len(multiplied) == 3 * blocks
