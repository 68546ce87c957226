"""Two at once: one wins, the other is refused, and nothing is half done."""

import pytest

from permissions.models import Role, RoleInclusion
from permissions.services.grants import end_grant
from permissions.services.guardrails import Wording, draft_guardrail, publish_guardrail
from permissions.services.resource_types import update_resource_type
from permissions.services.resources import update_resource
from permissions.services.roles import remove_role, set_role_inclusions
from permissions.services.trusts import TrustTerms, agree_trust, end_trust, propose_trust
from tests.directory.test_races import at_once, winners
from tests.factories import NOW, SYSTEM
from tests.permissions.factories import make_assignment, make_grant, make_resource, make_role, make_trust, spec
from tests.permissions.services.conftest import make_cast

pytestmark = pytest.mark.django_db(transaction=True)


def test_inclusions_at_once_form_no_circle():
    cast = make_cast()
    ring = [make_role(cast.acme, f"role-{number}") for number in range(4)]

    def include(role, included):
        return lambda: set_role_inclusions(role=role, included=[included], by=SYSTEM, now=NOW)

    results = at_once(*[include(role, ring[(number + 1) % 4]) for number, role in enumerate(ring)])
    assert len(winners(results)) == 3
    assert RoleInclusion.objects.count() == 3


def test_moves_at_once_form_no_circle():
    cast = make_cast()
    a, b = make_resource(cast.record, "a"), make_resource(cast.record, "b")

    def move(resource, parent):
        return lambda: update_resource(resource=resource, attributes={}, parent=parent, by=SYSTEM, now=NOW)

    assert len(winners(at_once(move(a, b), move(b, a)))) == 1


def test_of_two_ends_one_wins():
    cast = make_cast()
    grant = make_grant(cast.acme, cast.alice)
    assert len(winners(at_once(*[lambda: end_grant(grant=grant, by=SYSTEM, now=NOW)] * 3))) == 1
    assert grant.history.filter(ended_at__isnull=False).count() == 1


def test_a_role_is_assigned_or_removed():
    cast = make_cast()
    role = make_role(cast.acme, "role")
    copy = Role.objects.get(pk=role.pk)
    results = at_once(
        lambda: make_assignment(role, cast.alice) and "assigned",
        lambda: remove_role(role=copy, by=SYSTEM, now=NOW) or "removed",
    )
    (result,) = winners(results)
    assert Role.objects.filter(external_id="role").exists() == (result == "assigned")


def test_an_action_is_named_or_taken_away():
    cast = make_cast()
    results = at_once(
        lambda: make_grant(cast.acme, cast.alice, spec(actions=["write"])),
        lambda: update_resource_type(resource_type=cast.record, actions=["read"], attributes={}, fields={}, by=SYSTEM, now=NOW),
    )
    assert len(winners(results)) == 1


def test_one_draft_is_published_once():
    cast = make_cast()
    draft = draft_guardrail(
        organization=cast.acme, external_id="g", name="G", wording=Wording(effect="deny"), by=SYSTEM, now=NOW
    )
    publish = lambda: publish_guardrail(guardrail=draft.guardrail, number=1, by=SYSTEM, now=NOW)  # noqa: E731
    assert len(winners(at_once(publish, publish, publish))) == 1


def test_trusts_both_ways_do_not_wait_for_each_other():
    cast = make_cast()
    results = at_once(
        lambda: propose_trust(organization=cast.acme, partner=cast.elsewhere, terms=TrustTerms(), by=SYSTEM, now=NOW),
        lambda: propose_trust(organization=cast.elsewhere, partner=cast.acme, terms=TrustTerms(), by=SYSTEM, now=NOW),
    )
    assert len(winners(results)) == 2


def test_a_trust_is_ended_once_by_both_sides():
    cast = make_cast()
    trust = make_trust(cast.acme, cast.elsewhere, agreed=False)
    results = at_once(
        lambda: end_trust(trust=trust, by=cast.by, now=NOW),
        lambda: end_trust(trust=trust, by=cast.mallory.as_actor(), now=NOW),
        lambda: agree_trust(trust=trust, by=cast.mallory.as_actor(), now=NOW),
    )
    assert 1 <= len(winners(results)) <= 2
    trust.refresh_from_db()
    assert trust.ended_at == NOW
