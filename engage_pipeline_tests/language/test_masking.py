import numpy as np
import pytest

from engage_pipeline.language.masking import IGNORED, mask_tokens
from engage_pipeline.schema import CLS_TOKEN, MASK_TOKEN, SEP_TOKEN

ROWS, PLACES, VOCABULARY = 2000, 40, 5000
NEVER_PREDICTED = (0, 100, 101, 102, 103)
"""[PAD], [UNK], [CLS], [SEP], [MASK] of multilingual BERT's vocabulary."""


@pytest.fixture
def tweets() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    ids = rng.integers(200, VOCABULARY, (ROWS, PLACES))
    ids[:, 0] = CLS_TOKEN
    ids[:, 1:][rng.random((ROWS, PLACES - 1)) < 0.1] = 100
    ids[:, 1:][rng.random((ROWS, PLACES - 1)) < 0.05] = 103
    lengths = rng.integers(3, PLACES + 1, ROWS)
    ids[np.arange(ROWS), lengths - 1] = SEP_TOKEN
    present = np.arange(PLACES) < lengths[:, None]
    return np.where(present, ids, 0), present


def masks(tweets: tuple[np.ndarray, np.ndarray], probability: float, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return mask_tokens(*tweets, probability=probability, vocabulary_size=VOCABULARY, rng=rng)


def test_special_tokens_and_padding_are_never_labels_nor_changed(tweets: tuple[np.ndarray, np.ndarray]) -> None:
    ids, _ = tweets
    inputs, labels = masks(tweets, 0.9)
    special = np.isin(ids, NEVER_PREDICTED)
    assert (ids == 100).sum() > 1000
    assert (labels[special] == IGNORED).all()
    assert (inputs[special] == ids[special]).all()


def test_labels_are_the_tokens_that_were_there_and_the_rest_stays(tweets: tuple[np.ndarray, np.ndarray]) -> None:
    ids, _ = tweets
    inputs, labels = masks(tweets, 0.3)
    chosen = labels != IGNORED
    assert (labels[chosen] == ids[chosen]).all()
    assert (inputs[~chosen] == ids[~chosen]).all()


@pytest.mark.parametrize("probability", [0.15, 0.5])
def test_shares_of_the_masks(tweets: tuple[np.ndarray, np.ndarray], probability: float) -> None:
    ids, _ = tweets
    inputs, labels = masks(tweets, probability)
    chosen = labels != IGNORED
    maskable = ~np.isin(ids, NEVER_PREDICTED)
    assert chosen.sum() / maskable.sum() == pytest.approx(probability, abs=0.01)
    assert (inputs[chosen] == MASK_TOKEN).mean() == pytest.approx(0.8, abs=0.02)
    assert (inputs[chosen] == ids[chosen]).mean() == pytest.approx(0.1, abs=0.015)
    random = chosen & (inputs != MASK_TOKEN) & (inputs != ids)
    assert len(np.unique(inputs[random])) > 300


def test_masks_follow_the_random_stream(tweets: tuple[np.ndarray, np.ndarray]) -> None:
    assert (masks(tweets, 0.15, 1)[0] == masks(tweets, 0.15, 1)[0]).all()
    assert (masks(tweets, 0.15, 1)[0] != masks(tweets, 0.15, 2)[0]).any()


def test_a_random_token_may_be_any_of_the_vocabulary(tweets: tuple[np.ndarray, np.ndarray]) -> None:
    inputs, labels = masks(tweets, 0.9)
    random = inputs[(labels != IGNORED) & (inputs != MASK_TOKEN) & (inputs != tweets[0])]
    counts, _ = np.histogram(random, bins=5, range=(0, VOCABULARY))
    assert counts.min() > 0.15 * len(random), "each fifth of the vocabulary has about a fifth of them"
