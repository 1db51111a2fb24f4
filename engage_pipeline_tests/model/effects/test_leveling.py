"""Intercepts are moved to where the rows have the rates of their labels; chains are taken together."""

from pathlib import Path

import numpy as np
import pytest

from engage_pipeline.model.effects import leveling
from engage_pipeline.model.effects.chain import Chain
from engage_pipeline.model.effects.marginals import marginal_logits
from engage_pipeline.model.effects.together import add_kept
from engage_pipeline.numerics.logistic import sigmoid
from engage_pipeline_tests.model.effects.chains import AUTHOR, PAIR, VIEWER, chain_of, records_of, scores_of, weights

ROWS = 4000


def fitted(folder: Path, *, in_files: bool = False) -> Chain:
    """A chain of rare labels with five kept sweeps, too few to settle."""
    rng = np.random.default_rng(5)
    people = {name: rng.integers(1, 400, ROWS) for name in ("viewer", "author")}
    chances = sigmoid(rng.normal(size=(400, 4))[people["viewer"]] - np.array([0.0, 2.0, 4.0, 3.0]))
    records = records_of(rng.random((ROWS, 4)) < chances, **people)
    records["facts"]["weight"][: ROWS // 4] = 0
    chain = chain_of(records, [AUTHOR, VIEWER, PAIR], folder, in_files=in_files, threads=2)
    for number in range(8):
        chain.sweep(keep=number > 2)
    return chain


def rates(chain: Chain, every: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Mean probability and share of labels of the rows with a weight in every so many blocks, float64 [4] each."""
    blocks = list(chain.design.blocks())[::every]
    facts = np.concatenate([block.read(chain.design.facts) for block in blocks])
    counted = facts[facts["weight"] > 0]
    means, variances = (found[counted["position"]] for found in scores_of(chain))
    labels = counted["labels"][:, np.newaxis] >> np.arange(4) & 1
    return sigmoid(marginal_logits(means, variances, chain.coupling)).mean(axis=0), labels.mean(axis=0)


@pytest.mark.parametrize("in_files", [False, True])
def test_rows_with_a_weight_have_their_rates(in_files: bool, tmp_path: Path) -> None:
    chain = fitted(tmp_path, in_files=in_files)
    intercepts, (before, wanted) = chain.intercepts, rates(chain)
    assert np.abs(before / wanted - 1).max() > 0.02  # else there would be nothing to move
    leveling.level(chain)
    found, _ = rates(chain)
    assert found == pytest.approx(wanted, rel=2e-3, abs=0.5 / (0.75 * ROWS))  # half a label is added
    assert chain.intercepts - intercepts == pytest.approx(chain.level)


def test_every_second_block_decides_where_rows_are_twice_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = fitted(tmp_path)
    monkeypatch.setattr(leveling, "MOST_ROWS", ROWS // 2)
    leveling.level(chain)
    found, wanted = rates(chain, every=2)
    assert found == pytest.approx(wanted, rel=2e-3, abs=0.5 / (0.4 * ROWS))
    assert len(list(chain.design.blocks())) == 3


def test_a_chain_of_no_rows_stays(tmp_path: Path) -> None:
    chain = fitted(tmp_path).branch(lambda facts: 0 * facts["weight"], 1, None)
    chain.sweep(keep=True)
    leveling.level(chain)
    assert not chain.level.any()


def test_two_chains_together_have_the_means_of_both(tmp_path: Path) -> None:
    settled = fitted(tmp_path)
    one, other = (settled.branch(weights, seed, None) for seed in (7, 8))
    for chain in (one, other):
        for _ in range(3):
            chain.sweep(keep=True, learn=True)
    expected = np.mean([scores_of(one), scores_of(other)], axis=0)
    intercepts = (one.intercepts + other.intercepts) / 2
    assert np.abs(scores_of(one)[0] - expected[0]).max() > 0.1
    add_kept(one, other)
    assert np.array(scores_of(one)) == pytest.approx(expected, abs=1e-5)
    assert one.intercepts == pytest.approx(intercepts)
    assert one.kept == 6
