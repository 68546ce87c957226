"""The centre is pure: no framework, no clock, no chance, no files."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import permissions.engine

ROOT = Path(permissions.engine.__file__).parent
SOURCES = sorted(ROOT.rglob("*.py"))
FOREIGN = ("django", "rest_framework", "agentiam", "audit", "directory", "permissions.models", "msgspec", "celery", "redis")
IMPURE = {
    "time",
    "random",
    "os",
    "io",
    "socket",
    "logging",
    "subprocess",
    "threading",
    "secrets",
    "uuid.uuid4",
    "asyncio",
    "pathlib",
}


def test_importing_the_engine_loads_no_framework():
    modules = [f"permissions.engine.{path.stem}" for path in sorted(ROOT.glob("*.py")) if path.stem != "__init__"]
    program = f"import sys, {', '.join(modules)}; print(' '.join(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT.parents[1]
    ).stdout.split()
    assert [name for name in loaded if name.split(".")[0] in FOREIGN or name in FOREIGN] == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_source_reads_no_clock_and_throws_no_dice(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert not IMPURE & {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.module not in IMPURE
            assert not IMPURE & {f"{node.module}.{alias.name}" for alias in node.names}
        if isinstance(node, ast.Attribute):
            assert node.attr not in {"utcnow", "today", "uuid4", "monotonic"}
            assert not (node.attr == "now" and isinstance(node.value, ast.Name) and node.value.id in {"datetime", "timezone"})
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"open", "print", "input"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_engine_imports_the_standard_library_and_its_own(path):
    allowed = {*sys.stdlib_module_names, "permissions", "cel_expr_python", "google"}
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            assert name.split(".")[0] in allowed
            assert not name.startswith("permissions") or name.startswith("permissions.engine")
