"""A task is a function over ids; what is written by it and that it is done enter the database together, or not at all.

Apps declare theirs in their module ``jobs``, which is found by its name::

    @job_task(name="directory.end_expired")
    def end_expired() -> None:
        ...

    @job_task(name="directory.send_notice", outside=True)
    def send_notice(*, notice_id: str) -> None:
        ...

The function takes keyword arguments, as JSON keeps them (ids are text), and answers nothing. By default it runs in one
transaction in which the job is marked done under its lease: whoever lost the lease writes nothing, so what it writes is
written once, whatever is killed. With ``outside=True`` it runs in no transaction: for work that talks to something else, or
that is many transactions; it may be started again after a failure, so it must be safe to repeat. On SQLite a transaction keeps
everybody else from writing, so whatever takes seconds is ``outside`` and commits in steps.

A task fails by raising, and is then tried again, later each time. Called directly it is the plain function.
``agentiam.jobs.progress.progress`` says how far it is.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from celery import Task, shared_task

from agentiam.jobs.work import perform


class JobTask(Task):  # type: ignore[type-arg]  # generic in the stubs alone
    """A Celery task whose message is only the id of a job: what is to be done stands in the row."""

    abstract = True
    # The message has no arguments, so they are not compared with the function's.
    typing = False
    outside = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Perform the job whose id the message has, or, called directly, the function."""
        if self.request.called_directly:
            return super().__call__(*args, **kwargs)
        perform(UUID(self.request.id), task=self.name, function=self.run, outside=self.outside)
        return None


def job_task(*, name: str, outside: bool = False) -> Callable[[Callable[..., None]], JobTask]:
    """Make a function the task of that name, like ``directory.end_expired``; see the module for what it may rely on."""

    def declare(function: Callable[..., None]) -> JobTask:
        task: JobTask = shared_task(name=name, base=JobTask, outside=outside)(function)
        return task

    return declare
