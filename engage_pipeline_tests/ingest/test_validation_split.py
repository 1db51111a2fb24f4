import numpy as np
import pytest

from engage_pipeline.ingest.validation_split import validation_split
from engage_pipeline.schema import HOLDOUT

MASK = 2**64 - 1


def splitmix64(state: int) -> int:
    """One output of splitmix64 for the state after its increment, in Python's integers."""
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & MASK
    return state ^ (state >> 31)


def test_the_mixer_is_splitmix64() -> None:
    gamma = 0x9E3779B97F4A7C15
    assert splitmix64(gamma) == 0xE220A8397B1DCDAF  # the published first output for seed 0
    split = validation_split(500, seed=7, holdout_share=0.2, chunks=6)
    key = splitmix64(7 * gamma & MASK)
    for line, place in enumerate(split.tolist()):
        hashed = splitmix64((key + (line + 1) * gamma) & MASK)
        expected = HOLDOUT if (hashed >> 11) / 2**53 < 0.2 else splitmix64(hashed) % 6
        assert place == expected


@pytest.mark.parametrize(("share", "chunks"), [(0.1, 10), (0.5, 2), (0.013, 7)])
def test_shares_are_as_asked_for(share: float, chunks: int) -> None:
    lines = 400_000
    split = validation_split(lines, seed=20210, holdout_share=share, chunks=chunks)
    assert split.dtype == np.int32
    counts = np.bincount(split + 1, minlength=chunks + 1)
    expected = lines * np.array([share, *[(1 - share) / chunks] * chunks])
    chi_square = float(((counts - expected) ** 2 / expected).sum())
    assert len(counts) == chunks + 1
    assert chi_square < chunks + 5 * np.sqrt(2 * chunks)  # mean and five standard deviations of chi-square


def test_neighbours_are_independent() -> None:
    split = validation_split(400_000, seed=3, holdout_share=0.1, chunks=10)
    pairs = np.bincount((split[:-1] + 1) * 11 + split[1:] + 1, minlength=121)
    share = np.array([0.1, *[0.09] * 10])
    expected = (len(split) - 1) * np.outer(share, share).ravel()
    assert float(((pairs - expected) ** 2 / expected).sum()) < 120 + 5 * np.sqrt(240)


def test_more_lines_change_no_earlier_place() -> None:
    long = validation_split((1 << 20) + 1000, seed=1, holdout_share=0.3, chunks=4)
    for lines in (0, 1, 999, 1 << 20, (1 << 20) + 1):
        short = validation_split(lines, seed=1, holdout_share=0.3, chunks=4)
        assert np.array_equal(short, long[:lines])


def test_another_seed_is_another_split() -> None:
    one, two = (validation_split(10_000, seed=seed, holdout_share=0.1, chunks=10) for seed in (1, 2))
    assert 0.05 < float((one == two).mean()) < 0.15


def test_a_larger_holdout_keeps_the_smaller_one() -> None:
    small, large = (validation_split(10_000, seed=1, holdout_share=share, chunks=10) for share in (0.1, 0.2))
    assert (large[small == HOLDOUT] == HOLDOUT).all()
    both = (small != HOLDOUT) & (large != HOLDOUT)
    assert np.array_equal(small[both], large[both])
