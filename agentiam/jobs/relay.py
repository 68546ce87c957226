"""With a broker, due jobs are handed to Celery by id; a message is only a hint, and may get lost or come twice.

Several relays are harmless: a row is marked before it is handed over, and whoever gets a message claims the row first. What is
on its way is limited, so that a broker without workers does not fill up.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from celery import current_app
from django.db import transaction
from django.db.models import F, Q

from agentiam.jobs.embedded import run_here
from agentiam.jobs.models import Job

log = logging.getLogger(__name__)
AGAIN_AFTER: Final = timedelta(minutes=5)
"""A job that was handed over and that nobody began in this time is handed over again."""
MOST_ON_THE_WAY: Final = 1_000
_UNATTENDED: Final = timedelta(minutes=10)


class Relay:
    """Hands due jobs to Celery."""

    def __init__(self) -> None:
        self._complained_at: datetime | None = None

    def start(self) -> None:
        """Need nothing."""

    def hand_over(self, *, now: datetime) -> None:
        """Send the ids of what is due and not on its way; raises what the broker's client raises, and unmarks the unsent."""
        marked = self._mark(now)
        sent = 0
        try:
            for job_id, task in marked:
                known = current_app.tasks.get(task)
                if known is None:
                    run_here(job_id, task)
                else:
                    known.apply_async(task_id=str(job_id), retry=False)
                sent += 1
        finally:
            unsent = [job_id for job_id, _ in marked[sent:]]
            if unsent:
                Job.objects.filter(pk__in=unsent, handed_over_at=now).update(handed_over_at=None)
        self._complain(now)

    def stop(self, grace_seconds: float) -> None:
        """Leave everything as it is: what is on its way is in the broker, and in the rows."""

    def _mark(self, now: datetime) -> Sequence[tuple[UUID, str]]:
        """Mark what is to be handed over; of several relays one marks a row."""
        never_or_long_ago = Q(handed_over_at__isnull=True) | Q(handed_over_at__lte=now - AGAIN_AFTER)
        lost_since = Q(state="running", handed_over_at__lte=F("lease_until"))
        due = Job.objects.due(now).filter(never_or_long_ago | lost_since)
        if not due.exists():
            return []
        room = MOST_ON_THE_WAY - Job.objects.filter(state="waiting", handed_over_at__gt=now - AGAIN_AFTER).count()
        if room <= 0:
            return []
        with transaction.atomic():
            locked = due.select_for_update(skip_locked=True)  # nothing on SQLite, where the transaction has the only write lock
            marked = list(locked.order_by("run_at", "id").values_list("pk", "task")[:room])
            Job.objects.filter(pk__in=[job_id for job_id, _ in marked]).update(handed_over_at=now)
        return marked

    def _complain(self, now: datetime) -> None:
        """Say in the log, now and then, that jobs wait and no worker takes them."""
        if self._complained_at is not None and now - self._complained_at < _UNATTENDED:
            return
        self._complained_at = now
        waiting = Job.objects.filter(state="waiting", run_at__lte=now - _UNATTENDED).count()
        if waiting:
            log.warning(
                "%d jobs have waited for over ten minutes: does a worker run (.venv/bin/python manage.py worker)?", waiting
            )
