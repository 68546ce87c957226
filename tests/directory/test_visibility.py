"""Who sees what: everything of one's own organization with a right for all of it, otherwise what one has to do with."""

import pytest
from django.contrib.auth.models import AnonymousUser
from guardian.shortcuts import assign_perm

from directory.lifecycle import State
from directory.models import Agent, AgentUserPermission, Blueprint, Credential, Organization, Run, Team, User
from directory.services.access import RightUnchanged, UnknownRight, give_access, withdraw_access
from directory.services.credentials import issue_api_key
from directory.services.people import deactivate_person
from directory.services.revisions import ForeignOrganization
from directory.services.rights import NotAnActivePerson
from directory.services.runs import start_run
from tests.factories import NOW, SYSTEM, make_agent, make_blueprint, make_organization, make_person, make_team

MODELS = (Organization, User, Team, Agent, Blueprint, Run, Credential)


@pytest.fixture
def world(cast):
    """One of everything for the agent of Acme, and for an agent of elsewhere."""
    cast.blueprint = make_blueprint(cast.acme, "crm")
    cast.run = start_run(agent=cast.agent, task_id="T-1", by=SYSTEM, now=NOW)
    cast.credential, _ = issue_api_key(agent=cast.agent, label="key", by=SYSTEM, now=NOW)
    cast.foreign_agent = make_agent(cast.elsewhere, "foreign", owner=cast.mallory, blueprint=make_blueprint(cast.elsewhere))
    make_team(cast.elsewhere)
    start_run(agent=cast.foreign_agent, task_id="T-1", by=SYSTEM, now=NOW)
    issue_api_key(agent=cast.foreign_agent, label="key", by=SYSTEM, now=NOW)
    return cast


def fresh(user):
    return User.objects.get(pk=user.pk)


def seen(model, user):
    rows = model.objects.visible_to(fresh(user))
    assert rows.count() == len(set(rows)), "a row is listed twice"
    return set(rows)


def give(thing, right, to):
    give_access(thing=thing, right=right, to=to, by=SYSTEM, now=NOW)


@pytest.mark.parametrize("model", MODELS)
def test_with_a_right_for_all_of_it_one_sees_all_of_ones_own_organization(world, model):
    def of(organization):
        key = {"pk": organization.pk} if model is Organization else {"organization": organization}
        return set(model.objects.filter(**key))

    assert of(world.acme)
    assert seen(model, world.alice) == of(world.acme)
    assert seen(model, world.mallory) == of(world.elsewhere)
    superuser = make_person(world.acme, is_superuser=True)
    assert seen(model, superuser) == of(world.acme)


@pytest.mark.parametrize("model", MODELS)
def test_the_inactive_and_the_anonymous_see_nothing(world, model):
    superuser = make_person(world.acme, is_superuser=True)
    for user in (world.alice, world.bob, superuser):
        deactivate_person(person=user, by=SYSTEM, now=NOW)
        assert seen(model, user) == set()
    assert not model.objects.visible_to(AnonymousUser()).exists()


def test_somebody_without_a_part_in_it_sees_the_organization_and_themselves(world):
    assert seen(Organization, world.carol) == {world.acme}
    assert seen(User, world.carol) == {world.carol}
    for model in (Team, Agent, Blueprint, Run, Credential):
        assert seen(model, world.carol) == set()


def test_an_owner_sees_the_agent_its_account_its_runs_and_its_credentials(world):
    assert seen(Agent, world.bob) == {world.agent}
    assert seen(User, world.bob) == {world.bob, world.agent.user}
    assert seen(Run, world.bob) == {world.run}
    assert seen(Credential, world.bob) == {world.credential}
    assert seen(Blueprint, world.bob) == set()
    assert seen(Team, world.bob) == set()


def test_a_sponsor_sees_the_agent_and_not_its_credentials(world):
    sponsored = make_agent(world.acme, owner=world.bob, sponsor=world.carol)
    issue_api_key(agent=sponsored, label="key", by=SYSTEM, now=NOW)
    assert seen(Agent, world.carol) == {sponsored}
    assert seen(User, world.carol) == {world.carol, world.bob, sponsored.user}
    assert seen(Credential, world.carol) == set()


def test_who_is_in_a_team_below_the_sponsoring_one_sees_the_agent(world):
    emea = make_team(world.acme, parent=world.sales, members=(world.carol,))
    assert seen(Agent, world.carol) == {world.agent}
    assert seen(Team, world.carol) == {emea, world.sales}
    assert seen(Run, world.carol) == {world.run}


def test_teammates_see_each_other(world):
    make_team(world.acme, members=(world.carol, world.alice))
    assert seen(User, world.carol) == {world.carol, world.alice}


def test_an_agent_sees_itself_and_what_it_spawned(world):
    child = make_agent(parent=world.agent)
    grandchild = make_agent(parent=child)
    other = make_agent(parent=world.agent)
    assert seen(Agent, world.agent.user) == {world.agent, child, grandchild, other}
    assert seen(Agent, child.user) == {child, grandchild}
    assert world.bob in seen(User, child.user)
    assert world.agent.user not in seen(User, child.user)
    assert seen(Run, world.agent.user) == {world.run}
    assert seen(Credential, world.agent.user) == set()


def test_a_retired_agent_sees_nothing(world):
    assert seen(Agent, make_agent(world.acme, state=State.RETIRED).user) == set()


def test_one_sees_what_is_done_on_ones_own_behalf(world):
    run = start_run(agent=world.agent, task_id="T-2", on_behalf_of=world.carol, by=SYSTEM, now=NOW)
    assert seen(Run, world.carol) == {run}
    assert seen(Agent, world.carol) == set()


@pytest.mark.parametrize("right", ["view_agent", "operate_agent", "manage_agent", "approve_agent", "grant_agent"])
def test_a_right_on_an_agent_shows_it_to_a_person_and_to_a_team(world, right):
    make_agent(world.acme, owner=world.bob)
    give(world.agent, right, world.carol)
    assert seen(Agent, world.carol) == {world.agent}
    assert bool(seen(Credential, world.carol)) == (right == "manage_agent")
    dave = make_person(world.acme, "dave")
    team = make_team(world.acme)
    make_team(world.acme, parent=team, members=(dave,))
    give(world.agent, right, team)
    assert seen(Agent, dave) == {world.agent}


def test_a_right_on_a_blueprint_or_a_team_shows_it(world):
    make_blueprint(world.acme)
    give(world.blueprint, "use_blueprint", world.carol)
    assert seen(Blueprint, world.carol) == {world.blueprint}
    give(world.sales, "manage_team", world.carol)
    assert seen(Team, world.carol) == {world.sales}
    assert seen(Agent, world.carol) == set()


def test_a_right_that_is_withdrawn_shows_nothing_any_more(world):
    give(world.agent, "view_agent", world.carol)
    withdraw_access(thing=world.agent, right="view_agent", to=world.carol, by=SYSTEM, now=NOW)
    assert seen(Agent, world.carol) == set()
    with pytest.raises(RightUnchanged):
        withdraw_access(thing=world.agent, right="view_agent", to=world.carol, by=SYSTEM, now=NOW)


def test_a_right_is_given_once_is_known_and_stays_in_the_organization(world):
    give(world.agent, "view_agent", world.sales)
    with pytest.raises(RightUnchanged):
        give(world.agent, "view_agent", world.sales)
    for right in ("delete_agent", "use_blueprint", "fly"):
        with pytest.raises(UnknownRight):
            give(world.agent, right, world.carol)
    with pytest.raises(ForeignOrganization):
        give(world.agent, "view_agent", world.mallory)


def test_even_a_stray_right_shows_nothing_of_another_organization(world):
    from django.contrib.auth.models import Permission

    from directory.models import AgentUserPermission

    permission = Permission.objects.get(content_type__app_label="directory", codename="view_agent")
    AgentUserPermission.objects.create(user=world.mallory, permission=permission, content_object=world.agent)
    world.mallory.user_permissions.clear()
    assert seen(Agent, world.mallory) == {world.foreign_agent}


RIGHTS = ("view_agent", "operate_agent", "manage_agent", "approve_agent", "grant_agent", "run_agent")


def test_no_right_on_an_object_is_given_to_an_agent_or_to_somebody_who_left(world):
    gone = deactivate_person(person=make_person(world.acme), by=SYSTEM, now=NOW)
    for to in (world.agent.user, gone):
        with pytest.raises(NotAnActivePerson):
            give(world.agent, "manage_agent", to)
        with pytest.raises(NotAnActivePerson):
            give(world.sales, "manage_team", to)
    assert not AgentUserPermission.objects.exists()


@pytest.mark.parametrize("right", RIGHTS)
def test_a_row_for_an_agent_s_account_gives_it_nothing(world, right):
    account, other = world.agent.user, make_agent(world.acme, "other", owner=world.bob)
    before = {each: set(Agent.objects.permitting(account, each)) for each in RIGHTS}
    for thing in (world.agent, other):
        assign_perm(f"directory.{right}", account, thing)
    assign_perm("directory.manage_team", account, world.sales)
    assign_perm("directory.manage_blueprint", account, world.blueprint)
    assert {each: set(Agent.objects.permitting(fresh(account), each)) for each in RIGHTS} == before
    assert seen(Agent, account) == {world.agent}
    assert seen(Team, account) == seen(Blueprint, account) == set()
    # It can be taken away.
    withdraw_access(thing=other, right=right, to=account, by=SYSTEM, now=NOW)
    assert not AgentUserPermission.objects.filter(content_object=other).exists()


def test_what_an_account_manages_is_less_than_what_it_sees(world):
    others = make_agent(world.acme, owner=world.carol, sponsor=world.bob)
    manages = lambda user: set(Agent.objects.permitting(fresh(user), "manage_agent"))  # noqa: E731
    assert manages(world.bob) == {world.agent}
    assert seen(Agent, world.bob) == {world.agent, others}
    assert manages(world.alice) == set()
    manager = make_person(world.acme, permissions=("view_agent", "manage_agent"))
    assert manages(manager) == {world.agent, others}
    assert not Agent.objects.permitting(AnonymousUser(), "manage_agent").exists()


def test_a_right_for_one_kind_of_thing_opens_no_other(world):
    viewer = make_person(world.acme, permissions=("view_agent",))
    assert seen(Agent, viewer) == {world.agent}
    assert seen(Credential, viewer) == set()
    assert seen(Run, viewer) == {world.run}
    assert seen(Blueprint, viewer) == set()


def test_the_rest_of_a_chain_narrows(world):
    make_agent(world.acme, state=State.SUSPENDED)
    assert set(Agent.objects.visible_to(world.alice).active()) == {world.agent}
    assert set(User.objects.visible_to(world.alice).people().active()) == {world.alice, world.bob, world.carol, *_made(world)}
    assert world.agent.user in User.objects.in_organization(world.acme.pk).agents()


def _made(world):
    return User.objects.filter(organization=world.acme, external_id__startswith="person-")


def test_a_lone_organization_is_seen_by_nobody_else(world):
    third = make_organization()
    for user in (world.alice, world.mallory):
        assert third not in seen(Organization, user)
