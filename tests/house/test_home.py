from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from agentiam.dashboard import _first_id, overview
from agentiam.kit.ids import uuid7
from audit.encoding import Draft, append
from audit.models import Event
from audit.store import insert_rows, locked_head, move_heads
from directory.lifecycle import State
from directory.models import Organization, User
from directory.services.organizations import suspend_organization
from permissions.models import Application
from tests.factories import NOW, SYSTEM, make_agent


def record_decisions(organization: Organization, *effects: str, at: datetime | None = None) -> None:
    """Write records of decisions as the writer does, in the chain of a process."""
    at = at or timezone.now()
    head = locked_head(organization.pk, "decisions-test", now=at)
    former = head.sequence
    rows = []
    for effect in effects:
        key = uuid7() if at > timezone.now() - timedelta(minutes=1) else _first_id(at)
        rows.append(
            append(
                head,
                Draft(
                    organization_id=organization.pk,
                    id=key,
                    type="decision.made",
                    at=at,
                    actor={"kind": "agent", "id": "runner", "label": "Runner", "address": ""},
                    effect=effect,
                ),
            )
        )
    insert_rows(rows)
    move_heads([(head, former)])


def facts(text: str) -> str:
    return " ".join(text.split())


def test_an_administrator_sees_true_numbers(as_: Callable[[str], Client], acme: Organization) -> None:
    for state in (State.ACTIVE, State.ACTIVE, State.SUSPENDED):
        make_agent(acme, state=state)
    record_decisions(acme, "allow", "allow", "deny", "escalate")
    text = facts(as_("alice").get("/").content.decode())
    assert "2 of 3 agents are active." in text
    assert "4 decisions in 24 h: 2 allowed, 1 denied, 1 escalated." in text
    assert "Acme" in text


def test_decisions_before_the_window_do_not_count(people: dict[str, User], acme: Organization) -> None:
    now = timezone.now()
    record_decisions(acme, "deny", at=now - timedelta(hours=24, seconds=1))
    record_decisions(acme, "allow", at=now - timedelta(hours=23, minutes=59))
    assert overview(people["alice"], now=now).decisions == {"allow": 1, "deny": 0, "escalate": 0}


def test_changes_are_not_counted_as_decisions(people: dict[str, User], acme: Organization) -> None:
    assert Event.objects.for_organization(acme.pk).exists()
    assert overview(people["alice"], now=timezone.now()).total_decisions == 0


def test_an_auditor_sees_decisions_and_no_agents(as_: Callable[[str], Client], acme: Organization) -> None:
    make_agent(acme)
    record_decisions(acme, "deny")
    text = facts(as_("carol").get("/").content.decode())
    assert "1 decision in 24 h: 0 allowed, 1 denied, 0 escalated." in text
    assert "You see no agents and no applications." in text


def test_a_colleague_sees_own_agents_and_how_to_get_the_right_to_the_log(
    as_: Callable[[str], Client], people: dict[str, User], acme: Organization
) -> None:
    make_agent(acme, owner=people["bob"])
    make_agent(acme)
    record_decisions(acme, "deny")
    text = facts(as_("bob").get("/").content.decode())
    assert "1 of 1 agent is active." in text
    assert "You may not read the event log" in text
    assert "denied" not in text


def test_a_stranger_sees_nothing_of_it(as_: Callable[[str], Client], acme: Organization) -> None:
    make_agent(acme, name="Refund runner")
    record_decisions(acme, "deny")
    text = facts(as_("mallory").get("/").content.decode())
    assert "Acme" not in text
    assert "You see no agents and no applications." in text
    assert "No decision was asked for in 24 h." in text


def test_nobody_is_asked_to_sign_in(as_: Callable[[str], Client]) -> None:
    answer = as_("anonymous").get("/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/login/?next=/")


def test_an_empty_organization_is_told_how_to_begin(as_: Callable[[str], Client]) -> None:
    text = as_("alice").get("/").content.decode()
    assert ".venv/bin/python manage.py apply organization.yaml" in text
    assert "docs/examples/acme.yaml" in text


def test_a_suspended_organization_says_so(as_: Callable[[str], Client], acme: Organization) -> None:
    suspend_organization(organization=acme, by=SYSTEM, now=NOW)
    assert "every decision is a deny" in as_("alice").get("/").content.decode()


def test_markup_in_names_stays_text(as_: Callable[[str], Client], acme: Organization) -> None:
    Organization.objects.filter(pk=acme.pk).update(name="<script>alert(1)</script>")
    text = as_("alice").get("/").content.decode()
    assert "<script>alert" not in text
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize("rows", [1, 20])
def test_the_number_of_queries_does_not_depend_on_the_number_of_rows(
    as_: Callable[[str], Client], acme: Organization, django_assert_max_num_queries: Any, rows: int
) -> None:
    for number in range(rows):
        make_agent(acme)
        Application.objects.create(organization=acme, slug=f"a{number}", name="A")
    record_decisions(acme, *["deny"] * rows)
    client = as_("alice")
    with django_assert_max_num_queries(8):
        assert client.get("/").status_code == 200


def test_the_first_id_of_an_instant_parts_what_was_made_before_and_after() -> None:
    before = uuid7()
    now = datetime.now(UTC) + timedelta(milliseconds=5)
    assert before < _first_id(now) < _first_id(now + timedelta(milliseconds=1))
