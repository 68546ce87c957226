"""What one attempt at a job writes, and what it does not."""

import signal
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from agentiam.jobs import leases
from agentiam.jobs.control import cancel
from agentiam.jobs.embedded import run_here
from agentiam.jobs.leases import LeaseLost, claim
from agentiam.jobs.models import Job
from agentiam.jobs.progress import progress
from agentiam.jobs.work import error_text, perform
from agentiam.kit.tokens import make_token
from tests.jobs import tasks
from tests.jobs.conftest import add, in_another_connection
from tests.jobs.tasks import leave_mark, mark
from tests.jobs.tasks import marks as read_marks

pytestmark = pytest.mark.usefixtures("marks")


def run(job: Job) -> Job:
    run_here(job.pk, job.task)
    return Job.objects.get(pk=job.pk)


def lose(job: Job) -> None:
    """Let somebody else take the job, as if this runner had not been heard of for long."""
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert claim(job.pk, task=job.task, now=timezone.now()) is not None


def attempt(job: Job, function: Callable[..., Any], *, outside: bool = False) -> bool:
    return perform(job.pk, task=job.task, function=function, outside=outside)


def test_a_job_is_done_with_its_effect() -> None:
    job = run(add("tests.mark", name="one"))
    assert read_marks() == ["one"]
    assert (job.state, job.attempts, job.lease_until, job.last_error) == (Job.State.DONE, 1, None, "")
    assert job.started_at is not None
    assert job.finished_at is not None
    assert job.started_at <= job.finished_at


@pytest.mark.parametrize("task", ["tests.mark", "tests.tell"])
def test_a_job_that_is_done_is_not_done_again(task: str) -> None:
    job = run(add(task, name="one"))
    for _ in range(3):
        run(job)
    assert read_marks() == ["one"]
    assert Job.objects.get().attempts == 1


def test_a_job_that_somebody_has_is_left_alone() -> None:
    job = add("tests.mark", name="one")
    assert claim(job.pk, task=job.task, now=timezone.now()) is not None
    assert claim(job.pk, task=job.task, now=timezone.now()) is None
    assert run(job).state == Job.State.RUNNING
    assert read_marks() == []


def test_a_job_is_taken_up_when_its_lease_is_over() -> None:
    job = add("tests.mark", name="one")
    long_ago = timezone.now() - timedelta(days=1)
    Job.objects.update(run_at=long_ago)
    assert claim(job.pk, task=job.task, now=long_ago) is not None
    assert claim(job.pk, task=job.task, now=long_ago + leases.LEASE / 2) is None
    job = run(job)
    assert (job.state, job.attempts) == (Job.State.DONE, 2)
    assert read_marks() == ["one"]


def test_whoever_lost_the_lease_writes_nothing() -> None:
    job = add("tests.mark", name="one")

    def overtaken(name: str) -> None:
        leave_mark(name)
        if connection.vendor == "sqlite":
            # Nobody else can write meanwhile, so the row is changed from within.
            Job.objects.filter(pk=job.pk).update(leased_by="somebody else")
        else:
            in_another_connection(lambda: lose(job))

    assert not attempt(job, overtaken)
    assert read_marks() == []
    after = Job.objects.get()
    assert (after.state, after.last_error, after.finished_at) == (Job.State.RUNNING, "", None)


def test_whoever_lost_the_lease_outside_a_transaction_writes_no_result() -> None:
    job = add("tests.tell", name="one")
    assert not attempt(job, lambda name: lose(job), outside=True)
    after = Job.objects.get()
    assert (after.state, after.attempts, after.finished_at) == (Job.State.RUNNING, 2, None)

    def failing(name: str) -> None:
        lose(job)
        raise RuntimeError("too late")

    Job.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert not attempt(job, failing, outside=True)
    assert Job.objects.get().last_error == ""


def test_a_failure_undoes_the_work_and_is_tried_again_later() -> None:
    before = timezone.now()
    job = run(add("tests.fail", name="one", message="the disk is full"))
    assert read_marks() == []
    assert (job.state, job.attempts, job.last_error) == (Job.State.WAITING, 1, "RuntimeError: the disk is full")
    assert before <= job.run_at <= timezone.now() + timedelta(seconds=5)
    assert (job.lease_until, job.finished_at) == (None, None)


def test_a_job_is_given_up_after_the_last_attempt() -> None:
    job = add("tests.fail", name="one", message="no")
    for number in range(1, job.most_attempts + 1):
        assert Job.objects.get().attempts == number - 1
        Job.objects.update(run_at=timezone.now() - timedelta(seconds=1))
        run(job)
    job = Job.objects.get()
    assert (job.state, job.attempts, job.last_error) == (Job.State.DEAD, 8, "RuntimeError: no")
    assert job.finished_at is not None
    assert list(Job.objects.dead()) == [job]
    assert list(Job.objects.due(timezone.now() + timedelta(days=99))) == []


def test_a_job_that_kills_its_runner_each_time_is_given_up() -> None:
    job = add("tests.mark", name="poison")
    long_ago = timezone.now() - timedelta(days=1)
    Job.objects.update(run_at=long_ago)
    for number in range(job.most_attempts):
        assert claim(job.pk, task=job.task, now=long_ago + number * (leases.LEASE + timedelta(seconds=1))) is not None
    job = run(job)
    assert job.state == Job.State.DEAD
    assert "runner was lost" in job.last_error
    assert read_marks() == []


def test_a_job_that_was_cancelled_while_it_ran_writes_nothing() -> None:
    job = add("tests.tell", name="one")

    def called_off(name: str) -> None:
        cancel(job.pk, now=timezone.now())
        with pytest.raises(LeaseLost):
            progress(1, 1)
        progress_error.append(name)

    progress_error: list[str] = []
    assert not attempt(job, called_off, outside=True)
    assert progress_error == ["one"]
    assert Job.objects.get().state == Job.State.CANCELLED


def test_a_message_under_another_task_runs_nothing() -> None:
    job = add("tests.mark", name="one")
    tasks.tell.apply(task_id=str(job.pk), kwargs={"name": "forged"}, throw=True)
    assert read_marks() == []
    assert Job.objects.get().state == Job.State.WAITING


def test_what_a_message_says_beside_the_id_is_not_believed() -> None:
    job = add("tests.mark", name="in the row")
    mark.apply(task_id=str(job.pk), kwargs={"name": "in the message"}, throw=True)
    assert read_marks() == ["in the row"]


def test_a_message_about_no_job_runs_nothing() -> None:
    mark.apply(kwargs={"name": "forged"}, throw=True)
    assert read_marks() == []


def test_called_directly_a_task_is_its_function() -> None:
    mark(name="by hand")
    assert read_marks() == ["by hand"]
    assert not Job.objects.exists()


def test_a_task_that_nobody_wrote_fails_and_is_tried_again() -> None:
    job = run(add("tests.unwritten"))
    assert (job.state, job.attempts) == (Job.State.WAITING, 1)
    assert job.last_error == "UnknownTask: no task is called tests.unwritten"


def test_a_runner_that_is_told_to_end_gives_the_job_back() -> None:
    job = add("tests.mark", name="one")

    def ended(name: str) -> None:
        leave_mark(name)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attempt(job, ended)
    job.refresh_from_db()
    assert (job.state, job.attempts, job.lease_until) == (Job.State.WAITING, 0, None)
    assert job in Job.objects.due(timezone.now())
    assert read_marks() == []


def test_a_child_of_celerys_pool_that_is_told_to_end_gives_its_job_back() -> None:
    job = add("tests.mark", name="one")

    def told(name: str) -> None:
        raise SystemExit(signal.SIGTERM - 256)

    with pytest.raises(SystemExit):
        attempt(job, told)
    job.refresh_from_db()
    assert (job.state, job.attempts, job.lease_until) == (Job.State.WAITING, 0, None)


def test_a_task_that_ends_its_process_does_so_a_limited_number_of_times() -> None:
    job = add("tests.mark", name="one")

    def ending(name: str) -> None:
        leave_mark(name)
        raise SystemExit("enough")

    with pytest.raises(SystemExit):
        attempt(job, ending)
    job.refresh_from_db()
    assert (job.state, job.attempts, job.last_error) == (Job.State.WAITING, 1, "SystemExit: enough")
    assert read_marks() == []


def test_what_a_process_holds_is_given_back_and_nothing_else() -> None:
    mine, other = add("tests.mark"), add("tests.mark")
    for job in (mine, other):
        claim(job.pk, task=job.task, now=timezone.now())
    Job.objects.filter(pk=other.pk).update(leased_by="elsewhere:1:abcd/1.1.ffff")
    assert leases.give_back_all(now=timezone.now()) == 1
    assert dict(Job.objects.values_list("pk", "state")) == {mine.pk: Job.State.WAITING, other.pk: Job.State.RUNNING}


def test_no_secret_is_kept_with_a_failure() -> None:
    key = make_token("aia").text
    message = f"no such key {key}; password='hunter-two' token: abcdef postgres://u:pw-pw@db/x"
    job = run(add("tests.fail", name="one", message=message))
    assert job.last_error.startswith("RuntimeError: no such key aia_")
    for hidden in (key, "hunter-two", "abcdef", "pw-pw"):
        assert hidden not in job.last_error


def test_an_error_is_short_and_can_be_stored() -> None:
    text = error_text(ValueError("a\x00b" + "x" * 100_000))
    assert text.startswith("ValueError: abx")
    assert len(text) == 2000
