"""Without a broker, threads of the process run what is due; the leases in the rows let any number of processes do so."""

import logging
import queue
import threading
import time
from datetime import datetime
from typing import Final
from uuid import UUID

from celery import current_app
from django.db import close_old_connections, connection
from django.utils import timezone

from agentiam.jobs import leases, waking
from agentiam.jobs.models import Job
from agentiam.jobs.work import perform

log = logging.getLogger(__name__)
THREADS: Final = 2


class UnknownTask(LookupError):
    """The process has no task of that name: it may be older than the one that added the job."""


class Threads:
    """Runs due jobs in so many threads."""

    def __init__(self, threads: int = THREADS) -> None:
        self._size = threads
        self._queue: queue.SimpleQueue[tuple[UUID, str] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._taken: set[UUID] = set()
        self._stopping = False
        self._threads = [threading.Thread(target=self._run, name=f"jobs {n + 1}", daemon=True) for n in range(threads)]

    def start(self) -> None:
        """Begin to wait for jobs."""
        for thread in self._threads:
            thread.start()

    def hand_over(self, *, now: datetime) -> None:
        """Take as many due jobs as there are threads without one; one query, none when all have."""
        with self._lock:
            taken = set(self._taken)
        room = self._size - len(taken)
        if room <= 0:
            return
        due = Job.objects.due(now).exclude(pk__in=taken).order_by("run_at", "id")
        for job_id, task in due.values_list("pk", "task")[:room]:
            with self._lock:
                self._taken.add(job_id)
            self._queue.put((job_id, task))

    def stop(self, grace_seconds: float) -> None:
        """Let what runs finish within the grace; then give the rest back, whose threads end with the process."""
        self._stopping = True
        for _ in self._threads:
            self._queue.put(None)
        until = time.monotonic() + grace_seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        if any(thread.is_alive() for thread in self._threads):
            log.warning("%d jobs did not finish in time and are given back", leases.give_back_all(now=timezone.now()))

    def _run(self) -> None:
        while (taken := self._queue.get()) is not None:
            job_id, task = taken
            try:
                if not self._stopping:
                    run_here(job_id, task)
                done = True
            except (Exception, SystemExit):
                # The lease runs out, and the job is taken up again; not at once, whatever it was may take a moment to pass.
                done = False
                log.warning("job %s could not be finished", job_id, exc_info=True)
                connection.close()
            close_old_connections()
            with self._lock:
                self._taken.discard(job_id)
            if done:
                waking.wake()


def run_here(job_id: UUID, task: str) -> None:
    """Run a job in this thread, by its Celery task; one whose task this process does not have has failed."""
    known = current_app.tasks.get(task)
    if known is not None:
        known.apply(task_id=str(job_id), throw=True)
        return

    def unknown(**_arguments: object) -> None:
        raise UnknownTask(f"no task is called {task}")

    perform(job_id, task=task, function=unknown, outside=True)
