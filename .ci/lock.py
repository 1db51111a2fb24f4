"""Writes constraints.txt: the version of every package that the project or one of its extras brings.

Packages that are installed keep their version; others get the newest that pyproject.toml admits. A version is written
without its build (`+cpu`), so that any build of torch fits, and without what one build of torch alone brings, which it
pins by itself. A line of the file is a version and nothing else: which index serves it is the user's business.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path

from packaging.utils import canonicalize_name

TOP = Path(__file__).parents[1]
HEADER = "# Versions that were tested together. Made by `make lock`; pip takes it by --constraint.\n"
_OF_TORCH = ("nvidia-", "cuda-", "triton")


def main() -> None:
    """Resolves the project with all of its extras, and writes the file."""
    extras = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    with tempfile.TemporaryDirectory() as folder:
        present, report = Path(folder, "present.txt"), Path(folder, "report.json")
        present.write_text(pinned(line.split("==") for line in _pip("freeze", "--exclude-editable") if "==" in line))
        options = ("--dry-run", "--ignore-installed", "--quiet", "--constraint", str(present), "--report", str(report))
        _pip("install", *options, f"{TOP}[{','.join(sorted(extras))}]")
        found = [one["metadata"] for one in json.loads(report.read_bytes())["install"]]
    (TOP / "constraints.txt").write_text(HEADER + pinned((one["name"], one["version"]) for one in found))


def pinned(packages: Iterable[Iterable[str]]) -> str:
    """Returns a line `name==version` for each package, sorted, without builds and without what belongs to torch."""
    versions = {canonicalize_name(name): version.partition("+")[0] for name, version in packages}
    kept = {name: versions[name] for name in versions if not name.startswith(_OF_TORCH) and name != "engage-pipeline"}
    return "".join(f"{name}=={version}\n" for name, version in sorted(kept.items()))


def _pip(*arguments: str) -> list[str]:
    command = [sys.executable, "-m", "pip", *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - without a shell
    return done.stdout.splitlines()


if __name__ == "__main__":
    main()
