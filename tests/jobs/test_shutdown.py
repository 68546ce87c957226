"""A worker that is told to stop finishes what it can, and gives the rest back."""

from pathlib import Path

import pytest
from django.db import connection

from agentiam.jobs.models import Job
from tests.jobs.conftest import Workers, add, state, until
from tests.jobs.tasks import marks as read_marks


def test_what_runs_is_finished(workers: Workers, tmp_path: Path) -> None:
    flag = tmp_path / "in the middle"
    job = add("tests.mark", name="running", flag=str(flag), seconds=2)
    process = workers.start(lease=30, concurrency=1)
    until(flag.exists, why=workers.log)
    later = add("tests.mark", name="later")
    assert workers.stop(process) == 0, workers.log()
    assert (state(job), state(later)) == (Job.State.DONE, Job.State.WAITING)
    assert read_marks() == ["running"]
    workers.start(lease=30)
    until(lambda: state(later) == Job.State.DONE, why=workers.log)


@pytest.mark.parametrize("task", ["tests.mark", "tests.tell"])
def test_what_does_not_finish_in_time_is_given_back(workers: Workers, tmp_path: Path, task: str) -> None:
    flag = tmp_path / "in the middle"
    job = add(task, name="too long", flag=str(flag), seconds=50)
    process = workers.start(lease=8, grace=1, concurrency=1)
    until(flag.exists, why=workers.log)
    assert workers.stop(process) == 0, workers.log()
    job.refresh_from_db()
    # The transaction of a thread keeps everybody else from writing on SQLite, to the very end of the process.
    kept = connection.vendor == "sqlite" and workers.runner == "embedded" and task == "tests.mark"
    assert (job.state, job.attempts) == ((Job.State.RUNNING, 1) if kept else (Job.State.WAITING, 0)), workers.log()
    assert read_marks() == (["too long"] if task == "tests.tell" else [])
    workers.start(lease=30)
    until(lambda: state(job) == Job.State.DONE, why=workers.log)
    assert read_marks() == ["too long"]
    assert Job.objects.get().attempts == (2 if kept else 1)
