"""Outcomes with scores written by hand."""

from dataclasses import replace

from engage_pipeline import schema
from engage_pipeline.comparison.child import Cost
from engage_pipeline.comparison.outcomes import RunOutcome
from engage_pipeline.comparison.worlds import WorldSpec
from engage_pipeline.metrics import Average, EngagementScores, Score, Scores, share_of_oracle

WORLD = WorldSpec(1000, 1)


def scores(rce: tuple[float, ...], groups: tuple[tuple[float, ...], ...], ap: float = 0.5) -> Scores:
    """Two author groups: `rce` of each engagement over all rows, `groups` its RCE in each group."""
    engagements = {
        target: EngagementScores(
            Score(100, 10, ap, overall), tuple(Score(50, 5, ap, one) for one in by), Average(ap, sum(by) / len(by))
        )
        for target, overall, by in zip(schema.TARGETS, rce, groups, strict=True)
    }
    by_group = [one.group_mean.rce for one in engagements.values()]
    return Scores((240,), engagements, Average(ap, sum(rce) / 4), Average(ap, sum(by_group) / 4))


ORACLE = scores((40.0, 20.0, 10.0, 20.0), ((40.0, 20.0), (20.0, 10.0), (10.0, -1.0), (20.0, 20.0)), ap=0.9)


def outcome(contender: str, model: Scores, world: WorldSpec = WORLD, seconds: float = 61.4) -> RunOutcome:
    """Shares of engagements are known to 1 point, their mean to 3."""
    share = share_of_oracle(model, ORACLE)
    engagements = {
        name: replace(one, overall_interval=(one.overall - 1, one.overall + 1))
        for name, one in share.engagements.items()
        if one.overall is not None
    }
    assert share.overall_mean is not None
    bounds = share.overall_mean - 3, share.overall_mean + 3
    share = replace(share, engagements=engagements, overall_interval=bounds)
    return RunOutcome(world, contender, "key", {"seed": 1}, Cost(seconds, 2 * seconds, 1234), model, ORACLE, share)


GOOD = scores((20.0, 5.0, 2.5, 5.0), ((20.0, 5.0), (5.0, 5.0), (2.5, 0.5), (5.0, 10.0)), ap=0.6)
"""Shares 50, 25, 25, 25 = 31.25 in the mean; group means 12.5/30, 5/15, 1.5/4.5, 7.5/20."""
POOR = scores((10.0, 0.0, -5.0, 5.0), ((10.0, 10.0), (0.0, 0.0), (-5.0, 0.0), (5.0, 5.0)), ap=0.4)
"""Shares 25, 0, -50, 25 = 0 in the mean."""
