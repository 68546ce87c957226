"""Run jobs in a process of its own."""

import os
import signal
import threading
from argparse import ArgumentParser
from types import FrameType
from typing import Any, Final

from celery.signals import worker_ready
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from agentiam.celery import app, drop_foreign_tasks
from agentiam.health import pending_migrations
from agentiam.jobs.dispatching import Dispatcher
from agentiam.jobs.embedded import THREADS, Threads
from agentiam.jobs.leases import give_back_all
from agentiam.jobs.relay import Relay

GRACE_SECONDS: Final = 30


class Command(BaseCommand):
    """Run jobs until SIGTERM or SIGINT; it refuses to start with unsafe settings or on an old database."""

    help = (
        "Run jobs until SIGTERM or Ctrl-C: a Celery worker where AGENTIAM_JOBS is celery, else threads. Start several for more."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the number of jobs at once."""
        parser.add_argument("--concurrency", type=int, default=THREADS, help=f"the number of jobs at once ({THREADS})")

    def handle(self, *args: Any, **options: Any) -> None:
        """Check, run, and give back what could not be finished."""
        if options["concurrency"] < 1:
            raise CommandError("--concurrency is at least 1.")
        self.check(include_deployment_checks=settings.PRODUCTION)
        if pending := pending_migrations():
            raise CommandError(f"The database lacks {len(pending)} migrations: run `.venv/bin/python manage.py migrate` first.")
        with_celery = settings.JOBS == "celery"
        self.stdout.write(f"agentiam runs jobs with {'Celery' if with_celery else 'threads'} (process {os.getpid()}).")
        self.stdout.flush()
        run = _run_celery if with_celery else _run_threads
        if code := run(options["concurrency"]):
            raise CommandError("The worker could not go on; the log says why.", returncode=code)


def _run_threads(concurrency: int) -> int:
    stopping = threading.Event()

    def stop(number: int, _frame: FrameType | None) -> None:
        # A second signal ends it at once; the leases then run out.
        signal.signal(number, signal.SIG_DFL)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    dispatcher = Dispatcher(Threads(concurrency))
    dispatcher.start()
    stopping.wait()
    dispatcher.stop(GRACE_SECONDS)
    return 0


def _run_celery(concurrency: int) -> int:
    dispatcher = Dispatcher(Relay())
    app.loader.import_default_modules()
    drop_foreign_tasks()
    worker: Any = app.Worker(
        concurrency=concurrency,
        pool="prefork",
        loglevel=settings.LOGGING["root"]["level"],
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )

    def ready(**_rest: Any) -> None:
        # Celery waits for ever on SIGTERM and for its grace on SIGQUIT; whoever stops a service sends SIGTERM.
        signal.signal(signal.SIGTERM, lambda _number, _frame: os.kill(os.getpid(), signal.SIGQUIT))
        # Only now: a thread does not come along into the processes that are forked before.
        dispatcher.start()

    worker_ready.connect(ready, weak=False)
    try:
        worker.start()
    finally:
        dispatcher.stop(0)
        give_back_all(now=timezone.now())
    return int(worker.exitcode or 0)
