"""An empty, migrated database, made once: test databases and served copies are copies of it.

The first process that needs it makes it, and the others wait. A file of SQLite stays until a migration changes; a database of
PostgreSQL is there for one run of the suite, whose processes find it by AGENTIAM_TEST_RUN.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import django
import psycopg
from django.apps import apps
from django.conf import settings
from psycopg import sql

ROOT = Path(__file__).resolve().parent.parent
RUN = "AGENTIAM_TEST_RUN"


def on_postgresql() -> bool:
    """Say which database the suite runs on."""
    return "postgresql" in settings.DATABASES["default"]["ENGINE"]


def server() -> str:
    """Give the URL of the PostgreSQL server, without a database."""
    chosen = settings.DATABASES["default"]
    user = f"{chosen['USER']}:{chosen['PASSWORD']}" if chosen["PASSWORD"] else chosen["USER"]
    return f"postgres://{user}@{chosen['HOST']}:{chosen['PORT'] or 5432}"


def execute(statement: str, **names: str) -> None:
    """Run a statement about whole databases; ``names`` are put into it as identifiers."""
    with psycopg.connect(f"{server()}/postgres", autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(**{key: sql.Identifier(name) for key, name in names.items()}))


def copy_to_file(path: Path) -> None:
    """Make a SQLite database of it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(_made() / "agentiam.sqlite3", path)


def copy_to_database(name: str) -> None:
    """Make a PostgreSQL database of it."""
    _made()
    execute("CREATE DATABASE {name} TEMPLATE {template}", name=name, template=_database())
    # No test is about a machine that loses its power: what a killed process of ours committed is there in any case.
    execute("ALTER DATABASE {name} SET synchronous_commit = off", name=name)


def forget() -> None:
    """Remove what was made for this run alone."""
    if on_postgresql() and _directory().exists():
        execute("DROP DATABASE IF EXISTS {name} WITH (FORCE)", name=_database())
        shutil.rmtree(_directory())


def _directory() -> Path:
    if on_postgresql():
        return Path(tempfile.gettempdir()) / f"agentiam-{os.environ[RUN]}"
    return ROOT / ".pytest_cache" / "migrated" / _version()


@cache
def _version() -> str:
    """Digest every migration, and what carries them out."""
    digest = hashlib.sha256(django.__version__.encode())
    for config in apps.get_app_configs():
        for path in sorted(Path(config.path, "migrations").glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _database() -> str:
    return f"migrated_{os.environ[RUN]}"


def _made() -> Path:
    directory = _directory()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    done = directory / "made"
    with _alone(directory / "lock"):
        if not done.exists():
            more: dict[str, str] = {}
            if on_postgresql():
                execute("CREATE DATABASE {name}", name=_database())
                more["DATABASE_URL"] = f"{server()}/{_database()}"
            (directory / "agentiam.sqlite3").unlink(missing_ok=True)
            _migrate({**clean_environment(), "AGENTIAM_DATA_DIR": str(directory), **more})
            done.touch()
    return directory


def clean_environment() -> dict[str, str]:
    """Give this process's environment without what configures the product."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("AGENTIAM_", "DATABASE_", "COV_"))}


def _migrate(environment: Mapping[str, str]) -> None:
    command = [sys.executable, str(ROOT / "manage.py"), "migrate", "--verbosity", "0"]
    done = subprocess.run(command, env=dict(environment), cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"migrate ended with {done.returncode}\n{done.stdout}\n{done.stderr}")


@contextmanager
def _alone(path: Path) -> Iterator[Any]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
