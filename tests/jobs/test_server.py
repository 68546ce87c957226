"""Jobs beside the server, as an operator starts it."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings

from agentiam.background import jobs_beside_server
from agentiam.jobs import dispatching
from agentiam.jobs.models import Job
from agentiam.routing import Router
from tests.jobs.conftest import RUNNERS, Workers, add, until
from tests.serving import ROOT, Served, served

ENQUEUE = """
from django.db import transaction
from django.utils import timezone
from agentiam.jobs.queue import enqueue
with transaction.atomic():
    job = enqueue("audit.sign_checkpoints", arguments={}, organization_id=None, now=timezone.now())
result = str(job.pk)
"""
STATE = "from agentiam.jobs.models import Job\nresult = Job.objects.values_list('state', flat=True).get(pk={job!r})"


@pytest.fixture(params=RUNNERS)
def copy(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path, jobs=request.param) as made:
        if request.param == "embedded":
            yield made
            return
        with (tmp_path / "worker.log").open("ab") as log:
            command = [sys.executable, str(ROOT / "manage.py"), "worker", "--concurrency", "1"]
            worker = subprocess.Popen(command, env=dict(made.environment), cwd=ROOT, stdout=log, stderr=log)
        yield made
        worker.terminate()
        assert worker.wait(60) == 0, (tmp_path / "worker.log").read_text()


def test_a_server_sees_to_its_jobs_and_ends_in_order(copy: Served) -> None:
    job = copy.run(ENQUEUE)
    until(lambda: copy.run(STATE.format(job=job)) == "done", why=copy.log)
    scheduled = "from agentiam.jobs.models import Job\nresult = list(Job.objects.values_list('key', flat=True))"
    assert any((key or "").startswith("schedule:audit.verify:") for key in copy.run(scheduled))
    assert httpx.get(f"{copy.url}/healthz").text == "ok\n"
    assert copy.stop() == 0, copy.log()


class Part:
    """Stands for the decision endpoints or the jobs: notes when it starts and stops."""

    def __init__(self, name: str, seen: list[str], *, fails: bool = False) -> None:
        self.name, self.seen, self.fails = name, seen, fails

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("nothing is asked")

    async def startup(self) -> None:
        self.seen.append(f"{self.name} starts")

    async def shutdown(self) -> None:
        self.seen.append(f"{self.name} stops")
        if self.fails:
            raise RuntimeError("it does not stop")


@pytest.mark.parametrize("fails", [False, True])
def test_jobs_start_after_the_decisions_and_stop_before_them(fails: bool) -> None:
    seen: list[str] = []
    sent: list[str] = []
    access = Part("access", seen)
    router = Router(access=access, serves=bool, pages=access, jobs=Part("jobs", seen, fails=fails))
    waiting = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def receive() -> Any:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    asyncio.run(router({"type": "lifespan"}, receive, send))
    assert seen == ["access starts", "jobs starts", "jobs stops", "access stops"]
    assert sent == ["lifespan.startup.complete", f"lifespan.shutdown.{'failed' if fails else 'complete'}"]


@pytest.mark.django_db(transaction=True)
def test_a_server_that_leaves_jobs_to_others_runs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "JOBS", "none")
    monkeypatch.setattr(dispatching, "LOOK_SECONDS", 0.05)
    add("tests.mark", name="nobody's")

    async def live() -> None:
        background = jobs_beside_server()
        await background.startup()
        await asyncio.sleep(0.5)
        await background.shutdown()

    asyncio.run(live())
    assert Job.objects.get().state == Job.State.WAITING
    assert Job.objects.count() == 1


def test_without_redis_jobs_are_added_and_wait(workers: Workers) -> None:
    code = """
import django; django.setup()
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError
from agentiam.jobs.models import Job
from agentiam.jobs.queue import enqueue
from agentiam.jobs.relay import Relay
from tests.jobs import tasks
with transaction.atomic():
    enqueue("tests.mark", arguments={}, organization_id=None, now=timezone.now())
try:
    Relay().hand_over(now=timezone.now())
except OperationalError:
    job = Job.objects.get()
    print(job.state, job.handed_over_at)
"""
    environment = {**workers.environment, "REDIS_URL": "redis://127.0.0.1:1/0", "AGENTIAM_JOBS": "celery"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "waiting None", done.stderr
    workers.start()
    until(lambda: Job.objects.get().state == Job.State.DONE, why=workers.log)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "embedded memory://"),
        ({"REDIS_URL": "redis://h:1/2"}, "celery redis://h:1/2"),
        ({"REDIS_URL": "redis://h:1/2", "AGENTIAM_JOBS": "embedded"}, "embedded redis://h:1/2"),
        ({"REDIS_URL": "unix:///run/redis.sock?db=3"}, "celery redis+socket:///run/redis.sock?virtual_host=3"),
        ({"AGENTIAM_JOBS": "none"}, "none memory://"),
        ({"AGENTIAM_JOBS": "celery"}, "AGENTIAM_JOBS is celery, which needs REDIS_URL."),
        ({"AGENTIAM_JOBS": "often"}, "AGENTIAM_JOBS is none of: embedded, celery, none."),
    ],
)
def test_who_runs_jobs_is_a_setting(tmp_path: Path, given: dict[str, str], expected: str) -> None:
    environment = {"AGENTIAM_DATA_DIR": str(tmp_path / "var"), "PYTHONPATH": str(ROOT), **given}
    code = "from agentiam import settings as s; print(s.JOBS, s.CELERY_BROKER_URL)"
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert expected in done.stdout + done.stderr
