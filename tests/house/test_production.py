"""Production in processes of its own, as an operator starts it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentiam.keyfiles import MAKERS

ROOT = Path(__file__).resolve().parents[2]
GOOD = {
    "AGENTIAM_ENVIRONMENT": "production",
    "AGENTIAM_BASE_URL": "https://iam.example.com",
    "AGENTIAM_TRUST_PROXY": "10.0.0.0/8",
    "DATABASE_URL": "postgres://agentiam@db.example.com/agentiam",
    **{name: make() for name, make in MAKERS.items()},
}


def manage(directory: Path, *arguments: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "VIRTUAL_ENV"}}
    chosen = GOOD | {"AGENTIAM_DATA_DIR": str(directory / "data")} | changes
    environment = inherited | {name: value for name, value in chosen.items() if value is not None}
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_good_settings_pass_every_check_even_those_for_deployment(tmp_path: Path) -> None:
    done = manage(tmp_path, "check", "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr


def test_production_makes_no_key_and_names_those_that_are_missing(tmp_path: Path) -> None:
    done = manage(tmp_path, "check", AGENTIAM_SECRET_KEY=None, AGENTIAM_AUDIT_SIGNING_KEY=None)
    assert done.returncode == 1
    assert "agentiam does not start" in done.stderr
    assert "AGENTIAM_SECRET_KEY, AGENTIAM_AUDIT_SIGNING_KEY are not set" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data" / "keys").exists()


@pytest.mark.parametrize(
    ("check", "changes"),
    [
        ("agentiam.E001", {"AGENTIAM_BASE_URL": "http://iam.example.com"}),
        ("agentiam.E002", {"AGENTIAM_DEBUG": "true"}),
        ("agentiam.E003", {"AGENTIAM_SECRET_KEY": "abc"}),
        ("agentiam.E003", {"AGENTIAM_SECRET_KEY": "a" * 80}),
        ("agentiam.E004", {"AGENTIAM_CREDENTIAL_PEPPERS": "1:c2hvcnQ="}),
        ("agentiam.E004", {"AGENTIAM_CREDENTIAL_PEPPERS": "1:" + "A" * 44}),
        ("agentiam.E007", {"AGENTIAM_BASE_URL": "https://localhost:8443"}),
        ("agentiam.E008", {"AGENTIAM_BASE_URL": "http://iam.example.com"}),
        ("agentiam.E009", {"AGENTIAM_TRUST_PROXY": None}),
        ("agentiam.E010", {"AGENTIAM_TRUST_PROXY": "proxy.example.com"}),
        ("audit.E002", {"AGENTIAM_AUDIT_SIGNING_KEY": "A" * 43 + "="}),
    ],
)
@pytest.mark.parametrize("command", ["check", "serve"])
def test_an_insecure_setting_is_refused_and_named(
    tmp_path: Path, command: str, check: str, changes: dict[str, str | None]
) -> None:
    done = manage(tmp_path, command, *(["--deploy"] if command == "check" else []), **changes)
    assert done.returncode == 1
    assert f"({check})" in done.stderr
    assert "HINT" in done.stderr or check.startswith("audit")
    for value in changes.values():
        if value and "key" in "".join(changes).lower():
            assert value not in done.stderr


def test_a_key_file_that_everybody_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(GOOD["AGENTIAM_SECRET_KEY"])
    path.chmod(0o644)
    changes: dict[str, str | None] = {"AGENTIAM_SECRET_KEY": None, "AGENTIAM_SECRET_KEY_FILE": str(path)}
    assert "(agentiam.E005)" in manage(tmp_path, "check", **changes).stderr
    path.chmod(0o440)
    assert manage(tmp_path, "check", **changes).returncode == 0


def test_a_data_directory_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(0o755)
    assert "(agentiam.E006)" in manage(tmp_path, "check").stderr


def test_the_data_directory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    manage(tmp_path, "check")
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_the_embedded_database_is_a_warning(tmp_path: Path) -> None:
    done = manage(tmp_path, "check", DATABASE_URL=None)
    assert done.returncode == 0
    assert "(agentiam.W001)" in done.stderr


def test_a_variable_that_nobody_reads_is_a_warning(tmp_path: Path) -> None:
    assert "Nothing reads: AGENTIAM_BASEURL" in manage(tmp_path, "check", AGENTIAM_BASEURL="x").stderr


def test_production_keeps_cookies_to_the_host_and_to_https(tmp_path: Path) -> None:
    names = "SESSION_COOKIE_NAME CSRF_COOKIE_NAME SESSION_COOKIE_SECURE CSRF_COOKIE_SECURE SECURE_SSL_REDIRECT ALLOWED_HOSTS"
    program = f"from django.conf import settings; print([getattr(settings, name) for name in {names.split()}])"
    done = manage(tmp_path, "shell", "--no-imports", "-c", program)
    hosts = "['iam.example.com', '127.0.0.1', 'localhost', '[::1]']"
    assert done.stdout.strip() == f"['__Host-agentiam-session', '__Host-agentiam-csrf', True, True, True, {hosts}]", done.stderr
