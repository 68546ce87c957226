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
    credentials,
    organizations,
    people,
    runs,
)
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
    return found


SERVICES = public_services()


def accountable(cast):
    return {"organization": cast.acme, "external_id": "new", "owner": cast.bob, "sponsor": cast.bob}


def key(cast):
    return credentials.issue_api_key(agent=cast.agent, label="key", by=SYSTEM, now=NOW)[0]


def inactive(person):
    return people.deactivate_person(person=person, by=SYSTEM, now=NOW)


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
    "start_run": (lambda cast: {"agent": cast.agent, "task_id": "T-1"}, "run.started"),
    "end_run": (lambda cast: {"run": runs.start_run(agent=cast.agent, task_id="T-1", by=SYSTEM, now=NOW)}, "run.ended"),
    "issue_api_key": (lambda cast: {"agent": cast.agent, "label": "key"}, "credential.issued"),
    "issue_client_secret": (lambda cast: {"agent": cast.agent, "label": "client"}, "credential.issued"),
    "register_public_key": (lambda cast: {"agent": cast.agent, "label": "key", "jwk": OKP_KEY}, "credential.issued"),
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
    by = SYSTEM if name == "create_organization" else cast.alice.as_actor(address="192.0.2.7", request_id="r-1")
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
    by = SYSTEM if name == "create_organization" else cast.alice.as_actor()
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
