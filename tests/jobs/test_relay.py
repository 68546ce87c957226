"""What the relay hands to the broker, and what happens when the broker is not there."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from kombu.exceptions import OperationalError

from agentiam.jobs import relay
from agentiam.jobs.leases import LEASE, claim
from agentiam.jobs.models import Job
from agentiam.jobs.relay import AGAIN_AFTER, Relay
from agentiam.jobs.tasks import JobTask
from tests.jobs.conftest import add

pytestmark = pytest.mark.usefixtures("marks")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    messages: list[tuple[str, dict[str, Any]]] = []

    def apply_async(task: JobTask, *args: Any, **options: Any) -> None:
        assert not args
        messages.append((task.name, options))

    monkeypatch.setattr(JobTask, "apply_async", apply_async)
    return messages


def ids(sent: list[tuple[str, dict[str, Any]]]) -> list[str]:
    return [options["task_id"] for _, options in sent]


def test_a_message_is_the_id_of_a_job_and_nothing_else(sent: list[Any]) -> None:
    job = add("tests.mark", name="in the row alone")
    Relay().hand_over(now=timezone.now())
    assert sent == [("tests.mark", {"task_id": str(job.pk), "retry": False})]


def test_a_job_is_handed_over_once_by_several_relays(sent: list[Any]) -> None:
    jobs = [add("tests.mark", name=str(number)) for number in range(5)]
    now = timezone.now()
    for each in (Relay(), Relay(), Relay()):
        each.hand_over(now=now + timedelta(seconds=1))
    assert ids(sent) == [str(job.pk) for job in jobs]


def test_a_message_that_nobody_took_is_sent_again_after_a_while(sent: list[Any]) -> None:
    job = add("tests.mark", name="one")
    now = timezone.now()
    Relay().hand_over(now=now)
    Relay().hand_over(now=now + AGAIN_AFTER - timedelta(seconds=1))
    assert len(sent) == 1
    Relay().hand_over(now=now + AGAIN_AFTER)
    assert ids(sent) == [str(job.pk)] * 2


def test_a_job_whose_runner_was_lost_is_handed_over_once_more(sent: list[Any]) -> None:
    job = add("tests.mark", name="one")
    now = timezone.now()
    Relay().hand_over(now=now)
    claim(job.pk, task=job.task, now=now)
    Relay().hand_over(now=now + LEASE - timedelta(seconds=1))
    assert len(sent) == 1
    Relay().hand_over(now=now + LEASE + timedelta(seconds=1))
    Relay().hand_over(now=now + LEASE + timedelta(seconds=2))
    assert ids(sent) == [str(job.pk)] * 2


def test_what_is_not_due_is_not_handed_over(sent: list[Any]) -> None:
    waiting, done, dead, cancelled = (add("tests.mark", name=str(number)) for number in range(4))
    Job.objects.filter(pk=waiting.pk).update(run_at=timezone.now() + timedelta(minutes=1))
    for job, over in ((done, "done"), (dead, "dead"), (cancelled, "cancelled")):
        Job.objects.filter(pk=job.pk).update(state=over)
    Relay().hand_over(now=timezone.now())
    assert sent == []


def test_what_is_on_its_way_is_limited(sent: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "MOST_ON_THE_WAY", 3)
    for number in range(5):
        add("tests.mark", name=str(number))
    now = timezone.now()
    for seconds in range(3):
        Relay().hand_over(now=now + timedelta(seconds=seconds))
    assert len(sent) == 3
    Job.objects.filter(pk=ids(sent)[0]).update(state=Job.State.DONE)
    Relay().hand_over(now=now + timedelta(seconds=4))
    assert len(sent) == 4


def test_without_a_broker_jobs_wait_and_are_handed_over_when_it_is_back(
    sent: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [add("tests.mark", name=str(number)) for number in range(3)]
    works = JobTask.apply_async

    def down(task: JobTask, **options: Any) -> None:
        if len(sent) == 1:
            raise OperationalError("connection refused")
        works(task, **options)

    monkeypatch.setattr(JobTask, "apply_async", down)
    now = timezone.now()
    with pytest.raises(OperationalError):
        Relay().hand_over(now=now)
    assert set(Job.objects.values_list("state", flat=True)) == {Job.State.WAITING}
    assert Job.objects.filter(handed_over_at__isnull=True).count() == 2
    monkeypatch.setattr(JobTask, "apply_async", works)
    Relay().hand_over(now=now + timedelta(seconds=1))
    assert sorted(ids(sent)) == sorted(str(job.pk) for job in jobs)


def test_a_task_that_nobody_wrote_is_not_handed_over(sent: list[Any]) -> None:
    add("tests.unwritten")
    Relay().hand_over(now=timezone.now())
    assert sent == []
    assert Job.objects.get().last_error == "UnknownTask: no task is called tests.unwritten"


def test_it_is_said_that_nobody_takes_jobs(sent: list[Any], caplog: pytest.LogCaptureFixture) -> None:
    add("tests.mark", name="one")
    each = Relay()
    for minutes in (0, 9, 11, 12):
        each.hand_over(now=timezone.now() + timedelta(minutes=minutes))
    assert [record.getMessage() for record in caplog.records] == [
        "1 jobs have waited for over ten minutes: does a worker run (.venv/bin/python manage.py worker)?"
    ]
