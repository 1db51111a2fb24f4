"""Masked language modelling: which tokens are masked, and with what (BERT, arXiv 1810.04805, section 3.1)."""

import numpy as np
import numpy.typing as npt

from engage_pipeline.language.ragged import Integers
from engage_pipeline.schema import CLS_TOKEN, MASK_TOKEN, PAD_TOKEN, SEP_TOKEN, UNKNOWN_TOKEN

IGNORED = -100
"""Label of a place that is not predicted, by the convention of torch and transformers."""
_MASKED, _RANDOM = 0.8, 0.1
_NEVER_CHOSEN = (PAD_TOKEN, UNKNOWN_TOKEN, CLS_TOKEN, SEP_TOKEN, MASK_TOKEN)


def mask_tokens(
    ids: Integers,
    present: npt.NDArray[np.bool_],
    *,
    probability: float,
    vocabulary_size: int,
    rng: np.random.Generator,
) -> tuple[Integers, Integers]:
    """Masks tokens of `ids` [rows, places]; returns the encoder's input and the labels, both int64 [rows, places].

    Each token except padding, [UNK], [CLS], [SEP] and [MASK] is chosen with `probability`. A chosen token becomes
    [MASK] in 80 % of the cases, a random token of the vocabulary in 10 %, and stays in 10 %; its label is the original
    token.
    """
    maskable = present & ~np.isin(ids, _NEVER_CHOSEN)
    chosen = maskable & (rng.random(ids.shape) < probability)
    fate = rng.random(ids.shape)
    substitutes = rng.integers(0, vocabulary_size, ids.shape)
    inputs = np.where(chosen & (fate < _MASKED), MASK_TOKEN, ids)
    inputs = np.where(chosen & (fate >= _MASKED) & (fate < _MASKED + _RANDOM), substitutes, inputs)
    return inputs, np.where(chosen, ids, IGNORED)
