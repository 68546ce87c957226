"""Whoever runs a job again or calls it off is recorded in the log of the organization that the job belongs to."""

import logging
from collections.abc import Callable
from datetime import datetime

from django.db import transaction

from agentiam.jobs import control
from agentiam.jobs.models import Job
from agentiam.kit.actors import Actor
from agentiam.kit.errors import NotAllowed
from audit import events
from audit.events import EventType
from audit.services import Target, record

log = logging.getLogger(__name__)


class ForeignJob(NotAllowed):
    """The job belongs to another organization, or to none."""


def rerun_job(*, job: Job, by: Actor, reason: str = "", now: datetime) -> Job:
    """Let a dead or cancelled job be tried again from the beginning; raises ForeignJob and IllegalTransition."""
    return _change(job, control.rerun, events.JOB_REQUEUED, by=by, reason=reason, now=now)


def cancel_job(*, job: Job, by: Actor, reason: str = "", now: datetime) -> Job:
    """Call a job off that is not over, or set a dead one aside; raises ForeignJob and IllegalTransition.

    A transaction in which it runs writes nothing; what it has done outside of one stays done.
    """
    return _change(job, control.cancel, events.JOB_CANCELLED, by=by, reason=reason, now=now)


def _change(job: Job, change: Callable[..., Job], event_type: EventType, *, by: Actor, reason: str, now: datetime) -> Job:
    """Change a job and record it. One over all organizations is the operator's, and is said in the log lines alone."""
    is_system = by.kind == "system" and by.organization_id is None
    if not is_system and (job.organization_id is None or job.organization_id != by.organization_id):
        raise ForeignJob("The job does not belong to this organization.")
    with transaction.atomic():
        changed = change(job.pk, now=now)
        if changed.organization_id is None:
            log.warning("%s: job %s (%s), by %s: %s", event_type.name, changed.pk, changed.task, by.label, reason)
        else:
            record(
                event_type,
                organization_id=changed.organization_id,
                by=by,
                target=Target("job", str(changed.pk), changed.task),
                reason=reason,
                data={"task": changed.task},
                at=now,
            )
    return changed
