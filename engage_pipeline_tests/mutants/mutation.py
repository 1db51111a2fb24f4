"""What a mutation is, and how it is put into a copy of the sources."""

import ast
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "engage_pipeline"
TESTS = "engage_pipeline_tests"


@dataclass(frozen=True)
class Mutation:
    """One change of one source file.

    `file` is below engage_pipeline/. `old` occurs there exactly once and becomes `new`. `tests` are files or node ids
    below engage_pipeline_tests/, which should fail then; several are separated by blanks.
    """

    area: str
    file: str
    old: str
    new: str
    tests: str

    @property
    def test_ids(self) -> list[str]:
        """The tests as pytest takes them, seen from the root of the repository."""
        return [f"{TESTS}/{test}" for test in self.tests.split()]

    @property
    def test_files(self) -> list[str]:
        """The files of the tests, seen from the root of the repository, each once."""
        return sorted({test.partition("::")[0] for test in self.test_ids})

    @property
    def title(self) -> str:
        """The mutation in one line."""
        old, new = _changed_part(self.old, self.new)
        return f"{self.file}: {old!r} to {new!r}"

    def problem(self, root: Path) -> str | None:
        """Why it can't be applied to the sources below `root`; None where it can."""
        path = root / PACKAGE / self.file
        if not path.is_file():
            return "no such file"
        source = path.read_text(encoding="utf-8")
        if (found := source.count(self.old)) != 1:
            return f"the old text occurs {found} times"
        if path.suffix == ".py":
            try:
                compile(source.replace(self.old, self.new), str(path), "exec")
            except SyntaxError as error:
                return f"the new text is no Python: {error.msg}"
        for test in self.test_files:
            if not (root / test).is_file():
                return f"{test}: no such file"
        return None

    def key(self, root: Path) -> str:
        """A digest of the mutation and of the file that it changes."""
        content = (root / PACKAGE / self.file).read_text(encoding="utf-8")
        return _digest(self.file, self.old, self.new, content)

    def tests_digest(self, root: Path, killer: str | None) -> str:
        """A digest of the test `killer`, a node id; where it is None or not there, of all tests that are named."""
        if killer is not None and (source := _function(root, killer)) is not None:
            return _digest(source)
        return _digest(self.tests, *((root / test).read_text(encoding="utf-8") for test in self.test_files))

    @contextmanager
    def applied(self, root: Path) -> Iterator[None]:
        """The sources below `root` are changed while the block runs."""
        path = root / PACKAGE / self.file
        source = path.read_text(encoding="utf-8")
        path.write_text(source.replace(self.old, self.new), encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(source, encoding="utf-8")


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def _function(root: Path, test: str) -> str | None:
    """The source of a test function; None where there is none of that name."""
    path, _, name = test.partition("::")
    if not (root / path).is_file():
        return None
    source = (root / path).read_text(encoding="utf-8")
    found = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    return next((ast.get_source_segment(source, one) for one in found if one.name == name.partition("[")[0]), None)


def mutations(area: str, file: str, tests: str, *changes: tuple[str, str] | tuple[str, str, str]) -> list[Mutation]:
    """Mutations of one file: pairs of the old and the new text, and tests of its own where `tests` are not meant."""
    return [Mutation(area, file, old, new, own[0] if own else tests) for old, new, *own in changes]


def _changed_part(old: str, new: str) -> tuple[str, str]:
    """Both texts without the lines that they begin and end with in common."""
    before, after = old.strip().split("\n"), new.strip().split("\n")
    while len(before) > 1 and len(after) > 1 and before[0] == after[0]:
        before, after = before[1:], after[1:]
    while len(before) > 1 and len(after) > 1 and before[-1] == after[-1]:
        before, after = before[:-1], after[:-1]
    return " ".join(" ".join(before).split()), " ".join(" ".join(after).split())
