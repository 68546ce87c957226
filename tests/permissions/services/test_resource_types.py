"""Resource types are declared in a form that conditions can read, and change only as far as the rules still hold."""

import pytest

from directory.services.revisions import ForeignOrganization
from directory.services.versions import InvalidRecord
from permissions.engine import conditions
from permissions.engine.attributes import ATTRIBUTE_TYPES
from permissions.models import Consent, Delegation, Entitlement, Grant, GuardrailVersion, ResourceType
from permissions.services.consents import end_consent
from permissions.services.delegations import end_delegation
from permissions.services.grants import end_grant
from permissions.services.guardrails import withdraw_guardrail
from permissions.services.resource_types import (
    BadDeclaration,
    ResourcesDependOnIt,
    declare_resource_type,
    remove_resource_type,
    update_resource_type,
)
from permissions.services.rows import Gone
from permissions.services.rules import RulesDependOnIt
from tests.factories import NOW, SYSTEM
from tests.permissions.factories import (
    RECORD_ACTIONS,
    RECORD_ATTRIBUTES,
    RECORD_FIELDS,
    make_application,
    make_consent,
    make_delegation,
    make_grant,
    make_guardrail,
    make_resource,
    make_resource_type,
    make_role,
    spec,
)


def update(resource_type, **values):
    values = {"actions": RECORD_ACTIONS, "attributes": RECORD_ATTRIBUTES, "fields": RECORD_FIELDS} | values
    return update_resource_type(resource_type=resource_type, **values, by=SYSTEM, now=NOW)


def remove_type(resource_type):
    remove_resource_type(resource_type=resource_type, by=SYSTEM, now=NOW)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"name": "two words"}, "two words"),
        ({"name": "a/b"}, "a/b"),
        ({"name": ""}, "name of a resource type"),
        ({"actions": [], "attributes": {"region": "string"}}, "container"),
        ({"actions": [], "fields": {"title": "public"}}, "container"),
        ({"actions": "read"}, "list of names"),
        ({"actions": ["read", "read"]}, "declared twice"),
        ({"actions": ["*"]}, r"'\*'"),
        ({"actions": [" read"]}, "' read'"),
        ({"actions": [7]}, "7"),
        ({"attributes": {"id": "string"}}, "'id' is taken"),
        ({"attributes": {"type": "string"}}, "'type' is taken"),
        ({"attributes": {"parent": "string"}}, "'parent' is taken"),
        ({"attributes": {"properties": "string"}}, "'properties' is taken"),
        ({"attributes": {"attributes": "string"}}, "'attributes' is taken"),
        ({"attributes": {"in": "string"}}, "condition language"),
        ({"attributes": {"1st": "string"}}, "'1st' cannot"),
        ({"attributes": {"straße": "string"}}, "'straße' cannot"),
        ({"attributes": {"region": "text"}}, "'text' is not a type"),
        ({"attributes": {"region": None}}, "None is not a type"),
        ({"fields": {"email": "private"}}, "'private' is not a class of data"),
        ({"fields": {"": "public"}}, "one field"),
    ],
)
def test_a_declaration_that_cannot_be_is_named(cast, values, words):
    values = {"name": "lead", "actions": ["read"]} | values
    with pytest.raises(BadDeclaration, match=words):
        declare_resource_type(organization=cast.acme, application=cast.crm, **values, by=SYSTEM, now=NOW)
    assert not ResourceType.objects.filter(name=values["name"]).exists()


def test_every_type_of_attribute_can_be_declared_and_used(cast):
    attributes = {f"a{number}": kind for number, kind in enumerate(ATTRIBUTE_TYPES)}
    make_resource_type(cast.acme, "all", attributes=attributes)
    for name in attributes:
        make_grant(cast.acme, cast.alice, spec(type="all", where=f"resource.{name} == resource.{name}"))


def test_a_name_is_declared_once_in_an_organization(cast):
    with pytest.raises(InvalidRecord, match="already exists"):
        make_resource_type(cast.acme, "record", application=cast.crm)
    assert make_resource_type(cast.elsewhere, "record").pk


def test_the_application_is_of_the_same_organization(cast):
    with pytest.raises(ForeignOrganization):
        make_resource_type(cast.acme, "lead", application=make_application(cast.elsewhere))


NAMING = {
    "role reader": lambda cast: make_role(cast.acme, "reader", spec(actions=["write"], fields=["email"])),
    "grant .* to agent/crm-bot": lambda cast: make_grant(cast.acme, cast.agent.user, spec(actions=["write"], fields=["email"])),
    "delegation from planner to crm-bot": lambda cast: make_delegation(
        cast.planner, cast.agent, spec(actions=["write"], fields=["email"])
    ),
    "guardrail g version 1": lambda cast: make_guardrail(
        cast.acme, "g", state="draft", resource_type=cast.record, actions=["write"], fields=["email"]
    ),
    "guardrail h version 1": lambda cast: make_guardrail(
        cast.acme, "h", state="report_only", resource_type=cast.record, actions=["write"], fields=["email"]
    ),
}


@pytest.mark.parametrize("rule", NAMING)
def test_what_a_rule_names_stays(cast, rule):
    NAMING[rule](cast)
    with pytest.raises(RulesDependOnIt, match=f"actions .*{rule}"):
        update(cast.record, actions=["read", "delete"])
    with pytest.raises(RulesDependOnIt, match=f"fields .*{rule}"):
        update(cast.record, fields={"title": "public"})
    assert update(cast.record, actions=["read", "write"], fields={"email": "secret"}).fields == {"email": "secret"}


def test_an_action_that_a_consent_names_stays(cast):
    consent = make_consent(cast.bob, cast.agent, cast.record, actions=["write"])
    with pytest.raises(RulesDependOnIt, match="consent of bob to crm-bot"):
        update(cast.record, actions=["read"])
    end_consent(consent=consent, by=cast.bob.as_actor(), now=NOW)
    assert update(cast.record, actions=["read"]).actions == ["read"]


def test_a_rule_for_every_action_names_none(cast):
    make_grant(cast.acme, cast.alice, spec(actions=["*"]))
    assert update(cast.record, actions=["export"]).actions == ["export"]


def test_all_rules_are_named_on_the_exception_and_the_first_in_the_message(cast):
    for number in range(12):
        make_role(cast.acme, f"writer-{number}", spec(actions=["write"]))
    with pytest.raises(RulesDependOnIt, match="and 2 more") as refusal:
        update(cast.record, actions=["read"])
    assert len(refusal.value.rules) == 12


REGION = 'resource.region == "EU"'
CONDITIONAL = {
    "role reader, where": lambda cast: make_role(cast.acme, "reader", spec(where=REGION)),
    "grant .* to user/alice, when": lambda cast: make_grant(cast.acme, cast.alice, spec(when=REGION)),
    "delegation from planner to crm-bot, where": lambda cast: make_delegation(cast.planner, cast.agent, spec(where=REGION)),
    "guardrail g version 1, when": lambda cast: make_guardrail(cast.acme, "g", resource_type=cast.record, when=REGION),
}


@pytest.mark.parametrize("rule", CONDITIONAL)
@pytest.mark.parametrize("region", [None, "int"])
def test_a_change_that_breaks_a_condition_is_refused(cast, rule, region):
    CONDITIONAL[rule](cast)
    attributes = {name: kind for name, kind in RECORD_ATTRIBUTES.items() if name != "region"}
    if region:
        attributes["region"] = region
    with pytest.raises(RulesDependOnIt, match=rule):
        update(cast.record, attributes=attributes)
    assert ResourceType.objects.get(pk=cast.record.pk).attributes == RECORD_ATTRIBUTES


def test_conditions_are_checked_anew_against_the_new_attributes(cast):
    condition = "resource.amount >= resource.amount"
    make_role(cast.acme, "reader", spec(where=condition))
    make_grant(cast.acme, cast.alice, spec(when=condition))
    make_delegation(cast.planner, cast.agent, spec(where=condition))
    make_guardrail(cast.acme, resource_type=cast.record, when=condition)

    def trees():
        rows = [row for model in (Entitlement, Grant, Delegation, GuardrailVersion) for row in model.objects.all()]
        checked = [getattr(row, "where_checked", None) or row.when_checked for row in rows]
        return [conditions.load(condition, bytes(each)).tree for each in checked]

    before, versions = trees(), Grant.history.count()
    update(cast.record, attributes={**RECORD_ATTRIBUTES, "amount": "int"})
    expected = conditions.load(condition, conditions.check(condition, resource={"amount": "int"})).tree
    assert trees() == [expected] * 4
    assert before != trees()
    assert Grant.history.count() == versions


def test_what_is_over_does_not_hold_a_type(cast):
    grant = make_grant(cast.acme, cast.alice, spec(actions=["write"], when=REGION))
    delegation = make_delegation(cast.planner, cast.agent, spec(actions=["write"]))
    end_grant(grant=grant, by=SYSTEM, now=NOW)
    end_delegation(delegation=delegation, by=SYSTEM, now=NOW)
    update(cast.record, actions=["read"], attributes={}, fields={})
    remove_type(cast.record)
    assert not ResourceType.objects.filter(name="record").exists()
    assert Grant.history.filter(id=grant.pk, history_type="-").exists()


def test_stored_values_keep_their_attribute(cast):
    make_resource(cast.record, "r1", region="EU", amount=1)
    smaller = {name: kind for name, kind in RECORD_ATTRIBUTES.items() if name != "region"}
    with pytest.raises(ResourcesDependOnIt, match=r"region goes.*r1"):
        update(cast.record, attributes=smaller)
    with pytest.raises(ResourcesDependOnIt, match=r"region becomes int.*r1"):
        update(cast.record, attributes={**RECORD_ATTRIBUTES, "region": "int"})
    assert update(cast.record, attributes={**RECORD_ATTRIBUTES, "amount": "int"}).attributes["amount"] == "int"


@pytest.mark.parametrize("rule", {**NAMING, **CONDITIONAL})
def test_a_type_that_rules_are_about_is_not_removed(cast, rule):
    {**NAMING, **CONDITIONAL}[rule](cast)
    with pytest.raises(RulesDependOnIt, match=rule.partition(",")[0]):
        remove_type(cast.record)


def test_a_type_of_a_subtree_a_resource_or_a_former_wording_is_not_removed(cast):
    folder = make_resource_type(cast.acme, "folder")
    role = make_role(cast.acme, "reader", spec(subtree=("folder", "f1")))
    with pytest.raises(RulesDependOnIt, match="role reader"):
        remove_type(folder)
    lead = make_resource_type(cast.acme, "lead")
    make_resource(lead, "l1")
    with pytest.raises(ResourcesDependOnIt, match="1 registered"):
        remove_type(lead)
    case = make_resource_type(cast.acme, "case")
    withdraw_guardrail(guardrail=make_guardrail(cast.acme, "g", resource_type=case), by=SYSTEM, now=NOW)
    with pytest.raises(RulesDependOnIt, match="guardrail g version 1"):
        remove_type(case)
    assert role.entitlements.count() == 1


def test_what_was_removed_is_gone_for_the_next_service(cast):
    lead = make_resource_type(cast.acme, "lead")
    copy = ResourceType.objects.get(pk=lead.pk)
    remove_type(lead)
    with pytest.raises(Gone, match="lead was removed meanwhile"):
        remove_type(copy)
    with pytest.raises(Gone):
        make_resource(copy, "l1")
    with pytest.raises(Gone):
        make_consent(cast.bob, cast.agent, copy)
    assert not Consent.objects.exists()
