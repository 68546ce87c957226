"""How many requests a minute: exactly so many, however many come at once; and none that cannot be counted."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as configured
from django.test import Client
from rest_framework.exceptions import Throttled

from agentiam.api import limits
from agentiam.api.viewsets import ApiViewSet
from agentiam.kit import limits as counters
from agentiam.kit.problems import Problem
from directory.models import Agent

NOBODY_THERE = "redis://127.0.0.1:1/0"
# Where the suite has no Redis, its case does not exist; `make test-services` has one.
STORAGES = ["", configured.REDIS_URL] if configured.REDIS_URL else [""]


@pytest.fixture
def counted_in(settings: Any) -> Iterator[Any]:
    """Let requests be counted somewhere else."""

    def choose(url: str) -> None:
        settings.REDIS_URL = url
        counters._limiter.cache_clear()

    yield choose
    counters._limiter.cache_clear()


@pytest.fixture
def without_redis(counted_in: Any) -> None:
    counted_in(NOBODY_THERE)


def within_one_minute() -> None:
    """Begin where a minute has some seconds left: in the next one the counters begin anew."""
    if (left := 60 - time.time() % 60) < 10:
        time.sleep(left)


@pytest.mark.parametrize("url", STORAGES, ids=["memory", "redis"][: len(STORAGES)])
def test_of_many_requests_at_once_exactly_the_allowed_number_is_answered(counted_in: Any, settings: Any, url: str) -> None:
    counted_in(url)
    settings.API_RATE = 50
    caller = SimpleNamespace(user=SimpleNamespace(pk=uuid4()))
    within_one_minute()
    with ThreadPoolExecutor(24) as pool:
        allowed = list(pool.map(lambda _: limits.PerCaller().allow_request(caller, SimpleNamespace()), range(200)))
    assert allowed.count(True) == 50


@pytest.mark.parametrize("url", STORAGES, ids=["memory", "redis"][: len(STORAGES)])
def test_of_many_failed_proofs_at_once_exactly_the_allowed_number_is_heard(counted_in: Any, url: str) -> None:
    counted_in(url)
    guesser = SimpleNamespace(META={"REMOTE_ADDR": f"address {uuid4()}"})

    def heard(_: int) -> bool:
        try:
            limits.note_refused(guesser)
        except Throttled:
            return False
        return True

    within_one_minute()
    with ThreadPoolExecutor(24) as pool:
        assert sum(pool.map(heard, range(200))) == limits.REFUSED_A_MINUTE


@pytest.mark.parametrize(("method", "path"), [("GET", "agents"), ("POST", "agents"), ("POST", "events/export")])
def test_a_request_that_cannot_be_counted_is_refused_and_changes_nothing(
    as_: Any, agent: Agent, without_redis: None, method: str, path: str
) -> None:
    before = Agent.objects.count()
    answer = as_("alice")(method, path, {"external_id": "new", "name": "New"} if method == "POST" else None)
    assert answer.status_code == 503
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Retry-After"] == "5"
    told = answer.json()
    assert told["type"] == "urn:agentiam:problem:unavailable"
    assert told["detail"] == "Requests cannot be counted just now, so none is answered."
    assert "manage.py doctor" in told["remedy"]
    assert Agent.objects.count() == before


def test_a_repeatable_request_that_cannot_be_counted_is_not_remembered_as_answered(
    as_: Any, agent: Agent, counted_in: Any
) -> None:
    caller, key = as_("alice"), {"Idempotency-Key": str(uuid4())}
    counted_in(NOBODY_THERE)
    assert caller.post(f"agents/{agent.pk}/suspend", {"reason": "stop"}, **key).status_code == 503
    agent.refresh_from_db()
    assert agent.state == "active"
    counted_in("")
    assert caller.post(f"agents/{agent.pk}/suspend", {"reason": "stop"}, **key).status_code == 200


@pytest.mark.parametrize("key", ["Bearer aia_0000000000000000_" + "0" * 49, "Bearer guess"])
def test_whoever_guesses_keys_learns_nothing_while_nothing_is_counted(
    as_: Any, agent: Agent, without_redis: None, key: str
) -> None:
    right = as_("agent").get("agents")
    wrong = Client().get("/api/v1/agents", headers={"Authorization": key})
    assert right.status_code == wrong.status_code == 503
    assert wrong.json() == right.json()
    assert "WWW-Authenticate" not in wrong.headers


def test_a_failed_proof_in_a_body_is_refused_while_nothing_is_counted(without_redis: None) -> None:
    view: Any = ApiViewSet()
    view.request = SimpleNamespace(META={"REMOTE_ADDR": "192.0.2.7"})
    refusal = view.not_proven("It is not valid.")
    assert isinstance(refusal, Problem)
    assert refusal.status == 503


def test_a_redis_that_is_there_again_is_used_again(as_: Any, agent: Agent, counted_in: Any) -> None:
    alice = as_("alice")
    counted_in(NOBODY_THERE)
    assert alice.get("agents").status_code == 503
    counted_in("")
    assert alice.get("agents").status_code == 200


def test_a_socket_is_an_address_of_redis_as_well(counted_in: Any) -> None:
    counted_in("unix:///nowhere/redis.sock?db=3")
    with pytest.raises(Problem) as refused:
        limits.note_refused(SimpleNamespace(META={"REMOTE_ADDR": "192.0.2.7"}))
    assert refused.value.status == 503
