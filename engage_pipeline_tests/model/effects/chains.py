"""Designs and chains of few rows."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engage_pipeline.model.effects.chain import Chain
from engage_pipeline.model.effects.design import Design
from engage_pipeline.model.effects.effects import Effect
from engage_pipeline.model.effects.kernels import K
from engage_pipeline.model.effects.marginals import RAREST_FIRST
from engage_pipeline.model.effects.nesting import find_nested
from engage_pipeline.model.effects.numbering import build_design
from engage_pipeline.model.effects.rows import ROW
from engage_pipeline.model.effects.shards import Shards, shards_of
from engage_pipeline.numerics.fingerprints import combined

VIEWER = Effect("viewer", "people_effects", ("viewer",), 1.0)
AUTHOR = Effect("author", "people_effects", ("author",), 1.0)
PAIR = Effect("pair", "pair_effects", ("viewer", "author"), 1.0, ("viewer", "author"))
HOUR = Effect("hour", "context_effects", ("hour",), 1.0)
FOLLOWS = Effect("follows", "context_effects", ("follows",), 1.0)
TREND = Effect("trend", "habit_effects", ("viewer",), 1.0, (), "age")


def records_of(labels: np.ndarray, **fields: np.ndarray) -> np.ndarray:
    """Rows with `labels` bool [n, 4] and these fields, from 1, as 0 is NO_FINGERPRINT; all weigh 1."""
    records = np.zeros(len(labels), ROW)
    for name, values in fields.items():
        records[name] = values
    records["facts"]["position"] = np.arange(len(records))
    records["facts"]["weight"] = 1
    records["facts"]["labels"] = (labels << np.arange(K)).sum(axis=1)
    return records


def design_of(records: np.ndarray, effects: Sequence[Effect], folder: Path) -> Design:
    """The design of the rows, in `folder`."""
    shards = Shards.empty(folder / "rows", 3, ROW)
    shards.add(records, shards_of(combined(records["viewer"]).view(np.uint64), 3))
    return build_design(shards, effects, folder / "design")[0]


def chain_of(
    records: np.ndarray,
    effects: Sequence[Effect],
    folder: Path,
    *,
    in_files: bool = False,
    seed: int = 1,
    threads: int = 1,
) -> Chain:
    """A chain of the rows, which begins with the deviations of the effects."""
    design = design_of(records, effects, folder)
    nested = find_nested(design, effects, folder / "nested")
    deviations = [effect.deviation for effect in effects]
    return Chain.begin(design, weights, nested, deviations, seed, folder / "chain" if in_files else None, threads)


def weights(facts: np.ndarray) -> np.ndarray:
    """Those of the rows."""
    return np.asarray(facts["weight"])


def scores_of(chain: Chain) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the log-odds of each row by its position, float64 [n, 4] each."""
    found = np.zeros((2, len(chain.design), K))
    for block in chain.design.blocks():
        found[:, block.read(chain.design.facts)["position"]] = chain.scores(block)
    return found[0], found[1]


def log_odds_of(chain: Chain) -> np.ndarray:
    """The log-odds of each row by its position as the chain holds them, with what is pending: float64 [n, 4]."""
    chain.settle()
    found = np.zeros((len(chain.design), K))
    for block in chain.design.blocks():
        found[block.read(chain.design.facts)["position"]] = block.read(chain.rows.odds)
    return found


def sums_of(chain: Chain) -> np.ndarray:
    """The log-odds of each row by its position as sums of the base and the values of its keys: float64 [n, 4]."""
    copy = chain.branch(weights, 1, None)
    for keys in copy.keys:
        keys.means.write(0, keys.values.read())
    copy.kept, copy.bases = 1, copy.base
    labels = labels_of(chain)
    found = scores_of(copy)[0]
    for place, one in enumerate(RAREST_FIRST):
        earlier = list(RAREST_FIRST[:place])
        found[:, one] += labels[:, earlier] @ copy.coupling[one, earlier]
    return found


def labels_of(chain: Chain) -> np.ndarray:
    """The labels of each row by its position, bool [n, 4]."""
    found = np.zeros((len(chain.design), K), bool)
    for block in chain.design.blocks():
        facts = block.read(chain.design.facts)
        found[facts["position"]] = facts["labels"][:, np.newaxis] >> np.arange(K) & 1
    return found
