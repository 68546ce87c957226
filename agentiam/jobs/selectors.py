"""What status pages show of the queue: how much waits, how long the oldest has, and what was given up."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Min, Q

from agentiam.jobs.models import Job
from agentiam.jobs.querysets import JobQuerySet


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """The queue at one moment; ``oldest_due_at`` is since when the job that has waited longest could have run."""

    waiting: int
    due: int
    running: int
    dead: int
    oldest_due_at: datetime | None
    at: datetime

    @property
    def lag(self) -> timedelta:
        """Answer how long the job that has waited longest has been due."""
        return timedelta(0) if self.oldest_due_at is None else max(timedelta(0), self.at - self.oldest_due_at)


def queue_status(*, now: datetime, jobs: "JobQuerySet[Job] | None" = None) -> QueueStatus:
    """Count the queue, or the part of it that is given (like what is visible to an account); one query."""
    rows = Job.objects.all() if jobs is None else jobs
    due = Q(state="waiting", run_at__lte=now)
    counted = rows.order_by().aggregate(
        waiting=Count("pk", filter=Q(state="waiting")),
        due=Count("pk", filter=due),
        running=Count("pk", filter=Q(state="running")),
        dead=Count("pk", filter=Q(state="dead")),
        oldest_due_at=Min("run_at", filter=due),
    )
    return QueueStatus(**counted, at=now)


def workers(*, now: datetime) -> dict[str, int]:
    """Answer how many jobs each living runner has at the moment, by ``host:process``."""
    held = Job.objects.filter(state="running", lease_until__gt=now).values_list("leased_by", flat=True)
    found: dict[str, int] = {}
    for holder in held:
        name = holder.partition("/")[0].rpartition(":")[0]
        found[name] = found.get(name, 0) + 1
    return found
