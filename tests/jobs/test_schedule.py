import sys
from datetime import UTC, datetime, timedelta

import pytest
from django.apps import apps
from django.core import checks
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from agentiam.jobs import schedule
from agentiam.jobs.checks import check_schedule
from agentiam.jobs.models import Job
from agentiam.jobs.schedule import At, BadSchedule, Entry, Every, Planter
from tests.jobs.conftest import Workers, state, until
from tests.jobs.tasks import marks as read_marks

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)  # a Wednesday


@pytest.mark.parametrize(
    ("entry", "latest"),
    [
        (Every("t", minutes=1), NOON),
        (Every("t", seconds=7), datetime(2026, 11, 25, 11, 59, 56, tzinfo=UTC)),
        (Every("t", hours=24), datetime(2026, 11, 25, tzinfo=UTC)),
        (At("t", hour=12), NOON),
        (At("t", hour=3), datetime(2026, 11, 25, 3, tzinfo=UTC)),
        (At("t", hour=12, minute=1), datetime(2026, 11, 24, 12, 1, tzinfo=UTC)),
        (At("t", hour=12, weekday=2), NOON),
        (At("t", hour=12, minute=1, weekday=2), datetime(2026, 11, 18, 12, 1, tzinfo=UTC)),
        (At("t", hour=3, weekday=6), datetime(2026, 11, 22, 3, tzinfo=UTC)),
    ],
)
def test_the_latest_instant(entry: Entry, latest: datetime) -> None:
    assert entry.latest(NOON) == latest


INSTANTS = st.integers(1_600_000_000, 2_200_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
ENTRIES = st.one_of(
    st.builds(Every, st.just("t"), seconds=st.integers(1, 100_000)),
    st.builds(At, st.just("t"), st.integers(0, 23), st.integers(0, 59), st.none() | st.integers(0, 6)),
)


@given(entry=ENTRIES, now=INSTANTS)
def test_an_instant_has_come_is_its_own_latest_and_is_the_same_for_all_who_look(entry: Entry, now: datetime) -> None:
    latest = entry.latest(now)
    assert now - timedelta(days=8) < latest <= now
    assert entry.latest(latest) == latest
    assert entry.latest(latest + (now - latest) / 2) == latest


@pytest.mark.parametrize(
    "make",
    [
        lambda: Every("t"),
        lambda: Every("t", minutes=-1),
        lambda: At("t", hour=24),
        lambda: At("t", hour=1, minute=60),
        lambda: At("t", hour=1, weekday=7),
    ],
)
def test_an_entry_that_cannot_be_kept_is_refused(make) -> None:
    with pytest.raises(BadSchedule):
        make()


def finish(*jobs: Job) -> None:
    Job.objects.filter(pk__in=[job.pk for job in jobs]).update(state=Job.State.DONE)


@pytest.mark.django_db
def test_an_instant_becomes_one_job_whoever_looks(django_assert_num_queries) -> None:
    entry = Every("tests.mark", minutes=1, arguments={"name": "x"})
    one, other = Planter([entry]), Planter([entry])
    (job,) = one.plant(now=NOON + timedelta(seconds=3))
    assert (job.key, job.task, job.arguments) == ("schedule:tests.mark:2026-11-25T12:00:00Z", "tests.mark", {"name": "x"})
    finish(job)
    assert other.plant(now=NOON + timedelta(seconds=4)) == []
    with django_assert_num_queries(0):
        assert one.plant(now=NOON + timedelta(seconds=59)) == []
    assert len(other.plant(now=NOON + timedelta(seconds=60))) == 1
    assert Job.objects.count() == 2


@pytest.mark.django_db
def test_instants_that_were_missed_become_one_job() -> None:
    entries = [Every("tests.mark", minutes=1), At("tests.tell", hour=3)]
    finish(*Planter(entries).plant(now=NOON))
    later = Planter(entries).plant(now=NOON + timedelta(days=3, seconds=30))
    assert [job.key for job in later] == [
        "schedule:tests.mark:2026-11-28T12:00:00Z",
        "schedule:tests.tell:2026-11-28T03:00:00Z",
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("unfinished", [Job.State.WAITING, Job.State.RUNNING])
def test_while_a_job_of_an_entry_is_not_over_no_other_is_added(unfinished: str) -> None:
    planter = Planter([Every("tests.mark", minutes=1), Every("tests.marking", minutes=1)])
    first, _ = planter.plant(now=NOON)
    Job.objects.filter(pk=first.pk).update(state=unfinished, lease_until=NOON)
    finish(_)
    after = planter.plant(now=NOON + timedelta(minutes=5))
    assert [job.task for job in after] == ["tests.marking"]
    finish(first)
    (job,) = planter.plant(now=NOON + timedelta(minutes=5, seconds=20))
    assert job.key == "schedule:tests.mark:2026-11-25T12:05:00Z"


@pytest.mark.django_db
def test_a_job_that_was_given_up_does_not_end_the_schedule() -> None:
    planter = Planter([Every("tests.mark", minutes=1)])
    (job,) = planter.plant(now=NOON)
    Job.objects.filter(pk=job.pk).update(state=Job.State.DEAD)
    assert len(planter.plant(now=NOON + timedelta(minutes=1))) == 1


def test_every_app_s_schedule_is_found_and_names_tasks_that_exist() -> None:
    names = {entry.name for entry in schedule.declared()}
    for config in apps.get_app_configs():
        module = sys.modules.get(f"{config.name}.jobs")
        assert {entry.name for entry in getattr(module, "SCHEDULE", ())} <= names
    assert "audit.verify" in names
    assert check_schedule() == []


def test_a_schedule_that_names_no_task_is_found_by_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    import audit.jobs

    monkeypatch.setattr(audit.jobs, "SCHEDULE", (Every("audit.unwritten", hours=1),))
    (error,) = check_schedule()
    assert (error.id, error.level) == ("jobs.E002", checks.ERROR)
    assert "audit.unwritten" in error.msg
    monkeypatch.setattr(audit.jobs, "SCHEDULE", (Every("audit.verify", hours=1), At("audit.verify", hour=1)))
    (error,) = check_schedule()
    assert error.id == "jobs.E001"
    assert "audit.verify" in error.msg


def test_two_workers_keep_the_schedule_once(workers: Workers) -> None:
    for _ in range(2):
        workers.start(every=1, lease=30)
    until(lambda: len(read_marks()) >= 6, why=workers.log)
    for process in list(workers.running):
        assert workers.stop(process) == 0, workers.log()
    jobs = list(Job.objects.order_by("key"))
    keys = [job.key for job in jobs]
    assert len(set(keys)) == len(keys)
    done = [job for job in jobs if state(job) == Job.State.DONE]
    assert len(read_marks()) == len(done)
    assert {(job.task, job.attempts) for job in done} == {("tests.mark", 1)}
    assert all(job.created_at <= timezone.now() for job in jobs)
