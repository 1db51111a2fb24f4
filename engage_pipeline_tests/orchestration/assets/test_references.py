"""The places that an asset names are where its work is done, and a package without files has none."""

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import dagster as dg

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.definitions import defs
from engage_pipeline.orchestration.assets.references import PACKAGE, WORK


def references() -> dict[str, list[dg.LocalFileCodeReference]]:
    return {
        spec.key.to_user_string(): spec.metadata["dagster/code_references"].code_references
        for spec in defs.resolve_all_asset_specs()
    }


def asset_functions() -> dict[str, str]:
    """Name and source of every function in the modules of the assets."""
    sources = {}
    for path in (PACKAGE / "orchestration" / "assets").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                sources[node.name] = ast.get_source_segment(text, node) or ""
    return sources


def test_every_asset_leads_to_itself_and_to_its_work() -> None:
    assert WORK.keys() == ARTIFACTS.keys()
    for name, (asset, *work) in references().items():
        lines = Path(asset.file_path).read_text(encoding="utf-8").splitlines()
        assert lines[asset.line_number - 1].startswith("@pipeline_asset")
        assert f"def {name}(" in "\n".join(lines[asset.line_number - 1 : asset.line_number + 4])
        assert len(work) == len(WORK[name])


def test_a_reference_to_code_leads_to_the_line_that_defines_it() -> None:
    for name, (_, *found) in references().items():
        for reference, place in zip(found, WORK[name], strict=True):
            file, _, defined = place.partition(":")
            assert Path(reference.file_path) == PACKAGE / file
            line = (PACKAGE / file).read_text(encoding="utf-8").splitlines()[reference.line_number - 1]
            assert not defined or line.startswith((f"def {defined}(", f"class {defined}(", f"class {defined}:"))
            assert reference.label == (defined or Path(file).name)


def test_an_asset_calls_the_function_that_it_leads_to() -> None:
    functions = asset_functions()
    for name, (first, *_) in WORK.items():
        called = first.partition(":")[2]
        helpers = [helper for helper in functions if helper.startswith("_") and f"{helper}(" in functions[name]]
        assert any(f"{called}(" in functions[one] for one in (name, *helpers)), name


def test_a_package_that_is_no_folder_has_no_references(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "package.zip", "w") as archive:
        for file in (
            "__init__.py",
            "orchestration/__init__.py",
            *(f"orchestration/assets/{name}.py" for name in ("__init__", "references")),
        ):
            archive.write(PACKAGE / file, f"engage_pipeline/{file}")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from engage_pipeline.orchestration.assets import references\n"
        "assert '.zip' in references.__file__\n"
        "print(references.code_references('evaluation', references.code_references))"
    )
    command = [sys.executable, "-I", "-W", "error", "-c", code, str(tmp_path / "package.zip")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "{}", done.stderr
