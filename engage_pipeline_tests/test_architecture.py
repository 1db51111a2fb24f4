"""The house: which module may import which. docs/architecture.md draws it."""

import ast
from collections.abc import Iterator
from functools import cache
from itertools import combinations

import pytest

from engage_pipeline_tests.worlds import REPOSITORY

PACKAGE = REPOSITORY / "engage_pipeline"
LAYERS = (
    ("cli",),
    ("definitions", "commands"),
    ("orchestration", "comparison"),
    ("submission",),
    ("model",),
    ("interactions",),
    ("ingest", "language"),
    ("engines", "store", "tracking"),
    ("catalogue", "machine", "plots", "synthetic"),
    ("files", "metrics", "numerics", "progress"),
    ("schema",),
    ("settings",),
    ("locations",),
    ("errors", "plurals"),
)
"""From the top down: a module imports from its own folder or from a layer below. What comes later in the flow of the
data is higher."""
DAGSTER = ("definitions", "orchestration")
HEAVY = ("torch", "transformers", "accelerate", "lightgbm", "sklearn", "scipy", "pyspark", "sqlglot")
INNER = {
    "model": ("bundle", "trees", "effects", "network"),
    "interactions": ("features", "counters"),
    "store": ("store", "publishing", "versions", "manifests"),
}
"""Within a stage, from the top down: none imports one before it."""
MOST_AT_THE_ROOT = 8
MOST_LINES = 290
MOST_LINES_OF_A_FUNCTION = 45


@cache
def modules() -> dict[str, ast.Module]:
    """The modules of the package by dotted name below it."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").removesuffix(".")
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module or name that is imported, wherever it stands, by full name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def arrows() -> dict[str, set[str]]:
    """For each module those of the package that it imports."""
    found: dict[str, set[str]] = {}
    for name, tree in modules().items():
        wanted = (one.removeprefix("engage_pipeline.") for one in imported(tree) if one.startswith("engage_pipeline."))
        found[name] = {one if one in modules() else one.rpartition(".")[0] for one in wanted} - {name, ""}
    return found


def floor(name: str) -> int:
    """Place in LAYERS, from 0 at the top."""
    (place,) = [place for place, layer in enumerate(LAYERS) if name.partition(".")[0] in layer]
    return place


def test_every_folder_and_module_of_the_root_has_its_layer() -> None:
    listed = [name for layer in LAYERS for name in layer]
    assert sorted(listed) == sorted({name.partition(".")[0] for name in modules()} - {""})


def test_imports_run_downwards() -> None:
    wrong = [
        f"{name} imports {other}"
        for name, others in arrows().items()
        for other in others
        if name and name.partition(".")[0] != other.partition(".")[0] and floor(name) >= floor(other)
    ]
    assert not wrong


def test_no_import_runs_in_a_circle() -> None:
    left = {name: set(others) for name, others in arrows().items()}
    while free := [name for name, others in left.items() if not others & left.keys()]:
        for name in free:
            del left[name]
    assert not left


@pytest.mark.parametrize("stage", INNER)
def test_rooms_of_a_stage_have_an_order(stage: str) -> None:
    wrong = [
        f"{name} imports {other}"
        for above, below in combinations([f"{stage}.{room}" for room in INNER[stage]], 2)
        for name, others in arrows().items()
        for other in others
        if in_room(name, below) and in_room(other, above)
    ]
    assert not wrong


def in_room(name: str, room: str) -> bool:
    return name == room or name.startswith(f"{room}.")


def test_dagster_is_known_in_one_room() -> None:
    knowing = {
        name.partition(".")[0]
        for name, tree in modules().items()
        if any(one.partition(".")[0].startswith("dagster") for one in imported(tree))
    }
    assert knowing == set(DAGSTER)


def test_heavy_libraries_are_imported_inside_functions() -> None:
    """Also by way of other modules: those that need one at the top are imported inside functions themselves."""
    needing = {name for name, tree in modules().items() if needs_heavy(tree)}
    for name in DAGSTER:
        assert not needing & reached_at_the_top(name)
    assert not needing & reached_at_the_top("cli")


def needs_heavy(tree: ast.Module) -> bool:
    return any(one.partition(".")[0] in HEAVY for one in at_the_top(tree))


def at_the_top(tree: ast.Module) -> set[str]:
    """What is imported when the module is, apart from what only type checkers see."""
    return {one for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom) for one in imported(node)}


def reached_at_the_top(room: str) -> set[str]:
    """The modules that are imported with those of a room, by way of any other."""
    reached = {name for name in modules() if in_room(name, room)}
    waiting = list(reached)
    while waiting:
        for one in at_the_top(modules()[waiting.pop()]):
            name = one.removeprefix("engage_pipeline.")
            name = name if name in modules() else name.rpartition(".")[0]
            if one.startswith("engage_pipeline.") and name in modules() and name not in reached:
                reached.add(name)
                waiting.append(name)
    return reached


def test_the_root_is_small() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= MOST_AT_THE_ROOT


def test_files_and_functions_are_short() -> None:
    long = [
        f"{path.relative_to(PACKAGE)}: {lines} lines"
        for path in PACKAGE.rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    ]
    for name, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > MOST_LINES_OF_A_FUNCTION:
                    long.append(f"{name}.{node.name}: {lines} lines")
    assert not long
