"""Two questions for those who operate it: does the process live, and can it do its work now?"""

import logging
from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.cache import cache
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from audit import keys
from audit.writer import get_writer

log = logging.getLogger(__name__)
_WRITER_SECONDS: Final = 3.0


class NotReady(Exception):
    """A part cannot do its work; the text may be shown to anybody."""


@login_not_required
@require_safe
def alive(request: HttpRequest) -> HttpResponse:
    """Say that the process lives; asks nothing of the database."""
    return HttpResponse("ok\n", content_type="text/plain")


@login_not_required
@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """Say of each part whether it works; 503 unless all do. The reasons are in the log, not in the answer."""
    parts = {name: _state(name, probe) for name, probe in _probes().items()}
    works = all(part["ok"] for part in parts.values())
    return JsonResponse({"status": "ready" if works else "not ready", "parts": parts}, status=200 if works else 503)


def pending_migrations() -> list[str]:
    """Name the migrations that the database has not had yet."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def _probes() -> dict[str, Callable[[], None]]:
    probes = {"database": _database, "migrations": _migrations, "audit_writer": _audit_writer}
    return probes | {"redis": _redis} if settings.REDIS_URL else probes


def _state(name: str, probe: Callable[[], None]) -> dict[str, Any]:
    try:
        probe()
    except NotReady as problem:
        return {"ok": False, "problem": str(problem)}
    except Exception:
        log.exception("the readiness probe of %s failed", name)
        return {"ok": False, "problem": "it does not answer"}
    return {"ok": True}


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _migrations() -> None:
    if pending := pending_migrations():
        raise NotReady(f"{len(pending)} migrations are not applied")


def _audit_writer() -> None:
    """An empty submission goes the whole way that a decision's record goes: queue, thread, transaction, commit."""
    keys.signer()
    get_writer().submit([], deadline_seconds=_WRITER_SECONDS).result(timeout=_WRITER_SECONDS)


def _redis() -> None:
    cache.get("readiness")
