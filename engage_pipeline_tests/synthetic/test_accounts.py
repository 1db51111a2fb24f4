"""Authors have the authors' margins, and all viewers together those of viewers, those among them who write included."""

from collections.abc import Callable

import numpy as np
import pytest

from engage_pipeline.synthetic import margins
from engage_pipeline.synthetic.accounts import AGES_AT, Accounts, draw_accounts
from engage_pipeline.synthetic.windows import DAY
from engage_pipeline_tests.synthetic.drawn import Drawn

DRAWN = Drawn(users=4_000)
Field = Callable[[Accounts], np.ndarray]
FIELDS: dict[str, tuple[Field, np.ndarray, np.ndarray]] = {
    "following": (lambda made: made.following, margins.AUTHOR_FOLLOWING, margins.VIEWER_FOLLOWING),
    "age": (lambda made: (AGES_AT - made.created) / DAY, margins.AUTHOR_AGE, margins.VIEWER_AGE),
}


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("writers_share", [0.0, 0.3])
def test_each_role_has_its_own_margin(name: str, writers_share: float) -> None:
    field, authors, viewers = FIELDS[name]
    rng = np.random.default_rng(2)
    writes = DRAWN.world.authorship > 0
    author = rng.choice(np.flatnonzero(writes), 40_000)
    others = rng.choice(np.flatnonzero(~writes), author.size)
    viewer = np.where(rng.random(author.size) < writers_share, rng.permutation(author), others)
    values = field(draw_accounts(np.random.default_rng(3), DRAWN.world, author, viewer))
    for people, quantiles in ((author, authors), (viewer, viewers)):
        found = np.quantile(values[people], [0.25, 0.5, 0.75])
        assert found == pytest.approx(quantiles[4:7], rel=0.1)


def test_verified_people_are_famous() -> None:
    made = draw_accounts(np.random.default_rng(3), DRAWN.world, DRAWN.exposures.author, DRAWN.exposures.viewer)
    assert made.verified[made.followers > 1_000_000].mean() > 0.4
    assert made.verified[made.followers < 1_000].mean() < 0.01
