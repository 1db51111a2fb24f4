import numpy as np
import torch  # noqa: TID253 - it is what is tested
from hypothesis import given, settings
from hypothesis import strategies as st

from engage_pipeline.model.network.tweet_sketch import count_codes, normalize_sketch, write_sketches
from engage_pipeline_tests.samples import GOLDEN

DEPTH, WIDTH, VOCABULARY = 3, 5, 40


def slow_counts(tweets, codes, width):
    counts = np.zeros((len(tweets), codes.shape[1], width), np.float32)
    for row, tokens in enumerate(tweets):
        for token in tokens[1:-1]:
            if 0 <= token < len(codes) and codes[token][0] >= 0:
                for depth, code in enumerate(codes[token]):
                    counts[row, depth, code] += 1
    return counts


@settings(max_examples=60, deadline=None)
@given(
    tweets=st.lists(st.lists(st.integers(-1, VOCABULARY + 2), max_size=12), min_size=1, max_size=8),
    seed=st.integers(0, 9),
)
def test_equals_a_slow_count(tweets, seed):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, WIDTH, (VOCABULARY, DEPTH)).astype(np.int32)
    codes[rng.random(VOCABULARY) < 0.2] = -1
    tokens = torch.tensor([token for tokens in tweets for token in tokens], dtype=torch.int32)
    lengths = torch.tensor([len(tokens) for tokens in tweets])
    counts = count_codes(tokens, lengths, torch.from_numpy(codes), WIDTH)
    np.testing.assert_array_equal(counts, slow_counts(tweets, codes, WIDTH))
    sketches = np.full((len(tweets), DEPTH * WIDTH + 2), 9, np.float32)
    write_sketches(tokens.numpy(), lengths.numpy(), codes, WIDTH, sketches)
    np.testing.assert_array_equal(sketches[:, :-2], normalize_sketch(counts))
    assert (sketches[:, -2:] == 9).all(), "what is beside them stays"


def test_normalizes_as_the_reference():
    with np.load(GOLDEN / "network.npz", allow_pickle=False) as golden:
        counts = torch.from_numpy(golden["token_counts"]).view(16, 4, 8)
        np.testing.assert_allclose(normalize_sketch(counts), golden["sketch"], rtol=0, atol=1e-5)


def test_a_tweet_without_codes_stays_zero():
    assert normalize_sketch(torch.zeros(2, DEPTH, WIDTH)).abs().sum() == 0
