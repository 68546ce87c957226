import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("agentiam", "approvals", "audit", "directory", "permissions")
CATCH_ALL = {"utils", "util", "helpers", "helper", "common", "base", "misc", "tools", "stuff", "lib", "core", "shared_code"}
MAX_LINES = 400


def modules(*folders: str) -> Iterator[Path]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path


@pytest.mark.parametrize("path", list(modules(*PACKAGES)), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_is_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


def test_no_module_is_named_for_nothing() -> None:
    named = [path for path in modules(*PACKAGES) if {path.stem, *path.relative_to(ROOT).parent.parts} & CATCH_ALL]
    assert named == []


def test_every_module_says_what_it_is_about() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in modules(*PACKAGES)
        if path.stem != "__init__" and not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert silent == []


def test_imports_stand_at_the_top_except_where_an_app_gets_ready() -> None:
    late = []
    for path in modules("approvals", "audit", "directory", "permissions", "agentiam/kit"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for function in ast.walk(tree):
            if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)) and function.name != "ready":
                late += [
                    f"{path.relative_to(ROOT)}:{n.lineno}"
                    for n in ast.walk(function)
                    if isinstance(n, (ast.Import, ast.ImportFrom))
                ]
    assert late == []


def test_nothing_is_left_to_do() -> None:
    pattern = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|# type: ignore(?!\[)")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in modules(*PACKAGES)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []
