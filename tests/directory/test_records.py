"""Every service leaves an event that says who and why, a version that says the same, and a new revision."""

import inspect
import pkgutil
from datetime import timedelta
from importlib import import_module

import pytest

from agentiam.kit.tokens import Token
from directory import services
from directory.events import EVENT_TYPES
from directory.lifecycle import State
from directory.models import Organization, User
from directory.services import (
    access,
    agents,
    blueprints,
    cards,
    console_roles,
    credentials,
    fingerprints,
    invitations,
    onboarding_tokens,
    organizations,
    people,
    person_keys,
    runs,
)
from directory.services.onboarding import Onboarded
from tests.directory.cards.written import CARD
from tests.directory.recorded import events_of, revision
from tests.directory.test_credentials import OKP_KEY
from tests.factories import NOW, SYSTEM, make_agent, make_blueprint, make_person

WHY = "Because the auditor will ask: " + "why? " * 40
STEPS = {"reports", "transitions", "versions"}
PROFILE = agents.AgentProfile(name="New", purpose="New.")


def public_services():
    """Find the functions that change something: those that are told who does it, and when."""
    found = {}
    for module in pkgutil.iter_modules(services.__path__):
        if module.name in STEPS:
            continue
        loaded = import_module(f"directory.services.{module.name}")
        for name, function in inspect.getmembers(loaded, inspect.isfunction):
            defined_here = function.__module__ == loaded.__name__ and not name.startswith("_")
            if defined_here and {"by", "now"} <= inspect.signature(function).parameters.keys():
                found[name] = function
    del found["add_agent"]  # a step of registering, discovering and spawning
    del found["suspend_locked"]  # a step of suspending
    return found


SERVICES = public_services()


def accountable(cast):
    return {"organization": cast.acme, "external_id": "new", "owner": cast.bob, "sponsor": cast.bob}


def key(cast):
    return credentials.issue_api_key(agent=cast.agent, label="key", by=SYSTEM, now=NOW)[0]


def actor(cast, arguments, **place):
    """Name who does it: alice, but for what only an agent does for its child."""
    child = arguments.get("child")
    return (cast.alice if child is None else child.parent.user).as_actor(**place)


def own_key(cast):
    return person_keys.issue_person_key(user=cast.alice, label="key", by=SYSTEM, now=NOW)[0]


def governed(cast):
    console_roles.set_console_roles(person=cast.alice, roles=["security_administrator"], by=SYSTEM, now=NOW)
    return cast


def invited(cast):
    return invitations.invite_person(organization=cast.acme, email="new@acme.example", by=SYSTEM, now=NOW)


def unreviewed(cast):
    for model_hash in ("sha256:1", "sha256:2"):
        agent = fingerprints.report_fingerprints(agent=cast.agent, model_hash=model_hash, by=SYSTEM, now=NOW)
    return agent


def with_card(cast, *, published=False):
    agent = cards.set_agent_card(agent=cast.agent, card=CARD, by=SYSTEM, now=NOW)
    return cards.publish_agent_card(agent=agent, by=SYSTEM, now=NOW) if published else agent


def ci_token(cast):
    terms = {"blueprint": make_blueprint(cast.acme), "label": "ci", "owner": cast.bob, "sponsor": cast.bob}
    return onboarding_tokens.issue_onboarding_token(**terms, by=SYSTEM, now=NOW)[0]


def inactive(person):
    return people.deactivate_person(person=person, by=SYSTEM, now=NOW)


def with_temporary_password(cast):
    return people.set_password(person=cast.alice, password="given", temporary=True, by=SYSTEM, now=NOW)


def suspended(organization):
    return organizations.suspend_organization(organization=organization, by=SYSTEM, now=NOW)


def shared(cast):
    access.give_access(thing=cast.agent, right="view_agent", to=cast.carol, by=SYSTEM, now=NOW)
    return {"thing": cast.agent, "right": "view_agent", "to": cast.carol}


def spawner(cast):
    return make_agent(cast.acme, blueprint=make_blueprint(cast.acme, spawn_depth=1, spawn_children=1))


ACME = {"name": "A", "time_zone": "UTC", "subject_types": {}}

SCENARIOS = {
    "create_organization": (lambda cast: {"slug": "new", "name": "New", "trust_domain": "new.example"}, "organization.created"),
    "update_organization": (lambda cast: {"organization": cast.acme, **ACME}, "organization.updated"),
    "suspend_organization": (lambda cast: {"organization": cast.acme}, "organization.suspended"),
    "resume_organization": (lambda cast: {"organization": suspended(cast.acme)}, "organization.resumed"),
    "create_person": (
        lambda cast: {"organization": cast.acme, "external_id": "new", "username": "new", "name": "New"},
        "person.created",
    ),
    "update_person": (lambda cast: {"person": cast.bob, "name": "B", "email": "", "attributes": {}}, "person.updated"),
    "deactivate_person": (lambda cast: {"person": cast.bob}, "person.deactivated"),
    "reactivate_person": (lambda cast: {"person": inactive(cast.bob)}, "person.reactivated"),
    "set_password": (lambda cast: {"person": cast.alice, "password": "correct horse"}, "person.password_changed"),
    "use_up_password": (lambda cast: {"person": with_temporary_password(cast)}, "person.password_used_up"),
    "end_sessions": (lambda cast: {"person": cast.bob}, "sessions.ended"),
    "reset_second_factors": (lambda cast: {"person": cast.bob}, "second_factor.reset"),
    "set_console_roles": (lambda cast: {"person": governed(cast).bob, "roles": ["auditor"]}, "person.roles_changed"),
    "invite_person": (lambda cast: {"organization": cast.acme, "email": "new@acme.example"}, "person.invited"),
    "resend_invitation": (lambda cast: {"invitation": invited(cast)}, "invitation.resent"),
    "withdraw_invitation": (lambda cast: {"invitation": invited(cast)}, "invitation.withdrawn"),
    "accept_invitation": (
        lambda cast: {"invitation": invited(cast), "name": "New", "password": "correct horse"},
        "invitation.accepted",
    ),
    "issue_person_key": (lambda cast: {"user": cast.alice, "label": "key"}, "person_key.issued"),
    "rotate_person_key": (lambda cast: {"key": own_key(cast), "overlap": timedelta(days=1)}, "person_key.rotated"),
    "revoke_person_key": (lambda cast: {"key": own_key(cast)}, "person_key.revoked"),
    "create_team": (lambda cast: {"organization": cast.acme, "external_id": "new", "name": "New"}, "team.created"),
    "update_team": (lambda cast: {"team": cast.sales, "name": "New", "parent": None}, "team.updated"),
    "set_team_members": (lambda cast: {"team": cast.sales, "members": [cast.bob]}, "team.members_changed"),
    "create_blueprint": (
        lambda cast: {"organization": cast.acme, "external_id": "new", "terms": blueprints.BlueprintTerms(name="New")},
        "blueprint.created",
    ),
    "update_blueprint": (
        lambda cast: {"blueprint": make_blueprint(cast.acme), "terms": blueprints.BlueprintTerms(name="New")},
        "blueprint.updated",
    ),
    "record_discovery": (lambda cast: {**accountable(cast), "name": "?", "seen_in": "a log"}, "agent.discovered"),
    "register_agent": (lambda cast: {**accountable(cast), "profile": PROFILE}, "agent.registered"),
    "update_agent": (lambda cast: {"agent": cast.agent, "profile": PROFILE}, "agent.updated"),
    "onboard_agent": (lambda cast: {**accountable(cast), "profile": PROFILE}, "agent.activated"),
    "report_fingerprints": (lambda cast: {"agent": cast.agent, "model_hash": "sha256:1"}, "agent.fingerprinted"),
    "review_agent": (lambda cast: {"agent": unreviewed(cast)}, "agent.reviewed"),
    "set_agent_card": (lambda cast: {"agent": cast.agent, "card": CARD}, "agent_card.changed"),
    "publish_agent_card": (lambda cast: {"agent": with_card(cast)}, "agent_card.published"),
    "withdraw_agent_card": (lambda cast: {"agent": with_card(cast, published=True)}, "agent_card.withdrawn"),
    "issue_onboarding_token": (
        lambda cast: {"blueprint": make_blueprint(cast.acme), "label": "ci", "owner": cast.bob, "sponsor": cast.bob},
        "onboarding_token.issued",
    ),
    "revoke_onboarding_token": (lambda cast: {"token": ci_token(cast)}, "onboarding_token.revoked"),
    "approve_onboarding": (lambda cast: {"agent": make_agent(cast.acme, state=State.PENDING)}, "agent.activated"),
    "activate_agent": (lambda cast: {"agent": make_agent(cast.acme, state=State.PENDING)}, "agent.activated"),
    "suspend_agent": (lambda cast: {"agent": cast.agent}, "agent.suspended"),
    "resume_agent": (lambda cast: {"agent": make_agent(cast.acme, state=State.SUSPENDED)}, "agent.resumed"),
    "retire_agent": (lambda cast: {"agent": cast.agent}, "agent.retired"),
    "transfer_agent": (lambda cast: {"agent": cast.agent, "owner": cast.carol, "sponsor": cast.carol}, "agent.transferred"),
    "spawn_agent": (
        lambda cast: {"parent": spawner(cast), "external_id": "new", "name": "New", "purpose": "New."},
        "agent.spawned",
    ),
    "give_child_credential": (
        lambda cast: {"child": make_agent(parent=cast.agent), "label": "first", "shown": key(cast), "held": ()},
        "credential.issued",
    ),
    "start_run": (lambda cast: {"agent": cast.agent, "task_id": "T-1"}, "run.started"),
    "end_run": (lambda cast: {"run": runs.start_run(agent=cast.agent, task_id="T-1", by=SYSTEM, now=NOW)}, "run.ended"),
    "issue_api_key": (lambda cast: {"agent": cast.agent, "label": "key"}, "credential.issued"),
    "issue_client_secret": (lambda cast: {"agent": cast.agent, "label": "client"}, "credential.issued"),
    "register_public_key": (lambda cast: {"agent": cast.agent, "label": "key", "jwk": OKP_KEY}, "credential.issued"),
    "register_federated": (
        lambda cast: {"agent": cast.agent, "label": "ci", "issuer": "https://ci.example", "subject": "repo:1"},
        "credential.issued",
    ),
    "rotate_api_key": (lambda cast: {"credential": key(cast), "overlap": timedelta(days=1)}, "credential.rotated"),
    "revoke_credential": (lambda cast: {"credential": key(cast)}, "credential.revoked"),
    "give_access": (lambda cast: {"thing": cast.agent, "right": "view_agent", "to": cast.carol}, "access.given"),
    "withdraw_access": (shared, "access.withdrawn"),
}


def test_every_service_has_a_scenario():
    assert SERVICES.keys() == SCENARIOS.keys()


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_service_takes_names_only_and_demands_the_instant(name):
    parameters = inspect.signature(SERVICES[name]).parameters
    assert {parameter.kind for parameter in parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}
    assert parameters["by"].default is parameters["now"].default is inspect.Parameter.empty
    assert parameters["reason"].default == ""


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_service_leaves_an_event_a_version_and_a_revision(cast, name):
    prepare, event_type = SCENARIOS[name]
    arguments = prepare(cast)
    place = {"address": "192.0.2.7", "request_id": "r-1"}
    by = SYSTEM if name == "create_organization" else actor(cast, arguments, **place)
    seen, number = len(events_of(cast.acme)), revision(cast.acme)
    result = SERVICES[name](**arguments, by=by, reason=WHY, now=NOW + timedelta(minutes=1))

    organization = result if isinstance(result, Organization) else cast.acme
    happened = events_of(organization)[seen if organization == cast.acme else 0 :]
    assert event_type in [event.type for event in happened]
    for event in happened:
        assert (event.actor_kind, event.actor_id, event.reason) == (by.kind, by.id, WHY)
        assert event.at == NOW + timedelta(minutes=1)

    if result is None:
        assert revision(cast.acme) == number
        return
    if organization == cast.acme:
        assert revision(cast.acme) == number + 1
    result = result.agent if isinstance(result, Onboarded) else result
    changed = result[0] if isinstance(result, tuple) else result
    version = changed.history.latest()
    assert version.history_user_id == by.user_id
    assert version.history_change_reason == WHY
    assert version.history_date == NOW + timedelta(minutes=1)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_service_that_is_refused_by_the_log_has_changed_nothing(cast, name, monkeypatch):
    arguments = SCENARIOS[name][0](cast)
    before = _everything()

    def refuse(changes):
        raise RuntimeError("the log is full")

    monkeypatch.setattr("directory.services.reports.record_all", refuse)
    monkeypatch.setattr("directory.services.access.record_all", refuse)
    monkeypatch.setattr("directory.services.ways_in.record_all", refuse)
    by = SYSTEM if name == "create_organization" else actor(cast, arguments)
    with pytest.raises(RuntimeError, match="the log is full"):
        SERVICES[name](**arguments, by=by, now=NOW)
    assert _everything() == before


def _everything():
    from django.apps import apps

    models = [*apps.get_app_config("directory").get_models(include_auto_created=True), User.groups.through]
    return {model.__name__: sorted(map(repr, model._base_manager.values_list())) for model in models}


def test_every_event_type_is_a_sentence_and_listed_once():
    from directory import events

    constants = [value for name, value in vars(events).items() if name.isupper() and name != "EVENT_TYPES"]
    assert sorted(EVENT_TYPES, key=lambda each: each.name) == sorted(constants, key=lambda each: each.name)
    assert all(each.label[0].isupper() for each in EVENT_TYPES)


def test_what_is_shown_once_is_shown_by_no_repr(cast):
    _, token = credentials.issue_api_key(agent=cast.agent, label="key", by=SYSTEM, now=NOW)
    assert isinstance(token, Token)
    assert token.secret not in repr(token)


def test_nobody_of_another_organization_changes_anything_here(cast):
    person = make_person(cast.elsewhere)
    from directory.services.revisions import ForeignOrganization

    for name in (
        "suspend_agent",
        "retire_agent",
        "update_team",
        "update_blueprint",
        "end_run",
        "give_access",
        "revoke_credential",
    ):
        with pytest.raises(ForeignOrganization):
            SERVICES[name](**SCENARIOS[name][0](cast), by=person.as_actor(), now=NOW)
