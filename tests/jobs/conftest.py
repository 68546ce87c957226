"""A table for marks, jobs to run, and real workers in processes of their own."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from agentiam.jobs.models import Job
from agentiam.jobs.queue import enqueue
from tests.jobs import tasks
from tests.serving import ROOT, free_port


def runners(*, redis: str, engine: str, ci: bool) -> list[str]:
    """Name who runs jobs here: Celery needs a broker; where the suite has none, its cases do not exist.

    A run that is to show the product on real services must not leave them out unnoticed.
    """
    if redis:
        return ["embedded", "celery"]
    if ci and engine.endswith("postgresql"):
        raise pytest.UsageError("PostgreSQL without Redis: Celery's cases would be missing. Set REDIS_URL beside DATABASE_URL.")
    return ["embedded"]


RUNNERS = runners(redis=settings.REDIS_URL, engine=settings.DATABASES["default"]["ENGINE"], ci=bool(os.environ.get("CI")))


@pytest.fixture
def marks(transactional_db: None) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(tasks.CREATE[connection.vendor])
        cursor.execute("DELETE FROM tests_mark")
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE tests_mark")


def add(task: str, **arguments: object) -> Job:
    with transaction.atomic():
        job = enqueue(task, arguments=arguments, organization_id=None, now=timezone.now())
    assert job is not None
    return job


def until(true: Callable[[], object], *, seconds: float = 40, why: Callable[[], str] = str) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, why()
        time.sleep(0.05)


def in_another_connection(work: Callable[[], object]) -> None:
    """Do something beside the transaction that is open here."""

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(run).result(30)


def state(job: Job) -> str:
    return Job.objects.values_list("state", flat=True).get(pk=job.pk)


def database_url() -> str:
    """The database of this test, as the settings read it from the environment."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    login = f"{database['USER']}:{database['PASSWORD']}".rstrip(":")
    return f"postgres://{login}@{database['HOST']}:{database['PORT'] or 5432}/{database['NAME']}"


class Workers:
    """Workers of one installation: one database, one name in the broker."""

    def __init__(self, directory: Path, runner: str) -> None:
        self.runner = runner
        self._log = directory / "workers.log"
        self.environment = {
            **os.environ,
            "DATABASE_URL": database_url(),
            "DJANGO_SETTINGS_MODULE": "agentiam.settings",
            "AGENTIAM_BASE_URL": f"http://127.0.0.1:{free_port()}",
            "AGENTIAM_JOBS": runner,
            "AGENTIAM_LOG_LEVEL": "INFO",
            "PYTHONPATH": str(ROOT),
        }
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, *, lease: float = 2, every: int = 0, grace: float = 30, concurrency: int = 2) -> subprocess.Popen[bytes]:
        """Start a worker; ``every`` is the interval of a schedule in seconds, 0 for none."""
        ways = [str(lease), str(every), str(grace)]
        command = [sys.executable, "-m", "tests.jobs.worker", *ways, "--concurrency", str(concurrency)]
        with self._log.open("ab") as log:
            process = subprocess.Popen(command, env=self.environment, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
        self.running.append(process)
        return process

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """End a worker and the processes that it forked, in the middle of whatever they do."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)
        self.running.remove(process)

    def stop(self, process: subprocess.Popen[bytes]) -> int:
        process.send_signal(signal.SIGTERM)
        status = process.wait(60)
        self.running.remove(process)
        return status

    def log(self) -> str:
        return self._log.read_text(errors="replace")


@pytest.fixture(params=RUNNERS)
def workers(request: pytest.FixtureRequest, tmp_path: Path, marks: None) -> Iterator[Workers]:
    made = Workers(tmp_path, request.param)
    yield made
    for process in list(made.running):
        made.kill(process)
