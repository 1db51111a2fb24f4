"""The check of every artifact for deletions: was it made of rows that have been deleted since?

It warns and never blocks: the model that predicts keeps predicting until the next training. One step judges all
artifacts of a run, because starting a step costs more than the check.
"""

from collections.abc import Iterator

import dagster as dg

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.orchestration.assets.materializing import user_errors
from engage_pipeline.orchestration.resources import Pipeline
from engage_pipeline.store.deletion_ledger import predating

CHECK = "predates_no_deletion"


def judge(name: str, dates: dict[str, str]) -> dg.AssetCheckResult:
    """Returns whether the artifact `name`, with all its parts, predates no deletion; `dates` come from `predating`."""
    found = {label: date for label, date in dates.items() if label.partition("/")[0] == name}
    if not found:
        text = "0 versions are made of deleted rows; none may be"
    else:
        parts = f" ({len(found)} parts)" if ARTIFACTS[name].partitioned else ""
        text = f"predates a deletion of {min(found.values())[:10]}{parts}: holds, or was made of, rows deleted then"
    return dg.AssetCheckResult(
        passed=not found,
        asset_key=dg.AssetKey(name),
        check_name=CHECK,
        severity=dg.AssetCheckSeverity.WARN,
        description=text,
    )


@dg.multi_asset_check(
    name=CHECK,
    specs=[
        dg.AssetCheckSpec(
            CHECK, asset=name, description="It was not made, directly or not, of rows that have been deleted since."
        )
        for name in ARTIFACTS
    ],
    can_subset=True,
)
def predates_no_deletion(context: dg.AssetCheckExecutionContext, pipeline: Pipeline) -> Iterator[dg.AssetCheckResult]:
    """Judges the artifacts of the run."""
    with user_errors():
        dates = predating(pipeline.store())
    for key in sorted(context.selected_asset_check_keys):
        yield judge(key.asset_key.to_user_string(), dates)


CHECKS = [predates_no_deletion]
