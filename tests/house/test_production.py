"""Production in processes of its own, as an operator starts it."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from agentiam.keyfiles import MAKERS

ROOT = Path(__file__).resolve().parents[2]
GOOD = {
    "AGENTIAM_ENVIRONMENT": "production",
    "AGENTIAM_BASE_URL": "https://iam.example.com",
    "AGENTIAM_TRUST_PROXY": "10.0.0.0/8",
    "DATABASE_URL": "postgres://agentiam@db.example.com/agentiam?sslmode=verify-full",
    "AGENTIAM_EMAIL_URL": "smtp+tls://mail.example.com",
    **{name: make() for name, make in MAKERS.items()},
}


def manage(directory: Path, *arguments: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "VIRTUAL_ENV"}}
    chosen = GOOD | {"AGENTIAM_DATA_DIR": str(directory / "data")} | changes
    environment = inherited | {name: value for name, value in chosen.items() if value is not None}
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def without(directory: Path, *packages: str) -> Path:
    """Make a directory for PYTHONPATH with which some packages cannot be found, as where an extra is not installed."""
    program = f"""
        import sys

        class Missing:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] in {packages!r}:
                    raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

        sys.meta_path.insert(0, Missing())
    """
    (directory / "sitecustomize.py").write_text(textwrap.dedent(program))
    return directory


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


# Faults that can be made together: what each of them is called, and the variable that makes it.
FAULTS: tuple[dict[str, tuple[str, str | None]], ...] = (
    {
        "agentiam.E001": ("AGENTIAM_BASE_URL", "http://iam.example.com"),
        "agentiam.E008": ("AGENTIAM_BASE_URL", "http://iam.example.com"),
        "agentiam.E002": ("AGENTIAM_DEBUG", "true"),
        "agentiam.E003": ("AGENTIAM_SECRET_KEY", "abc"),
        "agentiam.E004": ("AGENTIAM_CREDENTIAL_PEPPERS", "1:c2hvcnQ="),
        "agentiam.E009": ("AGENTIAM_TRUST_PROXY", None),
        "agentiam.E012": ("AGENTIAM_METRICS_NETWORKS", "::/0"),
        "agentiam.E013": ("AGENTIAM_METRICS_TOKEN", "short-and-so-weak"),
        "agentiam.E014": ("AGENTIAM_CARD_SIGNING_KEY", "A" * 43 + "="),
        "agentiam.E015": ("AGENTIAM_KEY_ENCRYPTION_KEYS", "1:" + "A" * 43 + "="),
        "audit.E002": ("AGENTIAM_AUDIT_SIGNING_KEY", "A" * 43 + "="),
    },
    {
        "agentiam.E007": ("AGENTIAM_BASE_URL", "https://localhost:8443"),
        "agentiam.E003": ("AGENTIAM_SECRET_KEY", "a" * 80),
        "agentiam.E004": ("AGENTIAM_CREDENTIAL_PEPPERS", "1:" + "A" * 44),
        "agentiam.E010": ("AGENTIAM_TRUST_PROXY", "proxy.example.com"),
        "agentiam.E013": ("AGENTIAM_METRICS_TOKEN", "ab" * 30),
    },
    {"agentiam.E011": ("AGENTIAM_TRUST_PROXY", "10.0.0.1,0.0.0.0/0")},
)


@pytest.mark.parametrize("faults", FAULTS, ids=["many", "others", "proxy"])
@pytest.mark.parametrize("command", ["check", "serve"])
def test_insecure_settings_are_refused_and_all_of_them_named(
    tmp_path: Path, command: str, faults: dict[str, tuple[str, str | None]]
) -> None:
    done = manage(tmp_path, command, *(["--deploy"] if command == "check" else []), **dict(faults.values()))
    assert done.returncode == 1
    for check, (variable, value) in faults.items():
        assert f"({check})" in done.stderr
        if value and "KEY" in variable:
            assert value not in done.stderr
    assert done.stderr.count("HINT") >= len(faults) - 1


def test_one_fault_is_enough(tmp_path: Path) -> None:
    done = manage(tmp_path, "check", "--deploy", AGENTIAM_DEBUG="true")
    assert done.returncode == 1
    assert done.stderr.count("(agentiam.E") == 1


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


def test_mail_that_does_not_leave_the_machine_is_warned_of(tmp_path: Path) -> None:
    done = manage(tmp_path, "check", "--deploy", AGENTIAM_EMAIL_URL=None)
    assert done.returncode == 0
    assert "(agentiam.W003)" in done.stderr
    refused = manage(tmp_path, "check", AGENTIAM_EMAIL_URL="smtp://me:hunter2-hunter2@host:port")
    assert refused.returncode == 1
    assert "AGENTIAM_EMAIL_URL is not a mail URL" in refused.stderr
    assert "hunter2" not in refused.stderr


def test_several_processes_without_redis_are_refused_with_the_remedy(tmp_path: Path) -> None:
    done = manage(tmp_path, "serve", "--workers", "4")
    assert done.returncode == 1
    assert "4 times the tries. Set REDIS_URL, or serve with --workers 1." in done.stderr
    assert "Traceback" not in done.stderr


def test_the_data_directory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    manage(tmp_path, "check")
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_the_embedded_database_is_a_warning(tmp_path: Path) -> None:
    done = manage(tmp_path, "check", DATABASE_URL=None)
    assert done.returncode == 0
    assert "(agentiam.W001)" in done.stderr


# Doubts that one start can have together: what each of them is called, and the variable that makes it.
DOUBTS: tuple[dict[str, tuple[str, str | None]], ...] = (
    {
        "agentiam.W003": ("AGENTIAM_EMAIL_URL", None),
        "agentiam.W006": ("AGENTIAM_LOG_LEVEL", "DEBUG"),
        "agentiam.W007": ("AGENTIAM_REQUIRE_SECOND_FACTOR", "false"),
        "agentiam.W008": ("DATABASE_URL", "postgres://agentiam@db.example.com/agentiam"),
        "agentiam.W009": ("REDIS_URL", "redis://redis.example.com:6379/0"),
        "agentiam.W011": ("AGENTIAM_FETCH_NETWORKS", "10.0.0.0/8,169.254.0.0/24"),
        "Nothing reads: AGENTIAM_BASEURL": ("AGENTIAM_BASEURL", "x"),
    },
    {
        "agentiam.W008": ("DATABASE_URL", "postgres://agentiam@db.example.com/agentiam?sslmode=prefer"),
        "agentiam.W010": ("AGENTIAM_EMAIL_URL", "smtp://mail.example.com"),
        "agentiam.W011": ("AGENTIAM_FETCH_NETWORKS", "::/0"),
    },
)


@pytest.mark.parametrize("doubts", DOUBTS, ids=["many", "others"])
def test_a_doubtful_setting_is_a_warning_and_does_not_keep_it_from_starting(
    tmp_path: Path, doubts: dict[str, tuple[str, str | None]]
) -> None:
    done = manage(tmp_path, "check", **dict(doubts.values()))
    assert done.returncode == 0, done.stderr
    for check in doubts:
        assert check in done.stderr
    assert done.stderr.count("HINT") >= len(doubts)
    assert done.stderr.count("WARNINGS") == 1


def test_an_extra_that_is_asked_for_and_missing_is_a_warning(tmp_path: Path) -> None:
    changes: dict[str, str | None] = {"AGENTIAM_TRACING": "on", "AGENTIAM_METRICS_TOKEN": GOOD["AGENTIAM_SECRET_KEY"]}
    there = manage(tmp_path, "check", **changes).stderr
    done = manage(tmp_path, "check", **changes, PYTHONPATH=str(without(tmp_path, "opentelemetry", "prometheus_client")))
    assert done.returncode == 0, done.stderr
    for check in ("(agentiam.W004)", "(agentiam.W005)"):
        assert check not in there
        assert check in done.stderr


def test_production_keeps_cookies_to_the_host_and_to_https(tmp_path: Path) -> None:
    names = "SESSION_COOKIE_NAME CSRF_COOKIE_NAME SESSION_COOKIE_SECURE CSRF_COOKIE_SECURE SECURE_SSL_REDIRECT ALLOWED_HOSTS"
    program = f"from django.conf import settings; print([getattr(settings, name) for name in {names.split()}])"
    done = manage(tmp_path, "shell", "--no-imports", "-c", program)
    hosts = "['iam.example.com', '127.0.0.1', 'localhost', '[::1]']"
    assert done.stdout.strip() == f"['__Host-agentiam-session', '__Host-agentiam-csrf', True, True, True, {hosts}]", done.stderr
