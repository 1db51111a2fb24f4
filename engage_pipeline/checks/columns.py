"""The check that every table has the columns that its asset declares."""

import pyarrow as pa

from engage_pipeline import schema
from engage_pipeline.artifacts import ArtifactStore, Manifest
from engage_pipeline.checks.finding import Finding, Look, check
from engage_pipeline.checks.versions import unread_file, versions
from engage_pipeline.footers import schema_difference

SCHEMAS: dict[str, pa.Schema] = {
    "tweet_parts": schema.tweet_schema(labelled=True),
    "validation_tweets": schema.tweet_schema(labelled=True, validation=True),
    "test_tweets": schema.tweet_schema(labelled=False),
    "interaction_features": schema.feature_schema(labelled=True),
    "validation_features": schema.feature_schema(labelled=True, validation=True),
    "test_features": schema.feature_schema(labelled=False),
}
_NO_ROWS = (".rejects.parquet", ".profile.parquet")


def _tables(manifest: Manifest) -> list[str]:
    """The files that hold the rows: test rows have one a part."""
    if manifest.artifact.startswith("test_"):
        return [name for name in sorted(manifest.files) if not name.endswith(_NO_ROWS)]
    return ["features.parquet" if manifest.artifact.endswith("_features") else "tweets.parquet"]


def _columns_are_as_declared(asset: str) -> Look:
    def columns_are_as_declared(store: ArtifactStore) -> Finding:
        """The columns of every file of rows have the declared names, order and types."""
        wrong: dict[str | None, str] = {}
        compared = 0
        for manifest in versions(store, asset):
            for name in _tables(manifest):
                compared += 1
                if difference := schema_difference(unread_file(store, manifest, name), SCHEMAS[asset]):
                    wrong[manifest.key] = difference
        return Finding(wrong, f"in {compared} files", {"files": compared, "columns": len(SCHEMAS[asset])})

    return columns_are_as_declared


CHECKS = [check(asset)(_columns_are_as_declared(asset)) for asset in SCHEMAS]
