"""Work enters the queue in the transaction that causes it, so that neither is without the other."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from agentiam.jobs.models import Job
from agentiam.jobs.waking import wake


class OutsideTransaction(RuntimeError):
    """A job was to be added outside the transaction of the change that it belongs to."""


def enqueue(
    task: str,
    *,
    arguments: Mapping[str, Any],
    organization_id: UUID | None,
    now: datetime,
    run_at: datetime | None = None,
    key: str | None = None,
) -> Job | None:
    """Add a job for the Celery task of that name, due at ``run_at`` or at once; it exists if the transaction commits.

    ``arguments`` are the task's keyword arguments: ids, which it gets as text, and never secrets. Of jobs with the same
    ``key`` only the first is added; the answer is None for the others. Raises OutsideTransaction.
    """
    _require_transaction()
    job = Job(
        organization_id=organization_id,
        task=task,
        arguments=_as_kept(arguments),
        key=key,
        run_at=run_at or now,
        created_at=now,
    )
    if job.run_at <= now:
        transaction.on_commit(wake)
    if key is None:
        job.save(force_insert=True)
        return job
    # Whoever comes second inserts nothing, without an error that would end the transaction.
    Job.objects.bulk_create([job], ignore_conflicts=True)
    return job if Job.objects.filter(pk=job.pk).exists() else None


def enqueue_all(
    task: str, *, keyed: Iterable[tuple[str, Mapping[str, Any]]], organization_id: UUID | None, now: datetime
) -> None:
    """Add jobs for one task, each under its key and with its arguments, with one query; as ``enqueue``.

    Those whose keys are there already are passed over in silence. Raises OutsideTransaction.
    """
    _require_transaction()
    jobs = [
        Job(organization_id=organization_id, task=task, arguments=_as_kept(arguments), key=key, run_at=now, created_at=now)
        for key, arguments in keyed
    ]
    Job.objects.bulk_create(jobs, ignore_conflicts=True)
    transaction.on_commit(wake)


def _as_kept(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, UUID) else value for name, value in arguments.items()}


def _require_transaction() -> None:
    if not connection.in_atomic_block:
        raise OutsideTransaction("a job is added in the transaction of the change that it belongs to")
