"""Known vulnerabilities of the packages that are installed (pip-audit).

Fails where a version without the vulnerability is within the ranges of pyproject.toml: a new environment mends it. All
others are reported only: an advisory that comes out must not turn an unchanged commit red. Skipped, saying why, where
the data can't be had: no network, or an index that has none.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

COMMAND = (sys.executable, "-m", "pip_audit", "--skip-editable", "--progress-spinner", "off", "--format", "json")
SECONDS = 300
PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


def main() -> int:
    """Prints what is known; the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "report.json")
        try:
            command = [*COMMAND, "--output", str(path)]
            done = subprocess.run(  # noqa: S603 - a fixed command without a shell
                command, stderr=subprocess.PIPE, text=True, timeout=SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return _skipped(f"no answer in {SECONDS} s")
        if not path.is_file() or not path.stat().st_size:
            return _skipped((done.stderr.strip().splitlines() or ["no report"])[-1][:300])
        return verdict(json.loads(path.read_text(encoding="utf-8")), ranges(PYPROJECT))


def ranges(pyproject: Path) -> dict[str, SpecifierSet]:
    """The versions that pyproject.toml allows of each package that it names, in all of its lists together."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    found: dict[str, SpecifierSet] = {}
    for line in chain(project["dependencies"], *project["optional-dependencies"].values()):
        wanted = Requirement(line)
        name = canonicalize_name(wanted.name)
        found[name] = found.get(name, SpecifierSet()) & wanted.specifier
    return found


def verdict(report: dict[str, Any], allowed: Mapping[str, SpecifierSet]) -> int:
    """The exit status of a report of pip-audit, with the versions that are `allowed` by package; prints it."""
    packages = report["dependencies"]
    audited = [package for package in packages if "skip_reason" not in package]
    if not audited:
        return _skipped(packages[0]["skip_reason"] if packages else "no packages")
    status = 0
    for package in audited:
        versions = allowed.get(canonicalize_name(package["name"]))
        for found in package["vulns"]:
            fixes = found["fix_versions"]
            in_range = versions is not None and any(versions.contains(fix, prereleases=False) for fix in fixes)
            status |= in_range
            print(f"audit: {package['name']} {package['version']}: {found['id']}, {_remedy(fixes, versions, in_range)}")
    print(f"audit: {len(audited)} of {len(packages)} packages looked up")
    return status


def _remedy(fixes: list[str], versions: SpecifierSet | None, in_range: bool) -> str:
    if not fixes:
        return "not fixed in any version yet"
    fixed = f"fixed in {', '.join(fixes)}"
    if in_range:
        return f"{fixed}: install it (pyproject.toml allows it)"
    return f"{fixed}, " + ("not named in pyproject.toml" if versions is None else f"pyproject.toml allows {versions}")


def _skipped(reason: str) -> int:
    print(f"audit: skipped: {reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
