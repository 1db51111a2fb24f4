"""The .sql files of the package that Spark must be able to run: all of them."""

from pathlib import Path

PACKAGE = Path(__file__).parents[3] / "engage_pipeline"


def portable_statements() -> list[str]:
    """Their names, relative to the package, sorted."""
    return sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.sql"))
