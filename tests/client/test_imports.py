import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_client_loads_no_framework_and_nothing_else_of_the_product() -> None:
    program = (
        "import sys, agentiam.client, agentiam.client.asgi; "
        "print(*sorted(name for name in sys.modules if name.startswith('agentiam.')), '|', "
        "*sorted({name.partition('.')[0] for name in sys.modules} & {'django', 'asgiref', 'redis', 'permissions', 'uvicorn'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded, _, foreign = done.stdout.partition("|")
    assert all(name == "agentiam.client" or name.startswith("agentiam.client.") for name in loaded.split())
    assert foreign.split() == []


def test_every_other_module_of_the_root_is_forbidden_to_the_client() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = {contract["id"]: contract for contract in tomllib.load(file)["tool"]["importlinter"]["contracts"]}
    root = ROOT / "agentiam"
    there = {f"agentiam.{path.stem}" for path in root.glob("*.py") if path.stem != "__init__"}
    there |= {f"agentiam.{path.parent.name}" for path in root.glob("*/__init__.py")}
    assert there - {"agentiam.client"} <= set(contracts["client"]["forbidden_modules"])
