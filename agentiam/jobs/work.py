"""A job is run in one way, whoever runs it: claim, do, and mark done together with what was written, or say what failed."""

import logging
import re
import signal
from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone
from structlog.contextvars import bound_contextvars

from agentiam.jobs.keeping import Keeper
from agentiam.jobs.leases import Lease, LeaseLost, claim, holding
from agentiam.kit.redaction import HIDDEN, SECRET_NAMES, without_secrets

log = logging.getLogger(__name__)
_ERROR_LENGTH: Final = 2000
# With what the children of Celery's pool end when a signal tells them to, which is no fault of the task.
_TOLD_TO_END: Final = frozenset(number - 256 for number in (signal.SIGINT, signal.SIGTERM))
_READ_LENGTH: Final = 10_000
_NAMES: Final = SECRET_NAMES.pattern.removeprefix("(?i)")
_NAMED_VALUE: Final = re.compile(rf"(?i)(?P<name>(?:{_NAMES})\w{{0,40}}['\"]?\s{{0,9}}[:=]\s{{0,9}})\S+")


def perform(job_id: UUID, *, task: str, function: Callable[..., Any], outside: bool) -> bool:
    """Run a job if it is due, for that task, and nobody has it; True if it was done here.

    A function that is not ``outside`` runs in one transaction with the mark that the job is done. It never raises what the
    function raised: that is written into the job, which is tried again later or given up.
    """
    lease = claim(job_id, task=task, now=timezone.now())
    if lease is None:
        return False
    # A transaction on SQLite holds the only right to write, so nobody can take the job from it, nor renew it beside it.
    beats = outside or connection.vendor != "sqlite"
    # Every line that is logged meanwhile says which job it belongs to, as those of a request say which request.
    with bound_contextvars(job_id=str(job_id), task=task), holding(lease), Keeper(lease, beats=beats):
        return _do(lease, function, task=task, outside=outside)


def _do(lease: Lease, function: Callable[..., Any], *, task: str, outside: bool) -> bool:
    try:
        if outside:
            function(**lease.arguments)
            lease.finish()
        else:
            with transaction.atomic(durable=True):
                function(**lease.arguments)
                lease.finish()
    except LeaseLost:
        log.warning("job %s (%s) was lost while it ran; nothing of it was written here", lease.job_id, task)
        return False
    except Exception as error:
        log.warning("job %s (%s) failed, attempt %d", lease.job_id, task, lease.attempts, exc_info=True)
        lease.fail(error_text(error))
        return False
    except SystemExit as error:
        if error.code in _TOLD_TO_END:
            lease.give_back()
            raise
        # It counts as an attempt, or a task that ends its process would do so for ever.
        lease.fail(error_text(error))
        raise
    except BaseException:
        lease.give_back()
        raise
    return True


def error_text(error: BaseException) -> str:
    """Say what went wrong, for whoever looks at the job: the class and its message, without what looks like a secret."""
    text = _NAMED_VALUE.sub(rf"\g<name>{HIDDEN}", without_secrets(str(error)[:_READ_LENGTH]))
    # PostgreSQL cannot store the character NUL.
    return f"{type(error).__name__}: {text}".replace("\x00", "")[:_ERROR_LENGTH]
