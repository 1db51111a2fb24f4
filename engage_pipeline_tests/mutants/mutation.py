"""What a mutation is, and how it is put into a copy of the sources."""

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
        """A digest of the mutation, of the file that it changes and of its tests: an outcome holds for this key."""
        content = [self.file, self.old, self.new, self.tests]
        files = [root / PACKAGE / self.file, *(root / test for test in self.test_files)]
        content += [path.read_text(encoding="utf-8") for path in files]
        return hashlib.sha256("\0".join(content).encode()).hexdigest()[:16]

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
