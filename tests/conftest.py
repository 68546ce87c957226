"""What every test may rely on."""

import contextlib
import gc
import os
import re
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.core.cache import caches
from django.core.cache.backends.redis import RedisCache
from django.db import connections
from django.db.backends.base.operations import BaseDatabaseOperations
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.test.utils import setup_databases, teardown_databases
from servestatic.middleware import ServeStaticMiddleware

from agentiam.kit import ids, limits
from tests import migrated
from tests.unguarded import unguarded


def pytest_configure(config: pytest.Config) -> None:
    """Name the run, for all of its processes."""
    os.environ.setdefault(migrated.RUN, uuid.uuid4().hex[:12])


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Begin half as many processes again as there are cores: a third of the time tests wait for servers and browsers."""
    return max(2, (os.cpu_count() or 1) * 3 // 2)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let the garbage collector not look again and again through thousands of tests that stay."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what all processes shared, in the one that began the run."""
    if not hasattr(config, "workerinput"):
        migrated.forget()


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None, django_db_blocker: Any, django_db_modify_db_settings: None
) -> Iterator[None]:
    """Make this process's test database a copy of the migrated one, since to migrate takes long."""
    creation = connections["default"].creation
    name = creation._get_test_db_name()
    with django_db_blocker.unblock():
        if migrated.on_postgresql():
            migrated.execute("DROP DATABASE IF EXISTS {name} WITH (FORCE)", name=name)
            migrated.copy_to_database(name)
        else:
            for suffix in ("-wal", "-shm"):
                Path(f"{name}{suffix}").unlink(missing_ok=True)
            migrated.copy_to_file(Path(name))
        made = setup_databases(verbosity=0, interactive=False, keepdb=True)
    yield
    with django_db_blocker.unblock():
        if migrated.on_postgresql():
            # Without asking who is still there: a process that a test killed may not have been missed yet.
            connections.close_all()
            migrated.execute("DROP DATABASE IF EXISTS {name} WITH (FORCE)", name=name)
        else:
            teardown_databases(made, verbosity=0)


@pytest.fixture(autouse=True, scope="session")
def _counters_of_its_own() -> Iterator[None]:
    """Let each process of a run count for itself where they share a Redis, and clear no more than its own."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")

    def clear(cache: Any) -> bool:
        client = cache._cache.get_client(None, write=True)
        for prefix in (cache.key_prefix, limits.KEY_PREFIX):
            for key in client.scan_iter(match=f"{prefix}:*"):
                client.delete(key)
        return True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "KEY_PREFIX", f"agentiam:limits:{worker}")
        patch.setattr(RedisCache, "clear", clear)
        patch.setitem(settings.CACHES["default"], "KEY_PREFIX", f"agentiam:{worker}")
        caches.close_all()
        with contextlib.suppress(AttributeError):  # nobody has used it in this thread yet
            del caches["default"]
        yield


@pytest.fixture(autouse=True)
def _ids_come_back_from_the_future() -> Iterator[None]:
    """Let no test that travelled in time leave the next ones with ids of a time that has not come."""
    yield
    if ids._last_ms > time.time_ns() // 1_000_000 + 1_000:
        ids._last_ms = 0


def _empty(cursor: Any, tables: list[str]) -> None:
    """Empty the tables that have rows: TRUNCATE takes a second for all of them, and a test fills a few."""
    some = " UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM \"{table}\")" for table in tables)
    cursor.execute(some)
    for (table,) in cursor.fetchall():
        cursor.execute(f'DELETE FROM "{table}"')


@pytest.fixture(autouse=True, scope="session")
def _flush_append_only_tables() -> Iterator[None]:
    """Let transactional tests empty the tables that refuse to be emptied."""

    def execute_sql_flush(operations: BaseDatabaseOperations, sql_list: list[str]) -> None:
        connection = connections[operations.connection.alias]
        with unguarded(connection) as cursor:
            for statement in sql_list:
                if connection.vendor == "postgresql" and statement.startswith("TRUNCATE"):
                    _empty(cursor, re.findall(r'"([^"]+)"', statement))
                else:
                    cursor.execute(statement)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseDatabaseOperations, "execute_sql_flush", execute_sql_flush)
        yield


@pytest.fixture(autouse=True, scope="session")
def _quick_passwords() -> Iterator[None]:
    """Let Argon2, which is slow on purpose, do as little as it can."""
    with pytest.MonkeyPatch.context() as patch:
        for name, least in (("time_cost", 1), ("memory_cost", 8), ("parallelism", 1)):
            patch.setattr(Argon2PasswordHasher, name, least)
        yield


class StaticWhenAsked:
    """The middleware of static files for test clients, which speak WSGI.

    It is asynchronous only: around it each of the others would change threads twice for every request of a client.
    """

    sync_capable, async_capable = True, False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self._static = async_to_sync(ServeStaticMiddleware(sync_to_async(get_response)))

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        asked = request.path_info.startswith(settings.STATIC_URL)
        return self._static(request) if asked else self.get_response(request)


@pytest.fixture(autouse=True, scope="session")
def _static_files_when_asked() -> Iterator[None]:
    """Let test clients share one list of static files, and pass by their middleware otherwise."""
    found: dict[str, Any] = {}
    look = ServeStaticMiddleware.add_files_from_finders

    def add_files_from_finders(middleware: ServeStaticMiddleware) -> None:
        if not found:
            look(middleware)
            found.update(middleware.files)
        middleware.files = found

    whole, own = "servestatic.middleware.ServeStaticMiddleware", f"{__name__}.{StaticWhenAsked.__name__}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ServeStaticMiddleware, "add_files_from_finders", add_files_from_finders)
        patch.setattr(settings, "MIDDLEWARE", [own if each == whole else each for each in settings.MIDDLEWARE])
        yield
