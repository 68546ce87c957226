"""Who sees what of what is allowed: alice all of Acme's, bob what concerns him, carol nothing, mallory nothing of Acme's."""

import pytest
from django.contrib.auth.models import AnonymousUser, Permission

from directory.models import User
from directory.services.people import deactivate_person
from permissions.models import (
    Application,
    ApplicationGroupPermission,
    ApplicationKey,
    ApplicationUserPermission,
    Consent,
    Delegation,
    Grant,
    Guardrail,
    Resource,
    ResourceType,
    Role,
    RoleAssignment,
    RoleUserPermission,
    Trust,
)
from permissions.services.application_keys import issue_application_key
from tests.factories import NOW, SYSTEM, make_agent, make_person
from tests.permissions.factories import (
    make_application,
    make_assignment,
    make_consent,
    make_delegation,
    make_grant,
    make_guardrail,
    make_resource,
    make_resource_type,
    make_role,
    make_trust,
)
from tests.permissions.services.conftest import make_cast
from tests.remembered import Remembered

MODELS = (
    Application,
    ApplicationKey,
    ResourceType,
    Resource,
    Role,
    RoleAssignment,
    Grant,
    Guardrail,
    Consent,
    Delegation,
    Trust,
)


def make_world():
    """One of everything about bob's agent, another of everything that does not concern bob, and one of each elsewhere."""
    cast = make_cast()
    cast.key = issue_application_key(application=cast.crm, label="main", by=SYSTEM, now=NOW)[0]
    cast.resource = make_resource(cast.record, "r1")
    cast.role = make_role(cast.acme, "reader")
    cast.assignment = make_assignment(cast.role, cast.agent.user)
    cast.grant = make_grant(cast.acme, cast.agent.user)
    cast.consent = make_consent(cast.alice, cast.agent, cast.record)
    cast.delegation = make_delegation(cast.planner, cast.agent)
    make_guardrail(cast.acme)
    cast.trust = make_trust(cast.acme, cast.elsewhere)
    hers = make_agent(cast.acme, "hers", owner=cast.alice, sponsor=cast.alice)
    make_assignment(cast.role, hers.user)
    make_grant(cast.acme, hers.user)
    make_grant(cast.acme, cast.alice)
    make_consent(cast.alice, hers, cast.record)
    make_delegation(cast.planner, hers)

    there = cast.elsewhere
    erp = make_application(there)
    issue_application_key(application=erp, label="main", by=SYSTEM, now=NOW)
    record = make_resource_type(there, application=erp)
    make_resource(record)
    role = make_role(there)
    other = make_agent(there, owner=cast.mallory, sponsor=cast.mallory)
    for holder in (cast.foreign_agent.user, cast.mallory):
        make_assignment(role, holder)
        make_grant(there, holder)
    make_guardrail(there)
    make_consent(cast.mallory, cast.foreign_agent, record)
    make_delegation(cast.foreign_agent, other)
    return cast


_world = Remembered(make_world)


@pytest.fixture
def world(db):
    return _world()


def seen(model, user):
    rows = model.objects.visible_to(User.objects.get(pk=user.pk))
    assert rows.count() == len(set(rows)), "a row is listed twice"
    return set(rows)


def permit(table, codename, thing, **to):
    model = thing._meta.model_name
    permission = Permission.objects.get(content_type__app_label="permissions", content_type__model=model, codename=codename)
    table.objects.create(permission=permission, content_object=thing, **to)


def of(model, organization):
    rows = set(model.objects.filter(organization=organization))
    return rows | set(Trust.objects.filter(partner=organization)) if model is Trust else rows


@pytest.mark.parametrize("model", MODELS)
def test_with_a_right_for_all_of_it_one_sees_all_of_ones_own_organization(world, model):
    assert of(model, world.acme)
    assert seen(model, world.alice) == of(model, world.acme)
    assert seen(model, world.mallory) == of(model, world.elsewhere)
    assert seen(model, make_person(world.acme, is_superuser=True)) == of(model, world.acme)


@pytest.mark.parametrize("model", MODELS)
def test_the_inactive_and_the_anonymous_see_nothing(world, model):
    superuser = make_person(world.acme, is_superuser=True)
    deactivate_person(person=superuser, by=SYSTEM, now=NOW)
    assert not seen(model, superuser)
    assert not model.objects.visible_to(AnonymousUser()).exists()


@pytest.mark.parametrize("model", MODELS)
def test_a_person_without_any_part_in_it_sees_nothing(world, model):
    assert not seen(model, world.carol)


def test_an_owner_sees_what_the_agent_holds_and_who_lets_it_act(world):
    assert seen(RoleAssignment, world.bob) == {world.assignment}
    assert seen(Grant, world.bob) == {world.grant}
    assert seen(Consent, world.bob) == {world.consent}
    assert seen(Delegation, world.bob) == {world.delegation}
    for model in (Application, ApplicationKey, ResourceType, Resource, Role, Guardrail, Trust):
        assert not seen(model, world.bob)


def test_an_agent_sees_what_it_holds_itself_and_nothing_of_others(world):
    agent = world.agent.user
    assert seen(RoleAssignment, agent) == {world.assignment}
    assert seen(Grant, agent) == {world.grant}
    assert seen(Consent, agent) == {world.consent}
    assert seen(Delegation, agent) == {world.delegation}
    assert not any(
        seen(model, agent) for model in (Application, ApplicationKey, ResourceType, Resource, Role, Guardrail, Trust)
    )


def test_one_sees_what_one_holds_oneself_through_a_team_and_said_oneself(world):
    own, shared = make_grant(world.acme, world.carol), make_grant(world.acme, world.sales)
    assignment = make_assignment(world.role, world.sales)
    consent = make_consent(world.carol, world.planner, world.record)
    assert seen(Grant, world.carol) == {own}
    assert seen(Consent, world.carol) == {consent}
    assert seen(Grant, world.bob) == {world.grant, shared}
    assert seen(RoleAssignment, world.bob) == {world.assignment, assignment}


def test_a_right_on_an_application_shows_it_with_its_types_and_resources(world):
    make_resource(make_resource_type(world.acme, "other"), "hidden")
    permit(ApplicationUserPermission, "view_application", world.crm, user=world.carol)
    permit(ApplicationGroupPermission, "view_application", world.crm, group=world.sales.group)
    for person in (world.carol, world.bob):
        assert seen(Application, person) == {world.crm}
        assert seen(ResourceType, person) == {world.record}
        assert seen(Resource, person) == {world.resource}
        assert not seen(ApplicationKey, person)


def test_only_who_manages_an_application_sees_its_keys(world):
    permit(ApplicationUserPermission, "manage_application", world.crm, user=world.carol)
    assert seen(Application, world.carol) == {world.crm}
    assert seen(ApplicationKey, world.carol) == {world.key}


@pytest.mark.parametrize("right", ["view_role", "manage_role", "assign_role"])
def test_a_right_on_a_role_shows_it(world, right):
    make_role(world.acme)
    permit(RoleUserPermission, right, world.role, user=world.carol)
    assert seen(Role, world.carol) == {world.role}
    assert not seen(RoleAssignment, world.carol)


def test_a_right_on_a_row_of_another_organization_shows_nothing(world):
    permit(ApplicationUserPermission, "manage_application", world.crm, user=world.mallory)
    permit(RoleUserPermission, "view_role", world.role, user=world.mallory)
    visitor = make_person(world.elsewhere)
    permit(ApplicationUserPermission, "manage_application", world.crm, user=visitor)
    assert world.crm not in seen(Application, world.mallory)
    for model in (Application, ApplicationKey, ResourceType, Resource, Role):
        assert not seen(model, visitor)


def test_a_trust_is_seen_from_both_sides(world):
    assert seen(Trust, world.alice) == seen(Trust, world.mallory) == {world.trust}


def test_a_partner_sees_nothing_of_what_its_agent_holds_here(world):
    grant = make_grant(world.acme, world.foreign_agent.user)
    assert grant in seen(Grant, world.alice)
    assert grant not in seen(Grant, world.mallory)
    assert grant not in seen(Grant, world.foreign_agent.user)
