"""The list fits the code, and the campaign tells what is killed from what is not."""

import ast
from pathlib import Path

import pytest

from engage_pipeline_tests.mutants.areas import MUTATIONS
from engage_pipeline_tests.mutants.campaign import Campaign, judge
from engage_pipeline_tests.mutants.mutation import Mutation, mutations
from engage_pipeline_tests.mutants.outcomes import KILLED, NOT_APPLIED, SURVIVED, Outcome, Record, passed, table

ROOT = Path(__file__).resolve().parents[2]


def defined_tests(path: Path) -> set[str]:
    return {
        node.name for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef)
    }


def test_every_mutation_applies_exactly_once() -> None:
    problems = [f"{one.title}: {problem}" for one in MUTATIONS if (problem := one.problem(ROOT))]
    assert problems == []
    assert len(MUTATIONS) >= 150


def test_every_named_test_is_there() -> None:
    named = {test for one in MUTATIONS for test in one.test_ids}
    for test in sorted(named):
        path, _, name = test.partition("::")
        assert not name or name.partition("[")[0] in defined_tests(ROOT / path), test


def test_none_stands_in_the_list_twice() -> None:
    assert len({(one.file, one.old, one.new) for one in MUTATIONS}) == len(MUTATIONS)


def small_repository(root: Path) -> Path:
    """A package of one module with two functions, of which one is tested."""
    for folder in ("engage_pipeline", "engage_pipeline_tests"):
        (root / folder).mkdir(parents=True)
        (root / folder / "__init__.py").touch()
    (root / "engage_pipeline/sums.py").write_text(
        "def add(a, b):\n    return a + b\n\n\ndef less(a, b):\n    return a - b\n"
    )
    (root / "engage_pipeline_tests/test_sums.py").write_text(
        "from engage_pipeline.sums import add\n\n\ndef test_add():\n    assert add(2, 1) == 3\n"
    )
    return root


SMALL = mutations(
    "sums",
    "sums.py",
    "test_sums.py",
    ("a + b", "a * b"),
    ("a - b", "b - a"),
    ("a / b", "b / a"),
    ("    return a + b", "    import nothing"),
)


def test_killed_and_survived_are_told_apart_and_kept(tmp_path: Path) -> None:
    root = small_repository(tmp_path / "repository")
    (tmp_path / "first").mkdir()
    outcomes = Campaign(root, Record(tmp_path / "record"), tmp_path / "first").run(SMALL, jobs=1)
    assert [one.status for one in outcomes] == [KILLED, SURVIVED, NOT_APPLIED, KILLED]
    assert outcomes[0].detail == "engage_pipeline_tests/test_sums.py::test_add"
    assert outcomes[2].detail == "the old text occurs 0 times"
    assert (root / "engage_pipeline/sums.py").read_text(encoding="utf-8").count("return a + b") == 1
    (tmp_path / "second").mkdir()
    known = [SMALL[0], SMALL[1], SMALL[3]]
    again = Campaign(root, Record(tmp_path / "record"), tmp_path / "second").run(known, jobs=1)
    assert again == [outcomes[0], outcomes[1], outcomes[3]], "with the same seconds: they were not run again"


def test_tests_that_never_end_have_noticed(tmp_path: Path) -> None:
    root = small_repository(tmp_path / "repository")
    (endless,) = mutations("sums", "sums.py", "test_sums.py", ("    return a + b", "    while True:\n        pass"))
    outcome = judge(root, endless, 5.0)
    assert (outcome.status, outcome.detail) == (KILLED, "its tests did not end within 5 s")


def test_a_test_that_fails_anyway_stops_the_campaign(tmp_path: Path) -> None:
    root = small_repository(tmp_path / "repository")
    (root / "engage_pipeline_tests/test_sums.py").write_text("def test_add():\n    assert False\n", encoding="utf-8")
    (tmp_path / "copies").mkdir()
    with pytest.raises(RuntimeError, match="without a mutation the tests end with 1"):
        Campaign(root, Record(tmp_path / "record"), tmp_path / "copies").run(SMALL[:1], jobs=1)


def test_an_outcome_holds_until_the_file_or_the_test_that_it_rests_on_changes(tmp_path: Path) -> None:
    root = small_repository(tmp_path)
    source, tests = root / "engage_pipeline/sums.py", root / "engage_pipeline_tests/test_sums.py"
    killer = "engage_pipeline_tests/test_sums.py::test_add"
    record = Record(tmp_path / "record")
    campaign = Campaign(root, record, tmp_path)
    for mutation, status, detail in ((SMALL[0], KILLED, killer), (SMALL[1], SURVIVED, "test_sums.py")):
        rests_on = mutation.tests_digest(root, killer if status == KILLED else None)
        record.add(mutation.key(root), Outcome(status, detail, 1.0, rests_on))
    killed, survived = SMALL[:2]
    assert campaign.known(killed)
    assert campaign.known(survived)
    more = tests.read_text(encoding="utf-8") + "\n\ndef test_more():\n    pass\n"
    tests.write_text(more, encoding="utf-8")
    assert campaign.known(killed), "the test that killed it is as it was"
    assert campaign.known(survived) is None, "the new test may kill it"
    tests.write_text(more.replace("== 3", ">= 0"), encoding="utf-8")
    assert campaign.known(killed) is None
    tests.write_text(more, encoding="utf-8")
    source.write_text(source.read_text(encoding="utf-8") + "# more\n", encoding="utf-8")
    assert campaign.known(killed) is None


def test_a_cut_off_line_of_the_record_is_passed_over(tmp_path: Path) -> None:
    record = Record(tmp_path / "record")
    record.add("a", Outcome(KILLED, "test", 1.0))
    with (tmp_path / "record").open("a", encoding="utf-8") as file:
        file.write('{"key": "b", "sta')
    record = Record(tmp_path / "record")
    record.add("c", Outcome(SURVIVED, "test", 1.0))
    again = Record(tmp_path / "record")
    assert [again.find(key) for key in "abc"] == [Outcome(KILLED, "test", 1.0), None, Outcome(SURVIVED, "test", 1.0)]


@pytest.mark.parametrize(
    ("killed", "survived", "not_applied", "good"),
    [(95, 5, 0, True), (94, 6, 0, False), (99, 0, 1, False), (1, 0, 0, True)],
)
def test_19_of_20_have_to_be_killed_and_all_applied(killed: int, survived: int, not_applied: int, good: bool) -> None:
    statuses = [KILLED] * killed + [SURVIVED] * survived + [NOT_APPLIED] * not_applied
    assert passed([Outcome(status, "", 1.0) for status in statuses]) == good


def test_the_table_counts_by_area_and_names_what_lives() -> None:
    chosen = [
        Mutation("a", "x.py", "1", "2", "t"),
        Mutation("a", "x.py", "3", "4", "t"),
        Mutation("b", "y.py", "5", "6", "t"),
    ]
    outcomes = [Outcome(KILLED, "t::one", 1.0), Outcome(SURVIVED, "t", 2.0), Outcome(KILLED, "t::one", 4.0)]
    lines = table(chosen, outcomes).splitlines()
    assert lines[2:5] == ["| a | 2 | 1 | 1 | 0 | 3 |", "| b | 1 | 1 | 0 | 0 | 4 |", "| all | 3 | 2 | 1 | 0 | 7 |"]
    assert lines[-1] == "- survived: x.py: '3' to '4' (t)"
