"""Known vulnerabilities of the packages that are installed (pip-audit).

Fails where a version without the vulnerability is out, tells of the others, and is skipped, saying why, where the data
can't be had: no network, or an index that has none.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

COMMAND = (sys.executable, "-m", "pip_audit", "--skip-editable", "--progress-spinner", "off", "--format", "json")
SECONDS = 300


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
        return verdict(json.loads(path.read_text(encoding="utf-8")))


def verdict(report: dict[str, Any]) -> int:
    """The exit status of a report of pip-audit; prints it."""
    packages = report["dependencies"]
    audited = [package for package in packages if "skip_reason" not in package]
    if not audited:
        return _skipped(packages[0]["skip_reason"] if packages else "no packages")
    can_be_mended = False
    for package in audited:
        for found in package["vulns"]:
            fixed = ", ".join(found["fix_versions"])
            can_be_mended |= bool(fixed)
            remedy = f"mended in {fixed}" if fixed else "not mended in any version yet"
            print(f"audit: {package['name']} {package['version']}: {found['id']}, {remedy}")
    print(f"audit: {len(audited)} of {len(packages)} packages looked up")
    return int(can_be_mended)


def _skipped(reason: str) -> int:
    print(f"audit: skipped: {reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
