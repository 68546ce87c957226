"""Rights on single applications and roles, and that nobody hands on a right that they do not have."""

import json
from typing import Any

import pytest
from guardian.shortcuts import assign_perm

from audit.models import Event
from directory.models import User
from directory.services import access as directory_access
from directory.services.access import RightNotYours, RightUnchanged, UnknownRight
from directory.services.people import deactivate_person
from directory.services.revisions import ForeignOrganization
from directory.services.rights import NotAnActivePerson, WidensOneself
from permissions.models import Application, Role
from permissions.services import access
from tests.factories import NOW, SYSTEM, make_person, make_team
from tests.people.conftest import Cast
from tests.permissions.factories import make_application, make_role


def give(thing: Any, right: str, to: Any, by: Any = SYSTEM) -> None:
    module = access if isinstance(thing, (Application, Role)) else directory_access
    module.give_access(thing=thing, right=right, to=to, by=by, now=NOW)


def test_a_right_on_one_application_opens_that_and_no_other(cast: Cast) -> None:
    crm, erp = make_application(cast.acme, "crm"), make_application(cast.acme, "erp")
    give(crm, "manage_application", cast.dave, by=cast.alice.as_actor())
    assert [*Application.objects.visible_to(cast.dave)] == [crm]
    assert [*Application.objects.permitting(cast.dave, "manage_application")] == [crm]
    assert erp not in Application.objects.visible_to(cast.dave)
    event = Event.objects.get(type="access.given")
    assert (event.target_type, event.target_id, event.actor_id) == ("application", "crm", "alice")
    assert json.loads(event.body)["data"]["right"] == "manage_application"
    access.withdraw_access(thing=crm, right="manage_application", to=cast.dave, by=cast.alice.as_actor(), now=NOW)
    assert not Application.objects.visible_to(cast.dave).exists()
    with pytest.raises(RightUnchanged):
        access.withdraw_access(thing=crm, right="manage_application", to=cast.dave, by=SYSTEM, now=NOW)


def test_a_team_has_rights_too(cast: Cast) -> None:
    role, team = make_role(cast.acme, "reader"), make_team(cast.acme, "sales", members=(cast.dave,))
    give(role, "assign_role", team)
    assert [*Role.objects.permitting(cast.dave, "assign_role")] == [role]
    assert not Role.objects.permitting(cast.dave, "manage_role").exists()


def test_an_owner_hands_on_what_owners_have_and_nothing_more(cast: Cast) -> None:
    by = cast.dave.as_actor()
    for right in ("operate_agent", "view_agent"):
        give(cast.agent, right, cast.bob, by=by)
    for to in (cast.bob, cast.dave):
        with pytest.raises(RightNotYours):
            give(cast.agent, "grant_agent", to, by=by)
    with pytest.raises(RightNotYours):
        give(cast.agent, "view_agent", cast.bob, by=make_person(cast.acme).as_actor())


def test_whoever_holds_a_right_on_one_object_hands_on_that_one(cast: Cast) -> None:
    crm = make_application(cast.acme, "crm")
    for by in (cast.dave.as_actor(), cast.carol.as_actor()):
        with pytest.raises(RightNotYours):
            give(crm, "manage_application", cast.bob, by=by)
    give(crm, "manage_application", cast.dave)
    give(crm, "manage_application", cast.bob, by=cast.dave.as_actor())
    with pytest.raises(RightNotYours):
        access.withdraw_access(thing=crm, right="manage_application", to=cast.dave, by=cast.carol.as_actor(), now=NOW)


def test_agents_strangers_and_people_who_left_hand_on_nothing(cast: Cast) -> None:
    crm = make_application(cast.acme, "crm")
    give(crm, "manage_application", cast.dave)
    with pytest.raises(NotAnActivePerson):
        give(cast.agent, "run_agent", cast.bob, by=cast.agent.user.as_actor())
    with pytest.raises(ForeignOrganization):
        give(crm, "manage_application", cast.bob, by=cast.mallory.as_actor())
    with pytest.raises(ForeignOrganization):
        give(crm, "manage_application", cast.mallory, by=cast.alice.as_actor())
    by = cast.dave.as_actor()
    deactivate_person(person=User.objects.get(pk=cast.dave.pk), by=SYSTEM, now=NOW)
    with pytest.raises(NotAnActivePerson):
        give(crm, "manage_application", cast.bob, by=by)


def test_nobody_gives_a_right_to_themselves_though_they_hold_it(cast: Cast) -> None:
    crm = make_application(cast.acme, "crm")
    team = make_team(cast.acme, "sales")
    # Alice administers, dave owns the agent: what they gave themselves would stay when that ends.
    for who, thing, right in (
        (cast.alice, crm, "manage_application"),
        (cast.alice, team, "manage_team"),
        (cast.dave, cast.agent, "manage_agent"),
    ):
        with pytest.raises(WidensOneself):
            give(thing, right, who, by=who.as_actor())
    assert not Event.objects.filter(type="access.given").exists()
    give(crm, "manage_application", cast.dave, by=cast.alice.as_actor())
    access.withdraw_access(thing=crm, right="manage_application", to=cast.dave, by=cast.dave.as_actor(), now=NOW)


def test_an_agent_has_no_right_on_an_application_or_a_role(cast: Cast) -> None:
    crm, role, account = make_application(cast.acme, "crm"), make_role(cast.acme, "reader"), cast.agent.user
    for thing, right in ((crm, "manage_application"), (role, "assign_role"), (cast.agent, "manage_agent")):
        with pytest.raises(NotAnActivePerson):
            give(thing, right, account)
    assign_perm("permissions.manage_application", account, crm)
    assign_perm("permissions.assign_role", account, role)
    assert not Application.objects.visible_to(account).exists()
    assert not Role.objects.permitting(account, "assign_role").exists()


@pytest.mark.parametrize("right", ["change_application", "manage_role", "view_agent", ""])
def test_only_rights_of_the_kind_are_given(cast: Cast, right: str) -> None:
    with pytest.raises(UnknownRight):
        give(make_application(cast.acme, "crm"), right, cast.dave, by=cast.alice.as_actor())
