"""Effective access, explanations, plans, decisions and proofs over the API: who may look, and how deep."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from agentiam.kit.ids import uuid7
from audit.models import Event
from audit.writer import get_writer
from permissions.models import Resource, RoleAssignment
from permissions.questions import Asked, Asker, Entity
from permissions.services import decisions
from permissions.services.application_keys import issue_application_key
from permissions.services.decisions import decide
from permissions.services.grants import end_assignment
from permissions.services.offboarding import offboard_agent
from permissions.services.resources import remove_resource, update_resource
from tests.api.conftest import Caller
from tests.factories import SYSTEM, make_agent
from tests.permissions.factories import (
    make_application,
    make_assignment,
    make_consent,
    make_grant,
    make_guardrail,
    make_resource_type,
    spec,
)


@pytest.fixture(autouse=True)
def _stop_writer():
    """Let no thread wait for records, with a connection of its own, when the test is over."""
    yield
    get_writer().stop()


@pytest.fixture
def allowed(world):
    """Runner reads titles of records in the EU; a guardrail asks a person about writing."""
    make_assignment(world.reader, world.runner.user)
    make_guardrail(world.acme, "ask", effect="require_approval", actions=["write"], when="context.amount > 200.0")
    return world


def path(world, agent=None, query=""):
    return f"agents/{(agent or world.runner).pk}/effective-access{query}"


def rows(answer):
    assert answer.status_code == 200, answer.content
    return {(row["type"], row["action"]): row for row in answer.json()["rows"]}


@pytest.mark.parametrize(("name", "deep"), [("alice", True), ("carol", True), ("olivia", True), ("agent", True)])
def test_those_who_see_an_agent_see_what_it_can_do(as_, allowed, name, deep):
    found = rows(as_(name).get(path(allowed)))
    assert {key: row["effect"] for key, row in found.items()} == {
        ("record", "read"): "conditional",
        ("record", "write"): "deny",
        ("record", "delete"): "deny",
    }
    [source] = found["record", "read"]["terms"][0]["sources"]
    assert (source["through"], source["where"]) == (["reader"], 'resource.region == "EU"')


def test_others_find_no_agent(as_, allowed):
    for name in ("dave", "mallory", "application"):
        assert as_(name).get(path(allowed)).status_code == 404
    assert as_("agent").get(path(allowed, allowed.helper)).status_code == 404


def test_what_guardrails_say_is_told_to_those_who_may_read_them(as_, allowed):
    make_grant(allowed.acme, allowed.runner.user, spec(actions=["write"]))
    told = {name: rows(as_(name).get(path(allowed)))["record", "write"] for name in ("carol", "olivia")}
    assert told["carol"]["guardrails"][0]["when"] == "context.amount > 200.0"
    assert told["carol"]["depends_on"] == ["context.amount"]
    assert "200.0" not in json.dumps(told["olivia"])
    assert told["olivia"]["guardrails"][0]["effect"] == "require_approval"


def test_what_others_hold_is_not_told_to_an_owner(as_, allowed):
    make_grant(allowed.acme, allowed.people["alice"], spec(where='resource.region == "US"'))
    make_consent(allowed.people["alice"], allowed.runner, allowed.record)
    query = f"?for={allowed.people['alice'].pk}"
    for name, told in (("carol", True), ("olivia", False)):
        answer = as_(name).get(path(allowed, query=query))
        if name == "olivia":
            assert answer.status_code == 422
        else:
            terms = {each["term"]: each for each in rows(answer)["record", "read"]["terms"]}
            assert ("sources" in terms["user"]) is told
    own = as_("olivia").get(path(allowed, query=f"?for={allowed.people['olivia'].pk}"))
    assert rows(own)["record", "read"]["blocked"][0]["term"] == "consent"


def test_it_can_be_asked_about_later_and_about_some_only(as_, allowed):
    grant = make_grant(allowed.acme, allowed.runner.user, spec(), ends_at=timezone.now() + timedelta(days=2))
    assert grant.ends_at is not None
    alice = as_("alice")
    assert list(rows(alice.get(path(allowed, query="?type=record&action=read")))) == [("record", "read")]
    assert rows(alice.get(path(allowed)))["record", "read"]["effect"] == "allow"
    later = (timezone.now() + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert rows(alice.get(path(allowed, query=f"?at={later}")))["record", "read"]["effect"] == "conditional"


@pytest.mark.parametrize("query", ["?at=yesterday", "?for=7", "?typ=record", "?at=2020-01-01T00:00:00Z", "?type=" + "x" * 201])
def test_a_parameter_that_means_nothing_is_refused(as_, allowed, query):
    answer = as_("alice").get(path(allowed, query=query))
    assert answer.status_code == 422, answer.content
    assert answer.json()["errors"]


@pytest.mark.parametrize(("query", "pointer"), [("?type=recrod", "/type"), ("?type=record&action=raed", "/action")])
def test_a_misspelt_type_or_action_is_not_taken_for_no_access(as_, allowed, query, pointer):
    answer = as_("alice").get(path(allowed, query=query))
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert error["pointer"] == pointer
    assert "there are: " in error["detail"]


def test_it_can_be_asked_about_an_instant_behind(as_, allowed):
    [assignment] = RoleAssignment.objects.all()
    end_assignment(assignment=assignment, by=SYSTEM, now=timezone.now())
    alice, then = as_("alice"), "2026-01-06T00:00:00Z"
    assert rows(alice.get(path(allowed)))["record", "read"]["effect"] == "deny"
    answer = alice.get(path(allowed, query=f"?at={then}"))
    assert answer.json()["revision"] is None
    assert rows(answer)["record", "read"]["effect"] == "conditional"
    assert alice.post("explain", question("r1", at=then)).json()["decision"] is True
    assert alice.post("explain", question("r1")).json()["decision"] is False


def test_what_an_object_was_is_told_to_those_who_see_it(as_, allowed):
    resource = Resource.objects.get(external_id="r2")
    update_resource(resource=resource, attributes={"region": "FR"}, parent=None, by=SYSTEM, now=timezone.now())
    then = "2026-01-06T00:00:00Z"
    for name, sees in (("alice", True), ("carol", True), ("olivia", False)):
        told = as_(name).post("explain", question(at=then))
        assert told.json()["decision"] is False
        assert ('"US"' in told.content.decode()) is sees
    remove_resource(resource=resource, by=SYSTEM, now=timezone.now())
    assert "US" not in as_("olivia").post("explain", question(at=then)).content.decode()


# --- explanations ------------------------------------------------------------------------------------------------------------


def question(resource="r2", **more):
    asked = {
        "subject": {"type": "agent", "id": "runner"},
        "action": {"name": "read"},
        "resource": {"type": "record", "id": resource},
    }
    return asked | more


def test_an_explanation_says_what_was_seen_to_those_who_may_see_it(as_, allowed):
    told = as_("alice").post("explain", question())
    assert told.status_code == 200, told.content
    assert told.json()["decision"] is False
    assert told.json()["lost"]["tried"][0]["conditions"][0]["seen"] == "US"
    assert told.json()["terms"][0]["tried"][0]["covers"] is False
    assert as_("alice").post("explain", question("r1")).json()["decision"] is True
    # Nothing was decided for anybody, so nothing is recorded as a decision.
    assert not Event.objects.filter(type__in=("access.decided", "access.searched", "access.planned")).exists()


def test_an_owner_who_does_not_see_the_object_is_not_told_its_attributes(as_, allowed):
    told = as_("olivia").post("explain", question())
    assert (told.status_code, told.json()["decision"]) == (200, False)
    assert "US" not in told.content.decode()
    supposed = question("new")
    supposed["resource"]["properties"] = {"region": "FR"}
    assert as_("olivia").post("explain", supposed).json()["lost"]["tried"][0]["conditions"][0]["seen"] == "FR"


def test_an_agent_is_told_no_more_than_by_the_decision_api(as_, allowed):
    told = as_("agent").post("explain", question()).json()
    assert "US" not in json.dumps(told)
    assert told["guardrails"] == []
    other = question()
    other["subject"]["id"] = "helper"
    assert as_("agent").post("explain", other).status_code == 422


def test_nobody_explains_what_they_do_not_see(as_, allowed):
    unknown = question()
    unknown["subject"]["id"] = "nobody"
    for name in ("dave", "mallory"):
        assert as_(name).post("explain", question()).json() == as_(name).post("explain", unknown).json()
    person = question() | {"subject": {"type": "user", "id": "bob"}}
    assert as_("alice").post("explain", person).status_code == 422
    assert as_("bob").post("explain", person).status_code == 200
    behalf = question(context={"on_behalf_of": {"type": "user", "id": "mallory"}})
    assert as_("alice").post("explain", behalf).status_code == 422
    chain = question(context={"delegation": ["agent/nobody"]})
    assert as_("alice").post("explain", chain).status_code == 422


def test_a_malformed_question_names_the_place(as_, allowed):
    bad = question(context={"delegation": "planner"})
    answer = as_("alice").post("explain", bad)
    assert (answer.status_code, answer.json()["pointer"]) == (400, "/context/delegation")
    assert as_("alice").post("explain", {}).status_code == 422
    assert as_("alice").post("explain", question(at="2020-01-01T00:00:00Z")).status_code == 422


# --- plans -------------------------------------------------------------------------------------------------------------------


def rows_asked(**more):
    return {
        "subject": {"type": "agent", "id": "runner"},
        "action": {"name": "read"},
        "resource": {"type": "record"},
    } | more


@pytest.fixture
def crm(allowed, client):
    _, token = issue_application_key(application=allowed.crm, label="t", scopes=("decide",), by=SYSTEM, now=timezone.now())
    return Caller(client, Authorization=f"Bearer {token.text}")


@pytest.mark.django_db(transaction=True)
def test_an_application_gets_the_rows_of_its_own_types_and_it_is_recorded(crm, allowed):
    sql = {"dialect": "postgresql", "columns": {"region": "customers.region"}}
    answer = crm.post("plans", rows_asked(sql=sql))
    assert answer.status_code == 200, answer.content
    told = answer.json()
    assert (told["none"], told["sql"]["params"]) == (False, ["EU"])
    # In which order a type has its fields, its database says.
    assert sorted(sorted(each["fields"]) for each in told["fields"]) == [["email", "iban"], ["title"]]
    event = Event.objects.get(pk=told["plan_id"])
    assert (event.type, event.actor_kind, event.actor_id) == ("access.planned", "application", "crm")
    assert json.loads(event.body)["data"]["caller"]["key"]
    make_resource_type(allowed.acme, "table", application=make_application(allowed.acme, "lake"))
    theirs = crm.post("plans", rows_asked(resource={"type": "table"})).json()
    assert (theirs["none"], theirs["lost"]["term"]) == (True, "resource_type")


@pytest.mark.django_db(transaction=True)
def test_who_may_not_decide_plans_nothing(as_, crm, allowed):
    assert as_("application", scopes=("read", "write")).post("plans", rows_asked()).status_code == 403
    assert as_("mallory").post("plans", rows_asked()).status_code == 422
    assert as_("dave").post("plans", rows_asked()).status_code == 422
    other = rows_asked(subject={"type": "agent", "id": "helper"})
    assert as_("agent", scopes=("decide",)).post("plans", other).status_code == 403
    assert as_("agent", scopes=("decide",)).post("plans", rows_asked()).status_code == 200
    assert Event.objects.filter(type="access.planned").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_plan_is_never_answered_from_memory_nor_without_its_record(crm, allowed, monkeypatch):
    key = {"Idempotency-Key": "0123456789abcdef"}
    assert crm.post("plans", rows_asked(), **key).status_code == 400
    monkeypatch.setattr(decisions, "PATIENCE_SECONDS", 0.0)
    answer = crm.post("plans", rows_asked())
    assert (answer.status_code, answer["Retry-After"]) == (503, "1")
    assert not Event.objects.filter(type="access.planned").exists()


@pytest.mark.django_db(transaction=True)
def test_columns_are_names_and_what_has_no_column_is_said(crm, allowed):
    for columns in ({"region": 'x"; DROP TABLE y; --'}, {"region": "a.b.c.d"}, {"region": ""}):
        assert crm.post("plans", rows_asked(sql={"dialect": "sqlite", "columns": columns})).status_code == 422
    answer = crm.post("plans", rows_asked(sql={"dialect": "sqlite", "columns": {"status": "s"}}))
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:agentiam:problem:not-plannable")


# --- decisions ---------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_decision_is_read_in_full_or_as_it_was_told(as_, crm, allowed):
    asker = Asker("application", "crm", "CRM", believes_resource_properties=True)
    asked = Asked(subject=Entity("agent", "runner"), action="read", resource=Entity("record", "r2"))
    result = decide(organization=allowed.acme, asked=asked, caller=asker, now=timezone.now())
    where = f"decisions/{result.evaluation_id}"
    for name in ("alice", "carol", "olivia"):
        told = as_(name).get(where).json()
        assert (told["depth"], told["question"]["resource"]) == ("full", "r2")
        assert "US" in json.dumps(told)
    for caller in (as_("agent"), crm):
        told = caller.get(where).json()
        assert (told["depth"], told["question"], told["decision"]) == ("told", None, False)
        assert "US" not in json.dumps(told)
    for name in ("bob", "dave", "mallory", "application"):
        expected = 200 if name == "bob" else 404
        assert as_(name).get(where).status_code == expected, name
    assert as_("alice").get(f"decisions/{uuid7()}").status_code == 404
    change = Event.objects.filter(type="role.assigned").first()
    assert as_("alice").get(f"decisions/{change.pk}").status_code == 404


# --- proofs ------------------------------------------------------------------------------------------------------------------


def test_a_proof_is_read_checked_and_taken_away(as_, allowed):
    leaving = make_agent(allowed.acme, "leaving", owner=allowed.people["olivia"])
    _, proof = offboard_agent(agent=leaving, by=SYSTEM, reason="done", now=timezone.now())
    where = f"attestations/{proof.pk}"
    for name in ("alice", "carol", "olivia"):
        told = as_(name).get(where).json()
        assert (told["kind"], told["target_id"]) == ("offboarding", "leaving")
        assert as_(name).get(f"{where}/verify").json() == {"genuine": True, "problems": []}
    for name in ("dave", "mallory", "agent", "application"):
        assert as_(name).get(where).status_code == 404
        assert as_(name).get(f"{where}/proof").status_code == 404
    from audit.attestations import verify_proof

    assert verify_proof(as_("alice").get(f"{where}/proof").content).genuine
