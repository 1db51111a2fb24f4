"""How old the assets that people wait for may become before the UI says so.

The nightly run makes a new model only where parts have changed, so age alone is no fault: no new parts, no new model.
The policies therefore tell two things apart. `tweet_parts` is late: no data came. It is not, but what is made of it
is: the data came and the pipeline did not follow. How often data comes only the deployment knows: the settings
`automation.freshness_*` say it.
"""

from datetime import timedelta

import dagster as dg

from engage_pipeline.settings.operating import AutomationSettings

WAITED_FOR = frozenset({"tweet_parts", "trained_model", "evaluation", "submission"})
"""New data, the model, how good it is, its predictions."""


def kept_fresh(asset: dg.AssetsDefinition, automation: AutomationSettings) -> dg.AssetsDefinition:
    """The asset with its freshness policy, if it is one that people wait for and the settings give a limit."""
    if automation.freshness_fail_hours is None or not WAITED_FOR & {key.to_user_string() for key in asset.keys}:
        return asset
    warn = automation.freshness_warn_hours
    policy = dg.FreshnessPolicy.time_window(
        fail_window=timedelta(hours=automation.freshness_fail_hours),
        warn_window=None if warn is None else timedelta(hours=warn),
    )
    return asset.map_asset_specs(lambda spec: spec.replace_attributes(freshness_policy=policy))
