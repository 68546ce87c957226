"""A worker that is killed in the middle of a job loses nothing, and nothing is done twice."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentiam.jobs.models import Job
from tests.jobs.conftest import Workers, add, state, until
from tests.jobs.tasks import marks as read_marks
from tests.jobs.tasks import processes
from tests.serving import Served, served

TABLE = """
from django.db import connection
from tests.jobs import tasks
with connection.cursor() as cursor:
    cursor.execute(tasks.CREATE[connection.vendor])
"""
ADD = """
from django.db import transaction
from agentiam.jobs.queue import enqueue
first = {{"name": "first", "flag": {flag!r}}}
with transaction.atomic():
    for arguments in [first, *({{"name": f"after {{number}}"}} for number in range(5))]:
        enqueue({task!r}, arguments=arguments, organization_id=None, now=now)
"""
LOOK = """
from agentiam.jobs.models import Job
from tests.jobs import tasks
jobs = list(Job.objects.order_by("pk").values("arguments", "state", "attempts"))
result = {"jobs": {job["arguments"]["name"]: [job["state"], job["attempts"]] for job in jobs}, "marks": sorted(tasks.marks())}
"""


@pytest.mark.parametrize("task", ["tests.mark", "tests.tell"])
def test_a_job_in_the_middle_of_which_its_worker_was_killed_is_done_once(workers: Workers, tmp_path: Path, task: str) -> None:
    flag = tmp_path / "in the middle"
    job = add(task, name="first", flag=str(flag))
    after = [add(task, name=f"after {number}") for number in range(5)]
    killed = workers.start(concurrency=1)
    until(flag.exists, why=workers.log)
    assert state(job) == Job.State.RUNNING
    workers.kill(killed)
    assert read_marks() == (["first"] if task == "tests.tell" else [])
    workers.start()
    until(lambda: not Job.objects.unfinished().exists(), why=workers.log)
    assert sorted(read_marks()) == ["after 0", "after 1", "after 2", "after 3", "after 4", "first"]
    assert {state(each) for each in (job, *after)} == {Job.State.DONE}
    assert Job.objects.get(pk=job.pk).attempts == 2


def test_a_job_whose_very_process_was_killed_is_done_once(workers: Workers, tmp_path: Path) -> None:
    flag = tmp_path / "in the middle"
    job = add("tests.mark", name="only", flag=str(flag))
    workers.start()
    until(lambda: flag.exists() and flag.read_text(), why=workers.log)
    os.kill(int(flag.read_text()), signal.SIGKILL)
    if workers.runner == "embedded":
        workers.running[0].wait(30)
        workers.start()
    until(lambda: state(job) == Job.State.DONE, why=workers.log)
    assert read_marks() == ["only"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    """Serve a copy that does its jobs itself, in threads beside its requests: what `make run` starts."""
    with served(tmp_path, jobs="embedded", serve=False) as copy:
        copy.program = ("-m", "tests.jobs.server", "2")
        copy.run(TABLE)
        copy.start()
        yield copy


@pytest.mark.parametrize("task", ["tests.mark", "tests.tell"])
def test_a_job_in_the_middle_of_which_its_server_was_killed_is_done_once(server: Served, tmp_path: Path, task: str) -> None:
    flag = tmp_path / "in the middle"
    server.run(ADD.format(task=task, flag=str(flag)))
    until(flag.exists, why=server.log)
    assert server.process is not None
    assert flag.read_text() == str(server.process.pid)
    assert server.run(LOOK)["jobs"]["first"] == ["running", 1]
    server.stop(signal.SIGKILL)
    assert ("first" in server.run(LOOK)["marks"]) is (task == "tests.tell")
    server.start()
    until(lambda: {state for state, _ in server.run(LOOK)["jobs"].values()} == {"done"}, why=server.log)
    found = server.run(LOOK)
    assert found["marks"] == ["after 0", "after 1", "after 2", "after 3", "after 4", "first"]
    assert found["jobs"]["first"] == ["done", 2]


def test_several_workers_do_each_of_many_jobs_once(workers: Workers) -> None:
    jobs = [add("tests.mark", name=f"job {number:03}") for number in range(200)]
    for _ in range(3):
        workers.start(lease=30)
    until(lambda: not Job.objects.unfinished().exists(), seconds=120, why=workers.log)
    assert sorted(read_marks()) == [f"job {number:03}" for number in range(200)]
    assert set(Job.objects.values_list("state", "attempts")) == {(Job.State.DONE, 1)}
    assert len(jobs) == 200
    assert len(processes()) > 1
