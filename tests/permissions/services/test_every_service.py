"""Every public service leaves an event, a version that says who and why, and a revision that says what it touched."""

import importlib
import inspect
import json
import pkgutil
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.apps import apps

import directory.events
import permissions.services
from agentiam.kit.actors import Actor
from audit.models import Event
from directory.models import PolicyChange
from directory.services.offboarding import retire_agent
from directory.services.revisions import EVERYTHING, SHARED, ForeignOrganization
from permissions.events import EVENT_TYPES
from permissions.services.access import give_access, withdraw_access
from permissions.services.application_keys import issue_application_key, revoke_application_key, rotate_application_key
from permissions.services.applications import (
    create_application,
    resume_application,
    suspend_application,
    update_application,
)
from permissions.services.connections import withdraw_authorization
from permissions.services.consents import end_consent, give_consent
from permissions.services.delegations import delegate, end_delegation
from permissions.services.described_clients import follow_description
from permissions.services.grants import assign_role, end_assignment, end_grant, give_grant
from permissions.services.guardrails import Wording, draft_guardrail, publish_guardrail, withdraw_guardrail
from permissions.services.issuers import IssuerTerms, add_trusted_issuer, end_trusted_issuer, update_trusted_issuer
from permissions.services.oauth_clients import remove_oauth_client, set_oauth_client
from permissions.services.offboarding import end_partner_holdings, offboard_agent, offboard_person
from permissions.services.replacement import (
    abandon_replacement,
    compare_replacement,
    complete_replacement,
    propose_replacement,
    review_replacement,
)
from permissions.services.resource_types import declare_resource_type, remove_resource_type, update_resource_type
from permissions.services.resources import register_resource, remove_resource, update_resource
from permissions.services.roles import (
    create_role,
    remove_role,
    set_blueprint_roles,
    set_role_entitlements,
    set_role_inclusions,
    update_role,
)
from permissions.services.trusts import TrustTerms, agree_trust, end_trust, propose_trust
from tests.directory.recorded import last_touched
from tests.factories import NOW, SYSTEM, make_agent, make_blueprint, make_person
from tests.permissions.factories import (
    RECORD_ACTIONS,
    RECORD_ATTRIBUTES,
    RECORD_FIELDS,
    make_assignment,
    make_authorization,
    make_consent,
    make_delegation,
    make_grant,
    make_guardrail,
    make_replacement,
    make_resource,
    make_resource_type,
    make_role,
    make_trust,
    make_trusted_issuer,
    spec,
)

REASON = "because of ticket 42"
# The answers to those who ask: they read, and are tested with what they answer.
NOT_CHANGES = frozenset({"permissions.services.decisions"})
ANSWERS = "access."
# What nobody does: see test_expiry and test_notices.
BY_THE_CLOCK = (".expired", ".expiry_announced", ".suspension_announced", ".lapsed")
# What is issued to agents, and the signs that somebody else has it: see tests/oauth.
ISSUED = ("authorization.", "token.", "token_key.", "sign.")


@dataclass
class Scenario:
    """One call of a service: its arguments, and what it must leave; ``touched`` None stands for no revision."""

    service: object
    arguments: dict
    event: str
    touched: set | None
    versions: set = field(default_factory=set)
    also: set = field(default_factory=set)


def key_of(cast):
    return issue_application_key(application=cast.crm, label="main", by=cast.by, now=NOW)[0]


def applications(cast):
    crm = {SHARED, "application/crm"}
    new = {"organization": cast.acme, "slug": "erp", "name": "ERP"}
    yield Scenario(create_application, new, "application.created", {SHARED, "application/erp"}, {"application"})
    values = {
        "name": "Sales",
        "audience": "https://crm.acme.example",
        "believes_resource_properties": False,
        "requires_tokens": True,
    }
    update = {"application": cast.crm, "believes_subject_properties": True, **values}
    yield Scenario(update_application, update, "application.updated", crm, {"application"})
    one = {"application": cast.crm}
    yield Scenario(suspend_application, one, "application.suspended", crm, {"application"})
    yield Scenario(resume_application, one, "application.resumed", crm, {"application"})


def application_keys(cast):
    yield Scenario(
        issue_application_key,
        {"application": cast.crm, "label": "main"},
        "application_key.issued",
        {"key/NEW"},
        {"applicationkey"},
    )
    key = key_of(cast)
    yield Scenario(
        rotate_application_key,
        {"key": key, "overlap": timedelta(days=1)},
        "application_key.rotated",
        {f"key/{key.public_id}", "key/NEW"},
        {"applicationkey"},
        also={"application_key.issued"},
    )
    yield Scenario(
        revoke_application_key, {"key": key}, "application_key.revoked", {f"key/{key.public_id}"}, {"applicationkey"}
    )


def resource_types(cast):
    one = {"name": "lead", "actions": ["read"]}
    new = {"organization": cast.acme, "application": cast.crm, **one}
    yield Scenario(declare_resource_type, new, "resource_type.declared", {EVERYTHING}, {"resourcetype"})
    values = {"actions": [*RECORD_ACTIONS, "export"], "attributes": RECORD_ATTRIBUTES, "fields": RECORD_FIELDS}
    update = {"resource_type": cast.record, **values}
    yield Scenario(update_resource_type, update, "resource_type.updated", {EVERYTHING}, {"resourcetype"})
    gone = {"resource_type": make_resource_type(cast.acme, "gone")}
    yield Scenario(remove_resource_type, gone, "resource_type.removed", {EVERYTHING}, {"resourcetype"})


def resources(cast):
    new = {"resource_type": cast.record, "external_id": "r1"}
    yield Scenario(register_resource, new, "resource.registered", {"resource/record/r1"}, {"resource"})
    folder = make_resource(cast.record, "folder")
    thing = make_resource(cast.record, "thing")
    make_resource(cast.record, "part", parent=thing)
    update = {"resource": thing, "attributes": {"status": "old"}, "parent": folder}
    below = {"resource/record/thing", "resource/record/part"}
    yield Scenario(update_resource, update, "resource.updated", below, {"resource"})
    lonely = {"resource": make_resource(cast.record, "lonely")}
    yield Scenario(remove_resource, lonely, "resource.removed", {"resource/record/lonely"}, {"resource"})


def roles(cast):
    new = {"organization": cast.acme, "external_id": "reader", "name": "Reader"}
    yield Scenario(create_role, new, "role.created", {SHARED}, {"role"})
    role, other = make_role(cast.acme, "writer"), make_role(cast.acme, "other", spec())
    update = {"role": role, "name": "Writer", "description": "Writes."}
    yield Scenario(update_role, update, "role.updated", {SHARED}, {"role"})
    entitlements = {"role": role, "entitlements": [spec(actions=["write"])]}
    yield Scenario(set_role_entitlements, entitlements, "role.entitlements_changed", {SHARED}, {"entitlement"})
    inclusions = {"role": role, "included": [other]}
    yield Scenario(set_role_inclusions, inclusions, "role.inclusions_changed", {SHARED}, {"roleinclusion"})
    blueprint = {"blueprint": make_blueprint(cast.acme, "bot"), "roles": [role]}
    yield Scenario(set_blueprint_roles, blueprint, "blueprint.roles_changed", {SHARED}, {"blueprintrole"})
    free = {"role": make_role(cast.acme, "free", spec())}
    yield Scenario(remove_role, free, "role.removed", {SHARED}, {"role", "entitlement"})


def grants(cast):
    role = make_role(cast.acme)
    assign = {"role": role, "holder": cast.agent.user}
    agent = {"agent/crm-bot"}
    yield Scenario(assign_role, assign, "role.assigned", agent, {"roleassignment"})
    assignment = {"assignment": make_assignment(role, cast.sales)}
    yield Scenario(end_assignment, assignment, "assignment.ended", {SHARED}, {"roleassignment"})
    give = {"organization": cast.acme, "holder": cast.carol, "entitlement": spec()}
    yield Scenario(give_grant, give, "grant.given", {"user/carol"}, {"grant"})
    yield Scenario(end_grant, {"grant": make_grant(cast.acme, cast.agent.user)}, "grant.ended", agent, {"grant"})


def guardrails(cast):
    draft = {"organization": cast.acme, "external_id": "g", "name": "G", "wording": Wording(effect="deny")}
    both = {"guardrail", "guardrailversion"}
    yield Scenario(draft_guardrail, draft, "guardrail.drafted", {SHARED}, both)
    drafted = {"guardrail": make_guardrail(cast.acme, state="draft"), "number": 1}
    yield Scenario(publish_guardrail, drafted, "guardrail.published", {SHARED}, {"guardrailversion"})
    published = {"guardrail": make_guardrail(cast.acme)}
    yield Scenario(withdraw_guardrail, published, "guardrail.withdrawn", {SHARED}, {"guardrailversion"})


def relations(cast):
    new = {"user": cast.alice, "agent": cast.agent, "resource_type": cast.record, "actions": ["read"]}
    yield Scenario(give_consent, new, "consent.given", {"user/alice"}, {"consent"})
    consent = {"consent": make_consent(cast.bob, cast.agent, cast.record)}
    yield Scenario(end_consent, consent, "consent.ended", {"user/bob"}, {"consent"})
    ours = {"delegator": cast.planner, "delegate": cast.agent, "entitlement": spec()}
    yield Scenario(delegate, ours, "delegation.given", {"agent/planner"}, {"delegation"})
    delegation = {"delegation": make_delegation(cast.planner, cast.agent)}
    yield Scenario(end_delegation, delegation, "delegation.ended", {"agent/planner"}, {"delegation"})


def trusts(cast):
    new = {"organization": cast.acme, "partner": cast.elsewhere, "terms": TrustTerms()}
    yield Scenario(propose_trust, new, "trust.proposed", {SHARED}, {"trust"})
    back = make_trust(cast.elsewhere, cast.acme, agreed=False)
    yield Scenario(agree_trust, {"trust": back}, "trust.agreed", {SHARED}, {"trust"})
    yield Scenario(end_trust, {"trust": back}, "trust.ended", {SHARED}, {"trust"})


def issuers(cast):
    terms = IssuerTerms(name="CI", uses=["workloads"])
    new = {"organization": cast.acme, "issuer": "https://new.example", "terms": terms}
    yield Scenario(add_trusted_issuer, new, "trusted_issuer.added", {"issuer/https://new.example"}, {"trustedissuer"})
    row = make_trusted_issuer(cast.acme)
    touched = {"issuer/https://ci.example"}
    changed = {"trusted": row, "terms": terms}
    yield Scenario(update_trusted_issuer, changed, "trusted_issuer.updated", touched, {"trustedissuer"})
    yield Scenario(end_trusted_issuer, {"trusted": row}, "trusted_issuer.ended", touched, {"trustedissuer"})


def oauth_clients(cast):
    terms = {"agent": cast.agent, "redirect_uris": ["https://crm-bot.example/callback"]}
    touched, rows = {"agent/crm-bot"}, {"oauthclient"}
    yield Scenario(set_oauth_client, terms, "oauth_client.registered", touched, rows)
    yield Scenario(set_oauth_client, terms | {"public": True}, "oauth_client.updated", touched, rows)
    client = set_oauth_client(**terms, by=SYSTEM, now=NOW)
    yield Scenario(remove_oauth_client, {"client": client}, "oauth_client.updated", touched, rows)
    described = terms | {"document_url": "https://crm-bot.example/client.json", "public": True}
    yield Scenario(follow_description, described, "oauth_client.registered", touched, rows)


def connections(cast):
    agreed = {"authorization": make_authorization(cast.bob, cast.agent)}
    yield Scenario(withdraw_authorization, agreed, "authorization.ended", {"token/none"})


def replacements(cast):
    def pair(number):
        leaving, coming = make_agent(cast.acme, f"old-{number}"), make_agent(cast.acme, f"new-{number}")
        make_grant(cast.acme, leaving.user)
        return leaving, coming, {f"agent/old-{number}", f"agent/new-{number}"}

    leaving, coming, both = pair(1)
    new = {"predecessor": leaving, "successor": coming}
    yield Scenario(propose_replacement, new, "replacement.proposed", both, {"replacement"})
    leaving, coming, both = pair(2)
    proposed = {"replacement": make_replacement(leaving, coming)}
    yield Scenario(compare_replacement, proposed, "replacement.compared", both, {"replacement"})
    leaving, coming, both = pair("2b")  # whoever compared does not review
    proposed = {"replacement": make_replacement(leaving, coming)}
    shown = {**proposed, "difference_hash": proposed["replacement"].difference_hash}
    versions = {"replacement", "grant"}
    yield Scenario(review_replacement, shown, "replacement.reviewed", both, versions, also={"grant.given"})
    leaving, coming, both = pair(3)
    reviewed = {"replacement": make_replacement(leaving, coming, reviewer=cast.carol)}
    yield Scenario(
        complete_replacement,
        reviewed,
        "replacement.completed",
        both,
        versions,
        also={"grant.ended", "agent.retired", "agent.offboarded"},
    )
    leaving, coming, both = pair(4)
    reviewed = {"replacement": make_replacement(leaving, coming, reviewer=cast.carol)}
    yield Scenario(abandon_replacement, reviewed, "replacement.abandoned", both, versions, also={"grant.ended"})


def offboarding(cast):
    agent, person = make_agent(cast.acme, "leaving"), make_person(cast.acme, "dora")
    for holder in (agent.user, person):
        make_grant(cast.acme, holder)
    also = {"grant.ended", "agent.retired"}
    yield Scenario(offboard_agent, {"agent": agent}, "agent.offboarded", {"agent/leaving"}, {"grant"}, also=also)
    also = {"grant.ended", "person.deactivated"}
    yield Scenario(offboard_person, {"person": person}, "person.offboarded", {"user/dora"}, {"grant"}, also=also)
    make_trust(cast.acme, cast.elsewhere)
    make_grant(cast.acme, cast.foreign_agent.user)
    retired = retire_agent(agent=cast.foreign_agent, by=SYSTEM, now=NOW)
    held = {"organization": cast.acme, "agent": retired}
    foreign = {"agent/foreign", f"agent/{retired.spiffe_id}"}
    also = {"agent.offboarded_by_partner"}
    yield Scenario(end_partner_holdings, held, "grant.ended", foreign, {"grant"}, also=also)


def access(cast):
    """What people may do with one application or role; it changes no decision of an agent's, so it makes no revision."""
    role = make_role(cast.acme, "lent")
    for thing, right, to in (
        (cast.crm, "manage_application", cast.carol),
        (cast.crm, "view_application", cast.sales),
        (role, "assign_role", cast.carol),
        (role, "manage_role", cast.sales),
    ):
        # Nobody hands on what they do not have.
        give_access(thing=thing, right=right, to=cast.alice, by=SYSTEM, now=NOW)
        one = {"thing": thing, "right": right, "to": to}
        yield Scenario(give_access, one, "access.given", None)
        yield Scenario(withdraw_access, one, "access.withdrawn", None)


PARTS = (
    access,
    applications,
    application_keys,
    resource_types,
    resources,
    roles,
    grants,
    guardrails,
    relations,
    replacements,
    trusts,
    issuers,
    oauth_clients,
    connections,
    offboarding,
)


def public_services():
    """List the functions that take ``by``: those that change something."""
    found = {}
    for module_info in pkgutil.iter_modules(permissions.services.__path__):
        name = f"permissions.services.{module_info.name}"
        if name in NOT_CHANGES:
            continue
        module = importlib.import_module(name)
        for each, function in inspect.getmembers(module, inspect.isfunction):
            parameters = inspect.signature(function).parameters
            if function.__module__ == name and not each.startswith("_") and {"by", "reason"} <= parameters.keys():
                found[each] = function
    return {name: function for name, function in found.items() if name not in {"end", "remove", "report"}}


def versions(model):
    return apps.get_model("permissions", f"historical{model}").objects


@pytest.mark.parametrize("part", PARTS)
def test_a_service_leaves_an_event_a_version_and_a_revision(cast, part):
    for scenario in part(cast):
        name = scenario.service.__name__
        revision = type(cast.acme).objects.get(pk=cast.acme.pk).revision
        known = set(Event.objects.values_list("id", flat=True))
        former = {model: set(versions(model).values_list("history_id", flat=True)) for model in scenario.versions}
        result = scenario.service(**scenario.arguments, by=cast.by, reason=REASON, now=NOW)

        happened = [e for e in Event.objects.exclude(id__in=known) if e.organization_id == cast.acme.pk]
        assert {e.type for e in happened} == {scenario.event} | scenario.also, name
        assert all((e.actor_id, e.reason, e.at) == ("alice", REASON, NOW) for e in happened), name
        made_revision = type(cast.acme).objects.get(pk=cast.acme.pk).revision - revision
        assert made_revision == (0 if scenario.touched is None else 1), name
        if scenario.touched is not None:
            new_key = getattr(result[0], "public_id", "") if isinstance(result, tuple) else ""
            assert set(last_touched(cast.acme)) == {each.replace("NEW", new_key) for each in scenario.touched}, name
        for model, before in former.items():
            made = versions(model).exclude(history_id__in=before)
            assert made.exists(), (name, model)
            assert {(v.history_user_id, v.history_change_reason, v.history_date) for v in made} == {
                (cast.alice.pk, REASON, NOW)
            }, (name, model)


@pytest.mark.parametrize("part", PARTS)
def test_nobody_of_another_organization_can_call_a_service(cast, part):
    for scenario in part(cast):
        stranger = cast.mallory.as_actor()
        nobody = Actor(kind="person", id="x", label="X")
        for actor in (nobody,) if scenario.service in (agree_trust, end_trust) else (stranger, nobody):
            before = PolicyChange.objects.count(), Event.objects.count()
            with pytest.raises(ForeignOrganization):
                scenario.service(**scenario.arguments, by=actor, reason=REASON, now=NOW)
            assert (PolicyChange.objects.count(), Event.objects.count()) == before, scenario.service.__name__
        if scenario.service in (suspend_application, agree_trust):
            # What comes next starts from here.
            scenario.service(**scenario.arguments, by=cast.by, now=NOW)


def test_every_service_and_every_event_has_its_scenario(cast):
    scenarios = [scenario for part in PARTS for scenario in part(cast)]
    assert {scenario.service.__name__ for scenario in scenarios} == set(public_services())
    # Offboarding ends what the directory knows, too, and rights on single objects are events of the directory.
    ours = {each for s in scenarios for each in {s.event, *s.also}} - {each.name for each in directory.events.EVENT_TYPES}
    assert {each for each in ours if not each.startswith(ISSUED)} == {
        each.name
        for each in EVENT_TYPES
        if not each.name.startswith((ANSWERS, *ISSUED)) and not each.name.endswith(BY_THE_CLOCK)
    }


@pytest.mark.parametrize("function", public_services().values(), ids=lambda function: function.__name__)
def test_a_service_takes_keywords_only_and_is_documented(function):
    assert {p.kind for p in inspect.signature(function).parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}
    assert inspect.getdoc(function)


def test_the_secret_of_a_key_is_nowhere(cast):
    key, token = issue_application_key(application=cast.crm, label="main", by=cast.by, reason=REASON, now=NOW)
    new, second = rotate_application_key(key=key, overlap=timedelta(0), by=cast.by, reason=REASON, now=NOW)
    revoke_application_key(key=new, by=cast.by, reason=REASON, now=NOW)
    told = [event.body for event in Event.objects.all()]
    told += [json.dumps(dict(row), default=str) for row in versions("applicationkey").values()]
    told += [repr(each) for each in (key, new, token, second)]
    hidden = (token.secret, token.text, second.secret, key.digest, new.digest)
    assert not [secret for secret in hidden for text in told if secret in text]
