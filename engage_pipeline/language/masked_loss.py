"""The masked-language-model loss, computed at the masked places only.

About one place in seven is masked, and most of the work is the projection on the vocabulary of 119 547, so the other
places' logits would be wasted. Projection and cross entropy are computed in blocks of the vocabulary that fit the CPU
caches; the logits [masked, vocabulary] never exist as a whole. The value is the same. Several threads take a block
each, and what is summed over blocks is summed in their order, so that their number changes no digit.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch  # noqa: TID253 - an autograd function is a class of torch; imported only by what trains
from torch import Tensor  # noqa: TID253
from transformers import PreTrainedModel  # noqa: TID253

from engage_pipeline.errors import UserError
from engage_pipeline.language.masking import IGNORED
from engage_pipeline.machine.parallel import in_order
from engage_pipeline.machine.precision import autocast

_BLOCK = 4096

Head = Callable[[Any, Tensor], Tensor]
_HEADS: dict[str, Head] = {
    "distilbert": lambda model, hidden: model.vocab_layer_norm(model.activation(model.vocab_transform(hidden))),
    "bert": lambda model, hidden: model.cls.predictions.transform(hidden),
}
"""The layers between the last hidden state and the projection on the vocabulary, by architecture."""


def check_architecture(model: PreTrainedModel) -> None:
    """Raises UserError if the model is neither a DistilBERT nor a BERT."""
    if model.config.model_type not in _HEADS:
        raise UserError(
            f"encoder.model: {model.config.model_type} encoders can't be fine-tuned; use DistilBERT or BERT"
        )


def masked_loss(
    model: PreTrainedModel,
    input_ids: Tensor,
    attention_mask: Tensor,
    labels: Tensor,
    *,
    bf16: bool,
    blocks_at_once: int = 1,
) -> Tensor:
    """Returns the mean cross entropy (nats, fp32 scalar) of the places whose label is not IGNORED; 0 without any.

    `input_ids`, `attention_mask` and `labels` are [rows, places]. Equals the loss of the model's own forward. On a CPU
    `blocks_at_once` threads, each with torch's number of threads, compute a block of the vocabulary each.
    """
    places = labels != IGNORED
    with autocast(model.device, bf16=bf16):
        hidden = model.base_model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        hidden = _HEADS[model.config.model_type](model, hidden[places])
    projection = model.get_output_embeddings()
    operands = hidden.float(), projection.weight, projection.bias, labels[places]
    return _ProjectedCrossEntropy.apply(*operands, bf16, blocks_at_once if model.device.type == "cpu" else 1)


class _ProjectedCrossEntropy(torch.autograd.Function):
    """Mean cross entropy of `hidden` [n, dim] times `weight` [vocabulary, dim] plus `bias`, against `labels` [n].

    `forward` computes the gradients too, because both need the logits: d loss / d logits = (softmax - one-hot) / n.
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, labels: Tensor, bf16: bool, blocks_at_once: int
    ) -> Tensor:
        operand = torch.bfloat16 if bf16 else torch.float32
        rows = hidden.to(operand)
        count = max(len(labels), 1)
        starts = range(0, len(weight), _BLOCK)

        def logits(start: int) -> tuple[Tensor, Tensor]:
            block = weight[start : start + _BLOCK].to(operand)
            return block, torch.addmm(bias[start : start + _BLOCK].to(operand), rows, block.t()).float()

        def sums(start: int) -> Tensor:
            return logits(start)[1].logsumexp(1)

        normaliser = torch.stack([*_of_blocks(sums, starts, blocks_at_once)]).logsumexp(0)
        chosen = (hidden * weight[labels]).sum(1) + bias[labels]
        if any(ctx.needs_input_grad) and not torch.is_inference_mode_enabled():
            to_hidden, to_weight, to_bias = torch.zeros_like(hidden), torch.empty_like(weight), torch.empty_like(bias)

            def gradients(start: int) -> Tensor:
                block, shares = logits(start)
                shares = shares.sub_(normaliser[:, None]).exp_().div_(count)
                to_bias[start : start + _BLOCK] = shares.sum(0)
                to_weight[start : start + _BLOCK] = shares.to(operand).t() @ rows
                return shares.to(operand) @ block

            for own in _of_blocks(gradients, starts, blocks_at_once):
                to_hidden += own
            to_hidden -= weight[labels] / count
            to_weight.index_add_(0, labels, hidden, alpha=-1 / count)
            to_bias.index_add_(0, labels, torch.full_like(chosen, -1 / count))
            ctx.save_for_backward(to_hidden, to_weight, to_bias)
        return (normaliser - chosen).sum() / count

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        to_hidden, to_weight, to_bias = ctx.saved_tensors
        factor = gradients[0]
        return factor * to_hidden, factor * to_weight, factor * to_bias, None, None, None


def _of_blocks(work: Callable[[int], Tensor], starts: range, at_once: int) -> Iterator[Tensor]:
    """Yields `work(start)` of each block, in their order. Gradient mode and torch's number of threads are a thread's
    own, so each sets them."""
    threads = torch.get_num_threads()

    def of_block(start: int) -> Tensor:
        torch.set_num_threads(threads)
        with torch.no_grad():
            return work(start)

    return in_order(of_block, starts, at_once)
