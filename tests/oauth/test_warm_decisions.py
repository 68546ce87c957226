"""Between two revisions a token that was verified costs a decision no query, and nothing but its clock is asked."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agentiam.kit.problems import Problem
from agentiam.kit.tokens import Token
from permissions.access import point as points
from permissions.access.callers import Party, Sender, sender_of
from permissions.access.point import DecisionPoint
from permissions.models import AccessToken
from permissions.oauth.authorizations import revoke_token
from permissions.worlds import Known
from tests.factories import SYSTEM
from tests.oauth.worlds import BASE, CRM, World, exchanged, own_token

pytestmark = pytest.mark.django_db


@pytest.fixture
def point(monkeypatch: pytest.MonkeyPatch) -> Iterator[DecisionPoint]:
    """Give a decision point that queries nothing, whatever it is asked."""
    made = DecisionPoint()
    made.worlds.forget()

    async def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the database was asked")

    monkeypatch.setattr(made, "in_thread", refuse)
    monkeypatch.setattr(made, "_note", lambda *_, **__: None)
    yield made
    made.worlds.forget()
    made.close()


def sender(text: str, subject_token: str = "") -> Sender:
    path = "/access/v1/evaluation"
    return sender_of(f"Bearer {text}", "", subject_token, method="POST", path=path, address="127.0.0.1", request_id="")


def authenticated(point: DecisionPoint, shown: Sender) -> tuple[Party, Known]:
    return asyncio.run(point.authenticate(shown))


def test_an_agents_own_token(world: World, point: DecisionPoint) -> None:
    text = own_token(world, resource=BASE, scope="decide").token
    assert point._tokens.read(text, datetime.now(UTC)) is not None
    party, known = authenticated(point, sender(text))
    assert (party.kind, party.holder, known.world.organization) == ("agent", "planner", "acme")


def test_a_token_that_is_passed_on(world: World, point: DecisionPoint) -> None:
    first = own_token(world, resource=world.worker.spiffe_id, scope="record:read").token
    text = exchanged(world, "worker", first, resource=CRM).token
    key: Token = world.keys["crm"]
    _, known = point._read_key(key)
    assert point._tokens.read_in(text, known, datetime.now(UTC)) is not None
    party, _ = authenticated(point, sender(key.text, text))
    assert (party.kind, party.holder) == ("application", "crm")
    assert party.proven is not None
    assert party.proven.chain.delegation == ("agent/planner",)
    assert party.proven.chain.subject == "agent/worker"


def test_a_new_revision_is_not_answered_from_memory(world: World, point: DecisionPoint) -> None:
    text = own_token(world, resource=BASE, scope="decide").token
    found = point._tokens.read(text, datetime.now(UTC))
    assert found is not None
    revoke_token(token=AccessToken.objects.get(), by=SYSTEM, now=datetime.now(UTC))
    point.worlds.current(found[1].world.organization_id)
    with pytest.raises(AssertionError, match="the database was asked"):
        authenticated(point, sender(text))


def test_the_clock_is_asked_every_time(world: World, point: DecisionPoint, monkeypatch: pytest.MonkeyPatch) -> None:
    text = own_token(world, resource=BASE, scope="decide").token
    assert point._tokens.read(text, datetime.now(UTC)) is not None

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(minutes=6)

    monkeypatch.setattr(points, "datetime", Later)
    with pytest.raises(Problem) as refused:
        authenticated(point, sender(text))
    assert refused.value.status == 401
