"""The threads that run jobs where there is no broker, in this process."""

from collections.abc import Iterator

import pytest
from django.db import OperationalError
from django.utils import timezone

from agentiam.jobs import dispatching, embedded
from agentiam.jobs.dispatching import Dispatcher
from agentiam.jobs.embedded import Threads
from agentiam.jobs.models import Job
from tests.jobs.conftest import add, state, until
from tests.jobs.tasks import marks as read_marks

pytestmark = pytest.mark.usefixtures("marks")


@pytest.fixture
def dispatcher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Dispatcher]:
    monkeypatch.setattr(dispatching, "LOOK_SECONDS", 0.1)
    made = Dispatcher(Threads(1), entries=())
    made.start()
    yield made
    made.stop(10)


def test_a_job_is_run_and_what_follows_it(dispatcher: Dispatcher) -> None:
    jobs = [add("tests.mark", name=str(number)) for number in range(5)]
    until(lambda: {state(job) for job in jobs} == {Job.State.DONE})
    assert read_marks() == ["0", "1", "2", "3", "4"]


def test_a_thread_outlives_what_jobs_do(dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch) -> None:
    failing, ending = add("tests.fail", name="failing", message="no"), add("tests.end", name="ending")
    until(lambda: Job.objects.filter(attempts=1, state=Job.State.WAITING).count() == 2)
    broken = iter([OperationalError("the database went away")])
    works = embedded.run_here

    def run_here(*given: object) -> None:
        for error in broken:
            raise error
        works(*given)

    monkeypatch.setattr(embedded, "run_here", run_here)
    Job.objects.filter(pk__in=[failing.pk, ending.pk]).update(state=Job.State.CANCELLED)
    job = add("tests.mark", name="after all of them")
    until(lambda: state(job) == Job.State.DONE)
    assert read_marks() == ["after all of them"]


def test_the_dispatcher_outlives_a_database_that_fails(dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = iter(range(3))
    works = Threads.hand_over

    def hand_over(threads: Threads, **given: object) -> None:
        for _ in failures:
            raise OperationalError("the database went away")
        works(threads, **given)

    monkeypatch.setattr(Threads, "hand_over", hand_over)
    job = add("tests.mark", name="one")
    until(lambda: state(job) == Job.State.DONE)
    assert next(failures, "all of them") == "all of them"


def test_a_dispatcher_that_never_began_can_be_stopped() -> None:
    add("tests.mark", name="one")
    Dispatcher(Threads(1), entries=()).stop(10)
    assert Job.objects.due(timezone.now()).count() == 1
    assert read_marks() == []
