"""A cast of actors, a way to record, and a writer that is stopped afterwards."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.ids import uuid7
from audit import events, services
from audit.models import Chain
from audit.writer import Draft, GroupCommitWriter

AGENT_SUSPENDED = events.EventType("agent.suspended", "An agent was suspended", events.Severity.MEDIUM)
ACCESS_DECIDED = events.EventType("access.decided", "A decision was made")


@pytest.fixture(autouse=True)
def _known_event_types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_registered", {**events._registered})
    for event_type in (AGENT_SUSPENDED, ACCESS_DECIDED):
        events._registered[event_type.name] = event_type


@pytest.fixture
def organization_id() -> UUID:
    return uuid7()


@pytest.fixture
def alice(organization_id: UUID) -> Actor:
    return Actor(
        kind="person",
        id=str(uuid7()),
        label="Alice Adams",
        organization_id=organization_id,
        address="10.0.0.1",
        request_id="req-1",
    )


def make_draft(organization_id: UUID, *, fence: int = 0, **data: Any) -> Draft:
    return Draft(
        organization_id=organization_id,
        fence=fence,
        id=uuid7(),
        type="access.decided",
        at=datetime.now(UTC),
        actor={"kind": "agent", "id": "0190f3c2-1111-7abc-8def-000000000001", "label": "Invoice reader", "address": "10.0.0.9"},
        target={"type": "crm.lead", "id": "lead-1", "label": "Lead 1"},
        reason="granted by the role sales",
        request_id="req-2",
        effect="allow",
        data=data or {"action": "read", "fields": ["name", "email"]},
    )


@pytest.fixture
def make_writer() -> Iterator[Callable[..., GroupCommitWriter]]:
    writers: list[GroupCommitWriter] = []

    def make(**options: Any) -> GroupCommitWriter:
        writer = GroupCommitWriter(**{"checkpoint_seconds": None, **options})
        writers.append(writer)
        return writer

    yield make
    for writer in writers:
        writer.stop(timeout_seconds=10)


@pytest.fixture
def writer(make_writer: Callable[..., GroupCommitWriter]) -> GroupCommitWriter:
    return make_writer()


@pytest.fixture
def log(organization_id, alice, writer):
    """Ten changes and ten decisions, with a checkpoint after the first five of each and after all of them."""
    for _ in range(2):
        with transaction.atomic():
            for _ in range(5):
                services.record(AGENT_SUSPENDED, organization_id=organization_id, by=alice, data={"score": 0.5})
        writer.submit([make_draft(organization_id, n=n) for n in range(5)]).result(10)
        services.sign_checkpoint(organization_id)
    return organization_id


@pytest.fixture
def changes(log):
    return Chain.objects.get(organization_id=log, writer="changes")
