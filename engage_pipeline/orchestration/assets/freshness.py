"""Freshness policies: how old the assets that people wait for may become before the UI reports it.

The nightly run makes a new model only if parts have changed, so an old model alone is no fault. The policies
distinguish two cases. If `tweet_parts` is late, no data came. If only assets made of it are late, data came and the
pipeline did not follow. How often data comes depends on the deployment: see the settings `automation.freshness_*`.
"""

from datetime import timedelta

import dagster as dg

from engage_pipeline.settings.operating import AutomationSettings

WAITED_FOR = frozenset({"tweet_parts", "trained_model", "evaluation", "submission"})
"""New data, the model, its scores, its predictions."""


def kept_fresh(asset: dg.AssetsDefinition, automation: AutomationSettings) -> dg.AssetsDefinition:
    """Returns the asset, with a freshness policy if people wait for it and the settings give a limit."""
    if automation.freshness_fail_hours is None or not WAITED_FOR & {key.to_user_string() for key in asset.keys}:
        return asset
    warn = automation.freshness_warn_hours
    policy = dg.FreshnessPolicy.time_window(
        fail_window=timedelta(hours=automation.freshness_fail_hours),
        warn_window=None if warn is None else timedelta(hours=warn),
    )
    return asset.map_asset_specs(lambda spec: spec.replace_attributes(freshness_policy=policy))
