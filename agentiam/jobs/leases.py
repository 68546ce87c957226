"""Whoever runs a job holds its lease, and writes about it only while it does: every write compares the lease and swaps.

The clocks of the machines must agree to within a few seconds. If they do not, a job may be started twice, but its result is
still written by one: the holder's name is compared, not its clock.
"""

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import OperationalError, connection
from django.db.models import F
from django.utils import timezone

from agentiam.jobs.backoff import pause
from agentiam.jobs.models import Job

log = logging.getLogger(__name__)

LEASE: timedelta = timedelta(seconds=60)
"""How long a job is left alone after its runner was last heard of."""
_PROGRESS_SECONDS: Final = 1.0
_LAST_WAIT_MS: Final = 1_000
_LOST_RUNNER: Final = "The runner was lost each time, without a word: killed, or out of memory."

# Celery's children keep the name by which their parent can give their leases back, and add their own number.
PROCESS: Final = f"{socket.gethostname()[:64]}:{os.getpid()}:{secrets.token_hex(4)}"


class LeaseLost(Exception):
    """Somebody else has the job by now, or it was cancelled: whoever ran it must not write about it any more."""


Write = Callable[[Callable[[], int]], int]


@dataclass(slots=True)
class Lease:
    """The right to run one job, from its claim until it is done, has failed, or was lost."""

    job_id: UUID
    holder: str
    arguments: dict[str, Any]
    attempts: int
    most_attempts: int
    elsewhere: Write | None = None
    """Runs a write in a connection of its own, in which it is seen at once; where there is none, writes are done here."""
    _said_at: float = field(default=0.0)

    def _held(self, **values: Any) -> bool:
        """Write about the job if it is still this lease's."""
        rows = Job.objects.filter(pk=self.job_id, state=Job.State.RUNNING, leased_by=self.holder)
        return rows.update(**values) == 1

    def renew(self, **values: Any) -> bool:
        """Hold the job for another while; False if it was lost."""
        return self._held(lease_until=timezone.now() + LEASE, **values)

    def progress(self, done: int, total: int | None, note: str) -> None:
        """Write how far the job is, and renew; raises LeaseLost, and ValueError for what cannot be."""
        if done < 0 or (total is not None and done > total):
            raise ValueError(f"{done} of {total} cannot be done")
        if done != total and time.monotonic() - self._said_at < _PROGRESS_SECONDS:
            return
        self._said_at = time.monotonic()

        def write() -> int:
            return self.renew(progress_done=done, progress_total=total, progress_note=note[:200])

        # SQLite lets nobody else write while this transaction does.
        apart = self.elsewhere is not None and connection.in_atomic_block and connection.vendor != "sqlite"
        if not (self.elsewhere(write) if apart and self.elsewhere is not None else write()):
            raise LeaseLost(f"job {self.job_id} is somebody else's by now, or was cancelled")

    def finish(self) -> None:
        """Mark the job done; raises LeaseLost, which undoes the transaction that this is part of."""
        done = self._held(state=Job.State.DONE, lease_until=None, finished_at=timezone.now(), last_error="")
        if not done:
            raise LeaseLost(f"job {self.job_id} is somebody else's by now, or was cancelled")

    def fail(self, error: str) -> bool:
        """Let the job be tried again later, or give it up after the last time; False if the lease was lost."""
        now = timezone.now()
        if self.attempts >= self.most_attempts:
            return self._held(state=Job.State.DEAD, lease_until=None, finished_at=now, last_error=error)
        return self._held(
            state=Job.State.WAITING,
            lease_until=None,
            handed_over_at=None,
            run_at=now + pause(self.attempts),
            last_error=error,
        )

    def give_back(self) -> bool:
        """Let somebody else run the job at once, as if it had not been tried; False if the lease was lost."""
        return self._held(**_given_back(timezone.now()))


_current: Final[ContextVar[Lease | None]] = ContextVar("lease", default=None)


@contextmanager
def holding(lease: Lease) -> Iterator[None]:
    """Make a lease that of the job at hand."""
    token = _current.set(lease)
    try:
        yield
    finally:
        _current.reset(token)


def current() -> Lease | None:
    """Answer the lease of the job at hand; None outside a job."""
    return _current.get()


def claim(job_id: UUID, *, task: str, now: datetime) -> Lease | None:
    """Take a job that is due, if nobody else has it and it is for that task; one statement decides between all who try.

    A job whose runner was lost as often as it may be tried is given up instead.
    """
    due = Job.objects.due(now).filter(pk=job_id, task=task)
    holder = f"{PROCESS}/{os.getpid()}.{threading.get_ident():x}.{secrets.token_hex(8)}"
    claimed = due.filter(attempts__lt=F("most_attempts")).update(
        state=Job.State.RUNNING,
        leased_by=holder,
        lease_until=now + LEASE,
        attempts=F("attempts") + 1,
        started_at=now,
    )
    if not claimed:
        due.filter(attempts__gte=F("most_attempts")).update(
            state=Job.State.DEAD, lease_until=None, finished_at=now, last_error=_LOST_RUNNER
        )
        return None
    job = Job.objects.only("arguments", "attempts", "most_attempts").get(pk=job_id)
    return Lease(job_id, holder, dict(job.arguments), job.attempts, job.most_attempts)


def give_back_all(*, now: datetime) -> int:
    """Give back what this process and its children still hold, as they end; answers how many jobs.

    On SQLite a job in the middle of its transaction lets nobody write, this neither; its lease then runs out.
    """
    mine = Job.objects.filter(state=Job.State.RUNNING, leased_by__startswith=f"{PROCESS}/")
    try:
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute(f"PRAGMA busy_timeout = {_LAST_WAIT_MS}")
        return mine.update(**_given_back(now))
    except OperationalError:
        log.warning("jobs could not be given back, their leases run out", exc_info=True)
        return 0
    finally:
        connection.close()


def _given_back(now: datetime) -> dict[str, Any]:
    return {
        "state": Job.State.WAITING,
        "lease_until": None,
        "handed_over_at": None,
        "run_at": now,
        "attempts": F("attempts") - 1,
    }
