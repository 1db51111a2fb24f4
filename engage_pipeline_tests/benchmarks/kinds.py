"""How a stage is measured: the work itself, and the three that it is held against."""

from collections.abc import Mapping

from engage_pipeline_tests.benchmarks.alternatives.stages import ALTERNATIVES
from engage_pipeline_tests.benchmarks.limits import LIMITS
from engage_pipeline_tests.benchmarks.plain_way.stages import STAGES as PLAIN
from engage_pipeline_tests.benchmarks.stages import STAGES
from engage_pipeline_tests.benchmarks.stages.stage import Stage

WORK, PLAIN_WAY, ALTERNATIVE, LIMIT = "work", "plain", "alternative", "limit"
KINDS: dict[str, Mapping[str, Stage]] = {
    WORK: STAGES,
    PLAIN_WAY: PLAIN,
    ALTERNATIVE: {name: alternative.stage for name, alternative in ALTERNATIVES.items()},
    LIMIT: {name: stage for name, (_, stage) in LIMITS.items()},
}


def measurable(stage: str) -> list[str]:
    """The kinds in which the stage can be measured with what is installed, its work first."""
    lacking = stage in ALTERNATIVES and ALTERNATIVES[stage].missing
    return [kind for kind, stages in KINDS.items() if stage in stages and not (kind == ALTERNATIVE and lacking)]
