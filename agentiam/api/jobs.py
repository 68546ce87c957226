"""Answers are kept to be repeated for a while, and then deleted: the secrets that some of them hold, encrypted, with them."""

from datetime import datetime
from typing import Final

from django.conf import settings
from django.utils import timezone

from agentiam.api.models import RememberedAnswer
from agentiam.jobs.progress import progress
from agentiam.jobs.schedule import Every
from agentiam.jobs.tasks import job_task
from agentiam.kit.rounds import Heard, unheard

_AT_ONCE: Final = 1_000


def prune_answers(*, now: datetime, heard: Heard = unheard) -> int:
    """Delete the answers that are older than ``settings.RETENTION_ANSWERS``; answers how many."""
    done = 0
    old = RememberedAnswer.objects.filter(created_at__lte=now - settings.RETENTION_ANSWERS)
    while some := list(old.order_by("pk").values_list("pk", flat=True)[:_AT_ONCE]):
        done += old.filter(pk__in=some).delete()[0]
        heard(done)
    return done


@job_task(name="api.prune_answers", outside=True)
def prune() -> None:
    """Delete remembered answers that are too old to be repeated."""
    prune_answers(now=timezone.now(), heard=progress)


SCHEDULE: Final = (Every("api.prune_answers", hours=1),)
