"""The mirror: the published versions once more in an object store, for machines without a shared volume."""
