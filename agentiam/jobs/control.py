"""A job that is over can be begun anew, and one that is not can be called off; the state is compared and swapped."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from agentiam.jobs.models import Job
from agentiam.jobs.waking import wake
from agentiam.kit.errors import IllegalTransition

_RERUN_FROM: Final = (Job.State.DEAD, Job.State.CANCELLED)
_CANCELLED_FROM: Final = (Job.State.WAITING, Job.State.RUNNING, Job.State.DEAD)


def rerun(job_id: UUID, *, now: datetime) -> Job:
    """Let a dead or cancelled job be tried again from the beginning, at once; raises IllegalTransition."""
    job = _move(
        job_id,
        _RERUN_FROM,
        refusal="Only a job that is dead or cancelled can be run again.",
        state=Job.State.WAITING,
        run_at=now,
        attempts=0,
        handed_over_at=None,
        started_at=None,
        finished_at=None,
        progress_done=0,
        progress_total=None,
        progress_note="",
    )
    transaction.on_commit(wake)
    return job


def cancel(job_id: UUID, *, now: datetime) -> Job:
    """Call a job off; a runner that has it loses its lease, so a transaction that it has open writes nothing.

    What a task outside a transaction has done by then stays done. Raises IllegalTransition.
    """
    return _move(
        job_id,
        _CANCELLED_FROM,
        refusal="The job is over.",
        state=Job.State.CANCELLED,
        lease_until=None,
        finished_at=now,
    )


def _move(job_id: UUID, states: tuple[Job.State, ...], *, refusal: str, **values: Any) -> Job:
    if not Job.objects.filter(pk=job_id, state__in=states).update(**values):
        raise IllegalTransition(refusal)
    return Job.objects.get(pk=job_id)
