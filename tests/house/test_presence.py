"""A fresh terminal: no data directory is named, nothing was set up, perhaps not even Django; each is said with its remedy."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from agentiam.presence import nothing_here, without_tables

ROOT = Path(__file__).resolve().parents[2]


def run(*command: str, data: Path) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": "/usr/bin:/bin", "AGENTIAM_DATA_DIR": str(data)}
    return subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_the_doctor_makes_nothing_where_nothing_is(tmp_path: Path) -> None:
    data = tmp_path / "data"
    said = run("manage.py", "doctor", data=data)
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr.startswith(f"There is no agentiam in {data}. Run `make run`")
    told = json.loads(run("manage.py", "doctor", "--json", data=data).stdout)
    assert told["ok"] is False
    assert "AGENTIAM_DATA_DIR" in told["findings"][0]["remedy"]
    assert not data.exists()


@pytest.mark.parametrize("command", [("export", "acme"), ("verify_audit",)])
def test_a_command_says_that_there_is_no_database_here(command: tuple[str, ...], tmp_path: Path) -> None:
    said = run("manage.py", *command, data=tmp_path)
    assert said.returncode == 1
    expected = f"There is no agentiam database in {tmp_path}: migrations are missing. Run `make run`"
    assert said.stderr.startswith(expected), said.stderr
    assert "AGENTIAM_DATA_DIR" in said.stderr


def test_a_python_without_django_is_told_which_one_to_take(tmp_path: Path) -> None:
    said = run("-S", "-E", "manage.py", "doctor", data=tmp_path)
    assert said.returncode == 1
    assert said.stderr == "This Python lacks what agentiam needs. Run `make setup`, then: .venv/bin/python manage.py doctor\n"


def test_another_database_is_somewhere_else() -> None:
    assert nothing_here({"DATABASE_URL": "postgres://db/agentiam"}, ROOT) == ""
    lacking = without_tables(Exception('relation "directory_user" does not exist'), name="agentiam")
    assert lacking.startswith("There is no agentiam database called agentiam")
    assert without_tables(Exception("connection refused"), name="agentiam") == ""
