"""OCSF in both versions: every event type of the product, checked against the schema's rules."""

import hashlib
import json
from typing import Any

import pytest

from agentiam.kit.actors import Actor, system
from audit import events
from audit.chain import GENESIS
from audit.export.ocsf import classes
from audit.export.ocsf.classes import Class, Schema
from audit.export.ocsf.mapping import known_noun
from audit.models import Event
from audit.services import Target
from tests.audit.export.conftest import CAROL, RULE, decision
from tests.audit.export.ocsf_checking import mistakes
from tests.audit.export.ocsf_rules import RULES
from tests.audit.tampering import pk, tamper

pytestmark = pytest.mark.django_db
threads = pytest.mark.django_db(transaction=True)
"""For what the writer's thread records."""

FORMATS = {"ocsf": Schema.NEXT, "ocsf-1.8": Schema.STABLE}
REGISTERED = sorted({event_type.name for event_type in events.event_types()})
RUNNER = Actor(kind="agent", id="runner", label="Runner", address="2001:db8::1")
HOLDERS = {"agent": "agent/runner", "user": "user/alice", "team": "team/finance"}
WORDS = {"type": "record", "actions": ["read", "write"]}
# What the services say of these nouns, as far as a class needs it.
DATA: dict[str, dict[str, Any]] = {
    "credential": {"agent": "runner", "kind": "api_key", "public_id": "Publ1cIdPubl1cId"},
    "application_key": {"application": "crm", "kind": "api_key", "public_id": "Publ1cIdPubl1cId"},
    "grant": {"holder": "agent/runner", "entitlement": WORDS},
    "role": {"holder": "agent/runner", "role": "reader"},
    "assignment": {"holder": "agent/runner", "role": "reader"},
    "consent": {"user": "alice", "agent": "runner", **WORDS},
    "delegation": {"delegator": "planner", "delegate": "runner", "entitlement": WORDS},
    "access": {"right": "operate_agent", "to": {"type": "person", "id": "bob", "label": "Bob"}},
    "run": {"agent": "runner"},
}


def target(name: str) -> Target:
    return Target(type=name.partition(".")[0], id="thing-1", label="Thing one")


def of_type(lines, format_name, name, **options):
    return next(line for line in lines(format_name, **options) if line["metadata"]["event_code"] == name)


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("by", [CAROL, RUNNER, system("clock")], ids=lambda by: by.kind)
def test_every_registered_event_type_becomes_a_valid_event(lines, happen, format_name, by):
    names = [event_type.name for event_type in events.event_types()]
    for name in names:
        for data in ({}, DATA.get(name.partition(".")[0], {})):
            happen(name, by=by, target=target(name), data=data)
        happen(name, by=by, data={"anything": ["else", 1]}, reason="")
    found = lines(format_name)
    assert len(found) == 3 * len(names)
    wrong = {line["metadata"]["event_code"]: said for line in found if (said := mistakes(line, FORMATS[format_name]))}
    assert wrong == {}


def test_every_noun_of_the_product_has_a_class_that_was_chosen_for_it():
    assert {name.partition(".")[0] for name in REGISTERED if not known_noun(name.partition(".")[0])} == set()


@pytest.mark.parametrize("schema", list(Schema))
def test_numbers_and_captions_are_those_of_the_schema(schema):
    named = [each for each in vars(classes).values() if isinstance(each, Class)]
    for each in named:
        rule = RULES[schema]["classes"].get(each.uid)
        if rule is None:
            continue
        captions = dict(part.split(" ", 1) for part in rule["numbers"]["activity_id"].split("|"))
        assert each.name == rule["name"]
        known = {number: caption for number, caption in each.activities.items() if str(number) in captions}
        assert known == {number: captions[str(number)] for number in known}
        assert schema is Schema.STABLE or known == dict(each.activities)


CHOSEN = {
    # type: (class and activity in 1.9, in 1.8)
    "access.decided": (600302, 600302),
    "access.searched": (600302, 600302),
    "access.given": (300714, 300501),
    "access.withdrawn": (300715, 300502),
    "agent.registered": (300401, 300401),
    "agent.updated": (300403, 300403),
    "agent.activated": (300408, 300408),
    "agent.suspended": (300412, 300412),
    "agent.resumed": (300413, 300413),
    "agent.retired": (300404, 300404),
    "agent.signed_off": (300499, 300499),
    "credential.issued": (300718, 300199),
    "credential.revoked": (300719, 300199),
    "application_key.issued": (300718, 300199),
    "grant.given": (300714, 300501),
    "grant.ended": (300715, 300502),
    "role.assigned": (300716, 300501),
    "assignment.ended": (300717, 300502),
    "role.created": (300801, 300401),
    "role.entitlements_changed": (300802, 300403),
    "role.removed": (300803, 300404),
    "guardrail.published": (300408, 300408),
    "guardrail.withdrawn": (300409, 300409),
    "trust.ended": (300404, 300404),
    "person.created": (300701, 300101),
    "person.deactivated": (300705, 300105),
    "person.reactivated": (300704, 300102),
    "person.signed_in": (300201, 300201),
    "person.refused": (300201, 300201),
    "person.signed_out": (300202, 300202),
    "team.created": (300606, 300606),
    "team.updated": (300609, 300699),
    "run.started": (600203, 600203),
    "run.ended": (600204, 600204),
    "log.exported": (600302, 600302),
    "log.export_completed": (600302, 600302),
}


@threads
@pytest.mark.parametrize("name", CHOSEN)
def test_an_event_has_the_class_and_activity_that_fit(lines, happen, organization_id, writer, name):
    if name == "access.decided":
        writer.submit([decision(organization_id)]).result(10)
    else:
        happen(name, target=target(name), data=DATA.get(name.partition(".")[0], {}))
    assert of_type(lines, "ocsf", name)["type_uid"] == CHOSEN[name][0]
    assert of_type(lines, "ocsf-1.8", name)["type_uid"] == CHOSEN[name][1]


@pytest.mark.parametrize(
    ("kind", "given", "assigned"), [("agent", 300714, 300716), ("user", 300714, 300716), ("team", 300601, 300612)]
)
def test_what_a_team_gets_is_an_event_about_a_group(lines, happen, kind, given, assigned):
    happen("grant.given", target=target("grant"), data={"holder": HOLDERS[kind], "entitlement": WORDS})
    happen("role.assigned", target=target("role"), data={"holder": HOLDERS[kind], "role": "reader"})
    grant, role = of_type(lines, "ocsf", "grant.given"), of_type(lines, "ocsf", "role.assigned")
    assert (grant["type_uid"], role["type_uid"]) == (given, assigned)
    assert grant["privileges"] == ["record:read", "record:write"]
    assert role["iam_roles"] == [{"uid": "reader", "name": "reader"}]
    holder = grant["group" if kind == "team" else "user"]
    assert holder["uid"] == HOLDERS[kind].partition("/")[2]
    assert of_type(lines, "ocsf-1.8", "role.assigned")["privileges"] == ["role:reader"]


@threads
def test_a_decision_names_agent_application_user_rules_and_outcome(lines, organization_id, writer):
    writer.submit([decision(organization_id)]).result(10)
    event = lines("ocsf")[0]
    assert mistakes(event, Schema.NEXT) == []
    assert event["ai_agent"] == {"uid": "runner", "name": "runner", "type_id": 0, "type": "Unknown", "instance_uid": "task-7"}
    actor = event["actor"]
    assert (actor["app_uid"], actor["user"]["uid"]) == ("crm", "alice")
    assert actor["session"]["credential_uid"] == "Publ1cIdPubl1cId"
    policy = {"uid": "g-1", "name": "grant/g-1", "type": "grant", "version": "3", "is_applied": True}
    assert actor["authorizations"][0] == {"decision": "allow", "policy": policy}
    assert actor["authorizations"][1]["policy"]["is_applied"] is False
    assert (event["api"]["operation"], event["src_endpoint"]) == ("read", {"ip": "10.0.0.9"})
    assert event["resources"] == [{"type": "record", "name": "record", "uid": "record-1"}]
    assert (event["status_id"], event["status_code"], event["disposition_id"]) == (1, "allow", 1)
    assert sorted(event["metadata"]["profiles"]) == ["ai_operation", "record_integrity", "security_control"]
    assert event["time"] == int(Event.objects.get(type="access.decided").at.timestamp() * 1000)


@threads
@pytest.mark.parametrize(("effect", "disposition"), [("deny", 26), ("escalate", 14)])
def test_what_was_not_allowed_is_a_failure_with_its_reason(lines, organization_id, writer, effect, disposition):
    writer.submit([decision(organization_id, effect, reason="Denied by consent")]).result(10)
    for format_name, schema in FORMATS.items():
        event = of_type(lines, format_name, "access.decided")
        assert mistakes(event, schema) == []
        assert (event["status_id"], event["status_code"], event["status_detail"]) == (2, effect, "Denied by consent")
        assert (event["action_id"], event["disposition_id"]) == (2, disposition)
        assert event["actor"]["authorizations"][0] == {"decision": effect}


@threads
@pytest.mark.parametrize(("action", "activity"), [("create", 1), ("read", 2), ("Update", 3), ("delete", 4), ("refund", 99)])
def test_the_activity_of_a_decision_is_its_action(lines, organization_id, writer, action, activity):
    writer.submit([decision(organization_id, question={"action": action})]).result(10)
    event = lines("ocsf")[0]
    assert event["activity_id"] == activity
    assert event["api"]["operation"] == action
    assert mistakes(event, Schema.NEXT) == []


@threads
@pytest.mark.parametrize("key", ["Publ1cIdPubl1cId", ""])
def test_a_decision_that_an_agent_asked_for_itself_has_an_actor_too(lines, organization_id, writer, key):
    caller = {"caller": {"kind": "agent", "id": "runner", "key": key}}
    writer.submit([decision(organization_id, question={"on_behalf_of": None, "task": ""}, data=caller)]).result(10)
    for format_name, schema in FORMATS.items():
        assert mistakes(lines(format_name)[0], schema) == []
    assert "user" not in lines("ocsf")[0]["actor"]
    assert lines("ocsf-1.8")[0]["actor"]["user"]["type"] == "AI Agent"


@threads
def test_the_stable_version_knows_neither_agents_nor_attestations(lines, happen, organization_id, writer):
    happen("agent.suspended", by=RUNNER, target=target("agent"))
    writer.submit([decision(organization_id)]).result(10)
    for event in lines("ocsf-1.8"):
        assert event["metadata"]["version"] == "1.8.0"
        assert not {"ai_agent", "attestation_list"} & event.keys()
        assert not {"ai_operation", "record_integrity"} & set(event["metadata"]["profiles"])
        assert set(event["raw_data_hash"]) == {"algorithm_id", "algorithm", "value"}


@threads
def test_an_event_proves_itself_against_the_chain(lines, log):
    by_id = {str(event.id): event for event in Event.objects.all()}
    found = [line for line in lines("ocsf") if line["metadata"]["uid"] in by_id]
    assert len(found) == len(by_id) == 20
    for line in found:
        event, attestation = by_id[line["metadata"]["uid"]], line["attestation_list"][0]
        record = json.loads(line["raw_data"])
        fingerprint = hashlib.sha256(line["raw_data"].encode()).hexdigest()
        assert fingerprint == attestation["fingerprint"]["value"] == line["raw_data_hash"]["value"] == event.hash
        assert attestation["chain_uid"] == str(event.chain_id)
        if record["previous"] == GENESIS:
            assert "prev_event" not in attestation
        else:
            before = Event.objects.get(chain=event.chain_id, sequence=event.sequence - 1)
            previous = attestation["prev_event"]
            assert (previous["uid"], previous["fingerprint"]["value"]) == (str(before.id), before.hash)
            assert previous["type_uid"] in {300412, 600399}


def test_the_event_before_is_found_where_it_is_left_out(lines, happen):
    first = happen("grant.given", data=DATA["grant"])
    second = happen("agent.suspended")
    only = lines("ocsf", after=first.id)[0]
    assert only["metadata"]["uid"] == str(second.id)
    previous = only["attestation_list"][0]["prev_event"]
    assert (previous["uid"], previous["type_uid"], previous["fingerprint"]["value"]) == (str(first.id), 300714, first.hash)


def test_an_event_whose_forerunner_was_removed_says_where_that_stood(lines, happen):
    first, second = happen("agent.suspended"), happen("agent.resumed")
    tamper(("DELETE FROM audit_event WHERE id = %s", [pk(first.id)]))
    previous = of_type(lines, "ocsf", "agent.resumed")["attestation_list"][0]["prev_event"]
    assert previous["uid"] == f"{second.chain_id}/1"
    assert previous["fingerprint"]["value"] == first.hash


def test_severity_is_the_registered_one_and_a_sign_in_that_was_refused_a_failure(lines, happen):
    happen("guardrail.withdrawn", target=target("guardrail"))
    happen("person.refused", target=Target(type="person", id="alice", label="Alice"))
    guardrail, refused = lines("ocsf")[:2]
    assert (guardrail["severity_id"], guardrail["severity"]) == (4, "High")
    assert (refused["status_id"], refused["user"]["uid"], refused["service"]) == (2, "alice", {"name": "agentiam"})


def test_a_credential_is_named_by_its_public_id_and_nothing_else(lines, happen):
    happen("credential.issued", target=Target(type="credential", id="1", label="ci"), data=DATA["credential"])
    user = lines("ocsf")[0]["user"]
    assert user["programmatic_credentials"] == [{"uid": "Publ1cIdPubl1cId", "type": "api_key"}]
    assert (user["uid"], user["type"]) == ("runner", "AI Agent")


def test_a_rule_has_the_form_that_the_decision_point_writes():
    assert set(RULE) == {"kind", "id", "version"}


def test_the_checker_finds_what_is_wrong(lines, happen):
    happen("agent.suspended", target=target("agent"))
    event = lines("ocsf")[0]
    assert mistakes(event, Schema.NEXT) == []
    changes: tuple[dict[str, Any], ...] = (
        {"activity_id": 55},
        {"severity_id": 9},
        {"entity": {"type": "x"}},
        {"entity": {}},
        {"invented": 1},
        {"type_uid": 1},
        {"time": 5},
        {"class_name": "Entity"},
        {"status": "Failure"},
        {"metadata": event["metadata"] | {"profiles": []}},
        {"metadata": {"version": "1.9.0-dev", "profiles": ["record_integrity"]}},
    )
    for change in changes:
        assert mistakes(event | change, Schema.NEXT), change
    assert mistakes({name: value for name, value in event.items() if name != "entity"}, Schema.NEXT) == ["/entity is missing"]
