from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from agentiam.jobs.models import Job
from agentiam.jobs.queue import OutsideTransaction, enqueue, enqueue_all
from agentiam.kit.ids import uuid7
from tests.factories import NOW, make_organization


@pytest.mark.django_db(transaction=True)
def test_a_job_goes_with_the_transaction_that_caused_it() -> None:
    def change() -> None:
        with transaction.atomic():
            enqueue("tests.mark", arguments={"name": "never"}, organization_id=None, now=NOW)
            raise RuntimeError("the change failed")

    with pytest.raises(RuntimeError, match="the change failed"):
        change()
    assert not Job.objects.exists()
    with transaction.atomic():
        enqueue("tests.mark", arguments={"name": "once"}, organization_id=None, now=NOW)
    assert Job.objects.get().arguments == {"name": "once"}


@pytest.mark.django_db(transaction=True)
def test_a_job_outside_a_transaction_is_refused() -> None:
    with pytest.raises(OutsideTransaction):
        enqueue("tests.mark", arguments={}, organization_id=None, now=NOW)
    with pytest.raises(OutsideTransaction):
        enqueue_all("tests.mark", keyed=[("a", {})], organization_id=None, now=NOW)
    assert not Job.objects.exists()


@pytest.mark.django_db
def test_of_jobs_with_one_key_there_is_one() -> None:
    first = enqueue("tests.mark", arguments={"name": "first"}, organization_id=None, now=NOW, key="same")
    assert enqueue("tests.mark", arguments={"name": "second"}, organization_id=None, now=NOW, key="same") is None
    enqueue_all("tests.mark", keyed=[("same", {"name": "third"}), ("other", {})], organization_id=None, now=NOW)
    assert first is not None
    assert Job.objects.get(key="same").arguments == {"name": "first"}
    assert Job.objects.count() == 2


@pytest.mark.django_db
def test_ids_are_kept_as_text() -> None:
    organization = make_organization()
    thing = uuid7()
    job = enqueue("tests.mark", arguments={"thing_id": thing}, organization_id=organization.pk, now=NOW)
    assert job is not None
    job.refresh_from_db()
    assert (job.arguments, job.organization_id) == ({"thing_id": str(thing)}, organization.pk)


@pytest.mark.django_db
def test_a_job_is_due_when_its_time_has_come() -> None:
    now = timezone.now()
    later = enqueue("tests.mark", arguments={}, organization_id=None, now=now, run_at=now + timedelta(hours=1))
    assert later is not None
    assert list(Job.objects.due(now)) == []
    assert list(Job.objects.due(now + timedelta(hours=1))) == [later]
