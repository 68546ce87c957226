from dataclasses import dataclass
from uuid import UUID

import pytest
from django.db import transaction

from agentiam.kit.ids import uuid7
from audit import services
from audit.models import Checkpoint, Event
from tests.audit.conftest import AGENT_SUSPENDED

pytestmark = pytest.mark.django_db


@dataclass
class Account:
    organization_id: UUID | None
    permissions: frozenset[str] = frozenset({"audit.view_event"})
    is_active: bool = True

    def has_perm(self, perm, obj=None):
        return perm in self.permissions


@pytest.fixture
def events(organization_id, alice):
    with transaction.atomic():
        recorded = [services.record(AGENT_SUSPENDED, organization_id=organization_id, by=alice) for _ in range(3)]
        services.record(AGENT_SUSPENDED, organization_id=uuid7(), by=alice)
    services.sign_checkpoint(organization_id)
    return recorded


def test_carol_sees_her_organizations_events_and_no_others(events, organization_id):
    carol = Account(organization_id)
    assert set(Event.objects.visible_to(carol)) == set(events)
    assert Checkpoint.objects.visible_to(carol).count() == 1


@pytest.mark.parametrize("case", ["stranger", "without permission", "inactive", "without organization"])
def test_everybody_else_sees_nothing(events, organization_id, case):
    account = {
        "stranger": Account(uuid7()),
        "without permission": Account(organization_id, frozenset()),
        "inactive": Account(organization_id, is_active=False),
        "without organization": Account(None),
    }[case]
    assert not Event.objects.visible_to(account).exists()
    assert not Checkpoint.objects.visible_to(account).exists()


def test_events_are_read_page_by_page_along_their_ids(events, organization_id):
    mine = Event.objects.for_organization(organization_id)
    assert list(mine.newest_first()) == events[::-1]
    assert list(mine.newest_first(before=events[1].id)) == events[:1]
    assert list(mine.oldest_first(after=events[1].id)) == events[2:]


def test_events_are_found_by_what_they_are_about(events, organization_id, alice):
    mine = Event.objects.for_organization(organization_id)
    assert mine.of_types(["agent.suspended"]).by_actor(alice.id).count() == 3
    assert mine.decisions().count() == 0
    assert mine.changes().about("").count() == 3
