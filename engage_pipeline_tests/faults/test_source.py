"""The linter refuses what would execute data or open more than it should, and looks away in known places only."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from engage_pipeline_tests.worlds import REPOSITORY

PACKAGE = REPOSITORY / "engage_pipeline"
PLANTED = {
    "import pickle": "TID251",
    "import pickle as p; p.loads(b'')": "S301",
    "from pickle import loads": "TID251",
    "import joblib": "TID251",
    "import dill": "TID251",
    "import cloudpickle": "TID251",
    "import shelve": "TID251",
    "import marshal": "TID251",
    "import torch; torch.load('x')": "TID251",
    "from torch import load": "TID251",
    "import torch; torch.jit.load('x')": "TID251",
    "import numpy as np; np.load('x', allow_pickle=True)": "TID251",
    "import yaml; yaml.load('x')": "S506",
    "import yaml; yaml.unsafe_load('x')": "TID251",
    "eval('1')": "S307",
    "exec('1')": "S102",
    "import os; os.system('true')": "S605",
    "import subprocess; subprocess.run('true', shell=True)": "S602",
    "import subprocess, sys; subprocess.run([sys.argv[1]])": "S603",
    "name = ''; sql = f'SELECT * FROM {name}'": "S608",
    "import duckdb; duckdb.connect()": "TID251",
    "import duckdb; duckdb.sql('x')": "TID251",
    "import duckdb; duckdb.read_csv('x')": "TID251",
    "import hashlib; hashlib.md5(b'')": "S324",
    "open('/tmp/x')": "S108",
}
LOOKS_AWAY = {
    ("comparison/child.py", "S603"),  # this package itself, by the interpreter that runs
    ("comparison/tables.py", "S101"),  # narrows types
    ("ingest/parsing/streams.py", "S603"),  # lzop, by its path, without a shell
    ("interactions/shards/files.py", "S101"),  # narrows a type
    ("interactions/shards/leaving_out.py", "S101"),  # narrows a type
    ("language/token_vectors.py", "S105"),  # a file's name, no password
    ("orchestration/alerts/webhook.py", "S310"),  # http or https only: it is checked before
    ("settings/reference_page.py", "S101"),  # narrows a type
}


@pytest.mark.parametrize("code", PLANTED)
def test_the_linter_refuses_it(code: str) -> None:
    command = [str(Path(sys.executable).parent / "ruff"), "check", "--output-format", "json", "--stdin-filename"]
    done = subprocess.run(
        [*command, str(PACKAGE / "planted.py"), "-"],
        input=code + "\n",
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert PLANTED[code] in {found["code"] for found in json.loads(done.stdout)}


def test_the_linter_looks_away_in_known_places_only() -> None:
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for codes in re.findall(r"#\s*(?:ruff:\s*)?noqa(?::\s*([A-Z0-9, ]+))?", path.read_text(encoding="utf-8")):
            assert codes, f"{path}: all rules at once"
            names = {code.strip() for code in codes.split(",")}
            found |= {(str(path.relative_to(PACKAGE)), name) for name in names if re.match(r"S\d|TID251", name)}
    assert found == LOOKS_AWAY


def test_one_place_opens_duckdb_and_none_changes_what_it_may_reach() -> None:
    text = {path: path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
    assert [path.name for path, code in text.items() if "duckdb.connect" in code] == ["duckdb.py"]
    settings = (
        r"enable_external_access|allowed_directories|allowed_paths|lock_configuration|allow_unsigned|INSTALL |LOAD "
    )
    sql = {path: path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.sql")}
    assert {path.name for path, code in (text | sql).items() if re.search(settings, code)} == {"duckdb.py"}
