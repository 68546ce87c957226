from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from agentiam.jobs import leases
from agentiam.jobs.leases import LeaseLost, claim
from agentiam.jobs.models import Job
from agentiam.jobs.progress import progress
from agentiam.jobs.work import perform
from tests.jobs.conftest import add, in_another_connection, until
from tests.jobs.tasks import leave_mark
from tests.jobs.tasks import marks as read_marks

pytestmark = pytest.mark.usefixtures("marks")


def test_progress_is_seen_while_a_job_runs_and_renews_its_lease() -> None:
    job = add("tests.tell", name="one")
    seen: list[Job] = []

    def counting(name: str) -> None:
        Job.objects.update(lease_until=timezone.now() + timedelta(seconds=1))
        progress(1, 3, "the first")
        in_another_connection(lambda: seen.append(Job.objects.get()))

    assert perform(job.pk, task=job.task, function=counting, outside=True)
    assert (seen[0].progress_done, seen[0].progress_total, seen[0].progress_note) == (1, 3, "the first")
    assert seen[0].lease_until is not None
    assert seen[0].lease_until > timezone.now() + leases.LEASE / 2


def test_progress_within_a_transaction_is_seen_at_once_where_two_can_write() -> None:
    job = add("tests.mark", name="one")
    seen: list[int] = []

    def counting(name: str) -> None:
        leave_mark(name)
        progress(1, 3)
        in_another_connection(lambda: seen.append(Job.objects.get().progress_done))

    assert perform(job.pk, task=job.task, function=counting, outside=False)
    assert seen == [0 if connection.vendor == "sqlite" else 1]
    assert Job.objects.get().progress_done == 1
    assert read_marks() == ["one"]


def test_progress_within_a_second_is_passed_over_but_not_the_last() -> None:
    job = add("tests.tell", name="one")
    seen: list[int] = []

    def counting(name: str) -> None:
        for number in range(1, 51):
            progress(number, 50)
            seen.append(Job.objects.get().progress_done)

    assert perform(job.pk, task=job.task, function=counting, outside=True)
    assert seen[0] == seen[1] == 1
    assert seen[-1] == 50


def test_whoever_lost_the_job_is_told_by_progress() -> None:
    job = add("tests.tell", name="one")

    def overtaken(name: str) -> None:
        Job.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        assert claim(job.pk, task=job.task, now=timezone.now()) is not None
        progress(1, 1, "mine")
        leave_mark("not reached")

    assert not perform(job.pk, task=job.task, function=overtaken, outside=True)
    after = Job.objects.get()
    assert (after.progress_note, after.state, after.attempts, after.last_error) == ("", Job.State.RUNNING, 2, "")
    assert read_marks() == []


def test_what_cannot_be_is_refused() -> None:
    job = add("tests.tell", name="one")
    assert not perform(job.pk, task=job.task, function=lambda name: progress(3, 2), outside=True)
    assert Job.objects.get().last_error == "ValueError: 3 of 2 cannot be done"


def test_outside_a_job_nothing_happens() -> None:
    add("tests.tell", name="one")
    progress(1, 1, "nobody")
    assert Job.objects.get().progress_note == ""


def test_the_lease_of_a_long_job_is_renewed_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "LEASE", timedelta(seconds=0.9))
    job = add("tests.tell", name="one")

    def long(name: str) -> None:
        later = timezone.now() + 2 * leases.LEASE
        until(lambda: Job.objects.filter(lease_until__gt=later).exists(), seconds=10)
        assert claim(job.pk, task=job.task, now=timezone.now()) is None

    assert perform(job.pk, task=job.task, function=long, outside=True)
    assert Job.objects.get().attempts == 1


def test_a_job_that_gives_its_lease_up_for_lost_rolls_back() -> None:
    job = add("tests.mark", name="one")

    def giving_up(name: str) -> None:
        with transaction.atomic():
            leave_mark(name)
        raise LeaseLost("heard so")

    assert not perform(job.pk, task=job.task, function=giving_up, outside=False)
    assert read_marks() == []
