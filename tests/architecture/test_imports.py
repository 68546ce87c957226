import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_imports_go_in_one_direction() -> None:
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_module_of_the_root_is_forbidden_to_the_apps() -> None:
    import tomllib

    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = {contract["id"]: contract for contract in tomllib.load(file)["tool"]["importlinter"]["contracts"]}
    folder = ROOT / "agentiam"
    modules = {f"agentiam.{path.stem}" for path in folder.glob("*.py") if path.stem != "__init__"}
    packages = {f"agentiam.{path.parent.name}" for path in folder.glob("*/__init__.py")} - {"agentiam.kit", "agentiam.jobs"}
    assert modules | packages == set(contracts["root"]["forbidden_modules"])
