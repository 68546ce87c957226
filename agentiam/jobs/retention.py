"""A job that is over for long is deleted; a dead one waits for somebody to look at it."""

from datetime import datetime
from typing import Final

from django.conf import settings
from django.db.models.functions import Coalesce

from agentiam.jobs.models import Job
from agentiam.kit.rounds import Heard, unheard

_OVER: Final = (Job.State.DONE, Job.State.CANCELLED)
_AT_ONCE: Final = 1_000


def prune_jobs(*, now: datetime, heard: Heard = unheard) -> int:
    """Delete the jobs that were done or cancelled longer ago than ``settings.RETENTION_JOBS``; answers how many."""
    done = 0
    ended = Job.objects.filter(state__in=_OVER).annotate(over_at=Coalesce("finished_at", "created_at"))
    rows = ended.filter(over_at__lte=now - settings.RETENTION_JOBS)
    while some := list(rows.order_by("pk").values_list("pk", flat=True)[:_AT_ONCE]):
        done += Job.objects.filter(pk__in=some, state__in=_OVER).delete()[0]
        heard(done)
    return done
