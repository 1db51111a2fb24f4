"""Commands of `engage` in processes of their own, started in milliseconds: forks of one that has imported what they do.

Permission bits hold for them even where the tests are run by root: the capabilities that override them are dropped.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_LOADED = (
    "duckdb",
    "lightgbm",
    "torch",
    "engage_pipeline.orchestration.backfilling",
    "engage_pipeline.comparison.comparison",
    "engage_pipeline.definitions",
    "engage_pipeline.model.promotion.rollback",
    "engage_pipeline.submission.explanation.explain",
    "engage_pipeline.submission.predict",
    "engage_pipeline.submission.scoring.report",
    "engage_pipeline.synthetic",
)


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


@dataclass
class Commands:
    """The process whose forks are the commands. Their output goes through files in `folder`."""

    process: subprocess.Popen[str]
    folder: Path

    def run(self, arguments: Sequence[str], cwd: Path, environment: Mapping[str, str] | None = None) -> Done:
        """Runs `engage` with the arguments in the folder `cwd`, which is its DAGSTER_HOME too."""
        out, errors = self.folder / "stdout", self.folder / "stderr"
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        question = {"arguments": list(arguments), "cwd": str(cwd), "out": str(out), "errors": str(errors)}
        question["environment"] = {"DAGSTER_HOME": str(cwd), **(environment or {})}
        print(json.dumps(question), file=self.process.stdin, flush=True)
        status = int(self.process.stdout.readline())
        return Done(status, out.read_text(encoding="utf-8"), errors.read_text(encoding="utf-8"))


@contextmanager
def commands(folder: Path) -> Iterator[Commands]:
    """Commands that keep their output in the folder, until the block ends."""
    command = [sys.executable, "-m", __name__]
    if os.geteuid() == 0:
        setpriv = shutil.which("setpriv")
        assert setpriv is not None, "util-linux is there on every Debian"
        command = [setpriv, "--bounding-set", "-dac_override,-dac_read_search", "--", *command]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Commands(process, folder)
    finally:
        process.communicate()


def _serve(questions: IO[str], answers: IO[str]) -> None:
    import importlib

    for name in _LOADED:
        importlib.import_module(name)
    for line in questions:
        if (pid := os.fork()) == 0:
            _be_command(json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), file=answers, flush=True)


def _be_command(question: dict[str, Any]) -> None:
    """Never returns."""
    from engage_pipeline.cli import main

    for number, name in ((1, "out"), (2, "errors")):
        os.dup2(os.open(question[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.chdir(question["cwd"])
    os.environ.update(question["environment"])
    sys.argv = ["engage", *question["arguments"]]
    status = 1
    try:
        main()
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    _serve(os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w"))
