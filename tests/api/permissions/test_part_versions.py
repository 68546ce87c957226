"""What a role, a blueprint and a guardrail were made of, and what a trust was, can be read by those who see them."""

from datetime import timedelta

import pytest
from django.utils import timezone

from permissions.models import Trust
from permissions.services.roles import set_blueprint_roles, set_role_entitlements, set_role_inclusions
from permissions.services.trusts import TrustTerms, agree_trust, end_trust, propose_trust
from tests.factories import NOW, make_blueprint
from tests.permissions.factories import make_role, spec


@pytest.fixture
def by(people):
    return {"by": people["alice"].as_actor(), "now": NOW + timedelta(hours=1)}


def test_what_a_role_entitled_to_is_read_with_who_and_why(as_, world, by):
    wider = spec(actions=["read", "write"])
    set_role_entitlements(role=world.reader, entitlements=[wider], reason="they write now", **by)
    shown = as_("carol").get(f"roles/{world.reader.pk}/entitlements/versions").json()
    kinds = [each["kind"] for each in shown["items"]]
    assert sorted(kinds) == ["created", "created", "removed"]
    assert {each["reason"] for each in shown["items"][:2]} == {"they write now"}
    assert shown["items"][0]["by"]["external_id"] == "alice"
    gone = next(each for each in shown["items"] if each["kind"] == "removed")
    assert {"field": "where", "before": 'resource.region == "EU"', "after": None} in gone["changes"]
    came = next(each for each in shown["items"] if each["kind"] == "created")
    assert {"field": "actions", "before": None, "after": ["read", "write"]} in came["changes"]
    assert not {"id", "role", "where_checked", "when_checked"} & {change["field"] for change in came["changes"]}
    assert shown["next"] is None


def test_which_roles_a_role_included_is_read(as_, world, by):
    inner = make_role(world.acme, "inner")
    set_role_inclusions(role=world.reader, included=[inner], **by)
    set_role_inclusions(role=world.reader, included=[], **by)
    shown = as_("dave").get(f"roles/{world.reader.pk}/includes/versions").json()["items"]
    assert [each["kind"] for each in shown] == ["removed", "created"]
    assert shown[0]["changes"] == [{"field": "included", "before": str(inner.pk), "after": None}]
    assert as_("carol").get(f"roles/{inner.pk}/includes/versions").json()["items"] == []


def test_which_roles_a_blueprint_handed_out_is_read(as_, world, by):
    clerk, other = make_blueprint(world.acme, "clerk"), make_blueprint(world.acme, "other")
    set_blueprint_roles(blueprint=clerk, roles=[world.reader], reason="for reading", **by)
    set_blueprint_roles(blueprint=other, roles=[world.reader], **by)
    [came] = as_("bob").get(f"blueprint-roles/{clerk.pk}/versions").json()["items"]
    assert came["changes"] == [{"field": "role", "before": None, "after": str(world.reader.pk)}]
    assert (came["kind"], came["reason"], came["by"]["external_id"]) == ("created", "for reading", "alice")


def test_a_wording_is_compared_with_itself_and_not_with_another(as_, world):
    alice = as_("alice")
    body = {"external_id": "nights", "name": "Nights", "effect": "deny"}
    guardrail = alice.post("guardrails", body).json()["id"]
    alice.post(f"guardrails/{guardrail}/publish", {"number": 1}, **{"If-Match": "*"})
    alice.post(f"guardrails/{guardrail}/draft", {"name": "Nights", "effect": "mask", "fields": ["iban"]}, **{"If-Match": "*"})
    alice.post(f"guardrails/{guardrail}/publish", {"number": 2}, **{"If-Match": "*"})
    shown = as_("carol").get(f"guardrails/{guardrail}/wordings/versions").json()["items"]
    parts: dict[str, list[tuple[str | None, str]]] = {}
    for each in reversed(shown):
        state = next(change for change in each["changes"] if change["field"] == "state")
        parts.setdefault(each["part"], []).append((state["before"], state["after"]))
    assert sorted(parts.values(), key=len) == [
        [(None, "draft"), ("draft", "published")],
        [(None, "draft"), ("draft", "published"), ("published", "superseded")],
    ]
    assert as_("dave").get(f"guardrails/{guardrail}/wordings/versions").status_code == 404


def test_parts_are_paged(as_, world, by):
    clerk = make_blueprint(world.acme, "clerk")
    for number in range(26):
        set_blueprint_roles(blueprint=clerk, roles=[world.reader], reason=str(number), **by)
        set_blueprint_roles(blueprint=clerk, roles=[], **by)
    first = as_("carol").get(f"blueprint-roles/{clerk.pk}/versions").json()
    rest = as_("carol").get(f"blueprint-roles/{clerk.pk}/versions?after={first['next']}").json()
    numbers = [each["number"] for each in (*first["items"], *rest["items"])]
    assert (len(first["items"]), len(rest["items"]), rest["next"]) == (50, 2, None)
    assert numbers == sorted(set(numbers), reverse=True)
    assert as_("carol").get(f"blueprint-roles/{clerk.pk}/versions?after=x").status_code == 422


def test_the_parts_of_what_one_does_not_see_are_not_there(as_, world):
    for path in (f"roles/{world.reader.pk}/entitlements/versions", f"roles/{world.reader.pk}/includes/versions"):
        assert as_("mallory").get(path).status_code == as_("olivia").get(path).status_code == 404
        assert as_("anonymous").get(path).status_code == 401
        assert as_("carol").post(path).status_code == 405
    clerk = make_blueprint(world.acme, "clerk")
    assert as_("mallory").get(f"blueprint-roles/{clerk.pk}/versions").status_code == 404


def test_both_sides_read_what_a_trust_was_and_neither_who_of_the_other_and_why(as_, acme, evil, people):
    alice, mallory = people["alice"].as_actor(), people["mallory"].as_actor()
    trust = propose_trust(organization=acme, partner=evil, terms=TrustTerms(), by=alice, reason="our plan", now=timezone.now())
    agree_trust(trust=trust, by=mallory, reason="their plan", now=timezone.now())
    end_trust(trust=Trust.objects.get(pk=trust.pk), by=alice, reason="enough", now=timezone.now())
    ours = as_("carol").get(f"trusts/{trust.pk}/versions").json()["items"]
    theirs = as_("mallory").get(f"trusts/{trust.pk}/versions").json()["items"]
    assert [each["by"] and each["by"]["external_id"] for each in ours] == ["alice", None, "alice"]
    assert [each["reason"] for each in ours] == ["enough", "", "our plan"]
    assert [each["by"] and each["by"]["external_id"] for each in theirs] == [None, "mallory", None]
    assert [each["reason"] for each in theirs] == ["", "their plan", ""]
    assert [each["changes"] for each in ours] == [each["changes"] for each in theirs]
    assert as_("bob").get(f"trusts/{trust.pk}/versions").status_code == 404
