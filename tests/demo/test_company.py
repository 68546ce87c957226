"""The company is whole: what pages and people look for is in it, and loading it again changes nothing."""

import io
import itertools
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from agentiam.demo.loading import CompanyLoaded, Loaded, apply_company, load_company
from agentiam.demo.manifests import COMPANY, PARTNER, company_manifest
from agentiam.manifest.exporting import export_manifest
from agentiam.manifest.reading import read_text
from audit.models import Event
from audit.selectors import verify_organization
from directory.lifecycle import State
from directory.models import Agent, Credential, Organization, Run, Team, User
from permissions.models import (
    Application,
    ApplicationKey,
    Consent,
    Delegation,
    Grant,
    GuardrailVersion,
    Replacement,
    Resource,
    Role,
    RoleAssignment,
    RoleInclusion,
    Trust,
)

pytestmark = pytest.mark.django_db

PARTNERS = {f"{PARTNER}/berth-planner": "spiffe://ostrand.example/agent/1", f"{PARTNER}/crane-scheduler": "spiffe://x/2"}


@pytest.fixture(scope="module")
def loaded(django_db_setup: None, django_db_blocker: Any) -> Iterator[Loaded]:
    """Load once for the whole module: each test has a savepoint of its own within."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield load_company(now=timezone.now())
        transaction.set_rollback(True)


def agents() -> "dict[str, Agent]":
    return {agent.external_id: agent for agent in Agent.objects.filter(organization__slug=COMPANY)}


def test_agents_are_in_every_state_and_spawned_two_deep(loaded: Loaded) -> None:
    found = agents()
    assert len(found) == 40
    assert Counter(agent.state for agent in found.values()) == {
        State.ACTIVE: 31,
        State.PENDING: 3,
        State.DISCOVERED: 2,
        State.SUSPENDED: 2,
        State.RETIRED: 2,
    }
    assert Counter(agent.depth for agent in found.values()) == {0: 35, 1: 4, 2: 1}
    assert [name for name, agent in found.items() if agent.ownerless] == ["legacy-edi-bridge"]
    assert found["legacy-edi-bridge"].owner.is_active is False


def test_pending_agents_wait_for_the_people_that_their_blueprints_ask_for(loaded: Loaded) -> None:
    found = agents()
    waiting = {name: agent.sign_offs.count() for name, agent in found.items() if agent.state == State.PENDING}
    assert waiting == {"payment-runner": 1, "ledger-closer": 0, "hull-inspector": 0}
    assert found["payment-runner"].blueprint.sign_offs == 2
    assert found["invoice-matcher"].sign_offs.count() == 2
    signers = {each.person.external_id for each in found["invoice-matcher"].sign_offs.all()}
    assert User.objects.filter(external_id__in=signers, console_roles__icontains="approver").count() == 2


def test_one_agent_is_about_to_expire_and_one_has_been_silent_for_long(loaded: Loaded) -> None:
    now = timezone.now()
    ending = [name for name, agent in agents().items() if agent.expires_at and agent.expires_at < now + timedelta(days=5)]
    assert ending == ["drydock-scheduler"]
    (silent,) = Agent.objects.exclude(dormant_since=None)
    assert silent.external_id == "fuel-watch"
    assert silent.last_seen_at is not None
    assert silent.last_seen_at < now - timedelta(days=30)
    assert Event.objects.filter(type="agent.became_dormant").count() == 1


def test_there_is_something_of_every_kind(loaded: Loaded) -> None:
    company = {"organization__slug": COMPANY}
    people = User.objects.people().filter(**company)
    assert people.filter(is_active=True).count() == 26
    assert {role for person in people for role in person.console_roles} == {
        "security_administrator",
        "approver",
        "owner",
        "auditor",
        "developer",
    }
    assert Team.objects.filter(**company, parent__parent=None).exclude(parent=None).count() == 8
    assert Team.objects.filter(**company, parent__parent__isnull=False).count() == 1
    assert Application.objects.filter(**company).count() == 6
    assert Resource.objects.filter(**company).count() == 197
    assert RoleInclusion.objects.filter(role__organization__slug=COMPANY).count() > 6
    states = Counter(GuardrailVersion.objects.filter(guardrail__organization__slug=COMPANY).values_list("state", flat=True))
    assert states == {"published": 10, "report_only": 1, "draft": 1}
    effects = set(GuardrailVersion.objects.filter(guardrail__organization__slug=COMPANY).values_list("effect", flat=True))
    assert effects == {"deny", "require_approval", "mask"}
    grants = Grant.objects.filter(**company)
    assert grants.exclude(where="").count() >= 5
    assert grants.exclude(when="").count() >= 3
    assert grants.exclude(fields=None).count() >= 4
    assert grants.exclude(subtree_id="").count() == 2
    assert grants.exclude(starts_at=None).exclude(ends_at=None).exists()
    assert RoleAssignment.objects.filter(**company, use=False, delegate=True).count() == 1
    assert (Consent.objects.filter(**company).count(), Delegation.objects.filter(**company).count()) == (8, 5)
    assert Run.objects.filter(**company, ended_at=None).count() == 5
    assert Role.objects.filter(**company).count() == 18
    assert Replacement.objects.get(**company).state == "proposed"
    assert Credential.objects.filter(**company).exists()
    assert ApplicationKey.objects.filter(**company).count() == 6


def test_delegations_form_a_chain_of_three(loaded: Loaded) -> None:
    links = set(Delegation.objects.values_list("delegator__external_id", "delegate__external_id"))
    chain = ["maintenance-planner", "drydock-scheduler", "work-order-writer", "parts-orderer"]
    assert set(itertools.pairwise(chain)) <= links


def test_the_partner_agreed_and_its_agents_hold_something_here(loaded: Loaded) -> None:
    trust = Trust.objects.get(organization__slug=COMPANY, partner__slug=PARTNER)
    assert trust.agreed_there_at is not None
    holders = Grant.objects.filter(organization__slug=COMPANY, user__organization__slug=PARTNER)
    assert sorted(holders.values_list("user__external_id", flat=True)) == ["berth-planner", "crane-scheduler"]


def test_applying_the_same_manifest_again_changes_nothing(loaded: Loaded) -> None:
    before = Event.objects.count(), list(Organization.objects.values_list("slug", "revision"))
    outcome = apply_company(now=timezone.now())
    assert outcome.changes == []
    assert (Event.objects.count(), list(Organization.objects.values_list("slug", "revision"))) == before


def test_the_company_can_be_exported_and_applied_unchanged(loaded: Loaded) -> None:
    from agentiam.manifest.applying import apply_manifest
    from tests.manifest.worlds import APPLY

    now = timezone.now()
    source = read_text(export_manifest(COMPANY, now=now), name="export.yaml")
    assert apply_manifest(source, by=APPLY, reason="", now=now, prune=True).changes == []


def test_loading_it_again_leaves_alone_what_people_changed_since(loaded: Loaded) -> None:
    User.objects.filter(external_id="marta.lind").update(name="Marta Lind-Holm")
    before = Event.objects.count()
    with pytest.raises(CompanyLoaded):
        load_company(now=timezone.now() + timedelta(days=400))
    out = io.StringIO()
    call_command("demo", stdout=out)
    assert "loaded already and stays as it is. Nothing was changed." in out.getvalue()
    assert "Password" not in out.getvalue()
    assert Event.objects.count() == before
    assert User.objects.get(external_id="marta.lind").name == "Marta Lind-Holm"


def test_another_organization_is_untouched_and_the_log_is_whole(loaded: Loaded) -> None:
    now = timezone.now()
    for organization in Organization.objects.all():
        report = verify_organization(organization.pk)
        assert report.whole, report
    # What is told of the company happened when it was loaded, and not earlier or later.
    assert not Event.objects.exclude(at__gte=now - timedelta(minutes=10), at__lte=now).exists()
    assert Agent.objects.filter(organization__slug=PARTNER).count() == 3


@pytest.mark.parametrize("today", [date(2026, 3, 28), date(2026, 10, 24), date(2028, 2, 28), date(2030, 12, 31)])
def test_it_can_be_read_on_every_day(today: date) -> None:
    plain = company_manifest(today=today, partners=PARTNERS).plain
    (agent,) = (each for each in plain["agents"] if each["id"] == "drydock-scheduler")
    assert agent["expires"].startswith((today + timedelta(days=3)).isoformat() + "T18:00:00+0")
    assert not re.search(r"<(today|ostrand)", str(plain))
