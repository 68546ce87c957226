"""A schedule that names a task which nobody wrote, or hides one entry behind another, is found before anything is served."""

from collections.abc import Sequence
from typing import Any

from celery import current_app
from django.core import checks

from agentiam.jobs.schedule import BadSchedule, declared


def register() -> None:
    """Let ``manage.py check``, ``serve`` and ``worker`` run this."""
    checks.register(check_schedule)


def check_schedule(**_options: Any) -> Sequence[checks.CheckMessage]:
    """Look at every entry of every app."""
    try:
        entries = declared()
    except BadSchedule as error:
        return [checks.Error(str(error), id="jobs.E001")]
    unknown = sorted({entry.task for entry in entries if entry.task not in current_app.tasks})
    if not unknown:
        return []
    return [checks.Error(f"The schedule names tasks that no module `jobs` has: {', '.join(unknown)}.", id="jobs.E002")]
