"""Who may say what people are here for, and that an organization is never left without an administrator."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import Permission
from django.db import connection

from agentiam.kit.errors import Refusal
from directory.models import User
from directory.services.console_roles import OwnRoles, set_console_roles
from directory.services.people import NotAPerson, NotYourPassword, OwnAccount, create_person, deactivate_person, set_password
from directory.services.revisions import ForeignOrganization
from directory.services.rights import LastAdministrator, NotAnActivePerson, RoleNotYours, UnknownConsoleRole
from tests.directory.conftest import make_cast
from tests.directory.recorded import data_of, last_event
from tests.factories import NOW, SYSTEM, make_person

ADMINISTRATOR = "security_administrator"


def administrator(organization, name="adam"):
    return make_person(organization, name, console_roles=[ADMINISTRATOR])


def with_right(organization, name, *roles):
    person = make_person(organization, name, console_roles=roles)
    person.user_permissions.add(Permission.objects.get(codename="assign_console_roles"))
    return User.objects.get(pk=person.pk)


def set_roles(person, *roles, by=SYSTEM):
    return set_console_roles(person=person, roles=roles, by=by, now=NOW)


def test_roles_are_said_with_what_changed_and_hold_at_once(cast):
    adam = administrator(cast.acme)
    set_roles(cast.bob, "owner", by=adam.as_actor())
    changed = set_roles(cast.bob, "auditor", "approver", "auditor", by=adam.as_actor())
    assert changed.console_roles == ["approver", "auditor"]
    assert changed.is_staff
    assert User.objects.get(pk=cast.bob.pk).has_perm("audit.view_event")
    assert data_of(last_event(cast.acme, "person.roles_changed")) == {
        "roles": ["approver", "auditor"],
        "added": ["approver", "auditor"],
        "removed": ["owner"],
    }
    assert not set_roles(cast.bob, by=adam.as_actor()).is_staff
    assert not User.objects.get(pk=cast.bob.pk).has_perm("audit.view_event")


def test_nobody_changes_their_own_roles(cast):
    adam = administrator(cast.acme)
    for roles in ([ADMINISTRATOR, "auditor"], []):
        with pytest.raises(OwnRoles):
            set_roles(adam, *roles, by=adam.as_actor())


@pytest.mark.parametrize("roles", [("owner",), ("approver", "auditor"), ()])
def test_without_the_right_nobody_gives_a_role(cast, roles):
    clerk = make_person(cast.acme, "clerk", console_roles=roles)
    with pytest.raises(RoleNotYours):
        set_roles(cast.bob, "developer", by=clerk.as_actor())
    with pytest.raises(RoleNotYours):
        make_person(cast.acme, console_roles=["developer"], by=clerk.as_actor())


def test_with_the_right_alone_one_hands_on_only_what_one_has(cast):
    clerk = with_right(cast.acme, "clerk", "owner")
    assert set_roles(cast.bob, "owner", by=clerk.as_actor()).console_roles == ["owner"]
    adam = administrator(cast.acme)
    for person, roles in ((cast.bob, ["owner", ADMINISTRATOR]), (cast.bob, ["owner", "auditor"]), (adam, [])):
        with pytest.raises(RoleNotYours):
            set_roles(person, *roles, by=clerk.as_actor())
    assert set_roles(cast.bob, by=clerk.as_actor()).console_roles == []


def test_only_active_people_of_the_organization_give_roles(cast):
    adam = administrator(cast.acme)
    gone = administrator(cast.acme, "gone")
    deactivate_person(person=gone, by=SYSTEM, now=NOW)
    stranger = administrator(cast.elsewhere, "eve")
    for by, refused in (
        (gone.as_actor(), NotAnActivePerson),
        (cast.agent.user.as_actor(), NotAnActivePerson),
        (stranger.as_actor(), ForeignOrganization),
    ):
        with pytest.raises(refused):
            set_roles(cast.bob, "owner", by=by)
    with pytest.raises(NotAPerson):
        set_roles(cast.agent.user, "owner", by=adam.as_actor())
    with pytest.raises(UnknownConsoleRole, match="'king'"):
        set_roles(cast.bob, "king", by=adam.as_actor())


def test_the_last_administrator_stays(cast):
    adam = administrator(cast.acme)
    administrator(cast.elsewhere, "eve")
    gone = administrator(cast.acme, "gone")
    deactivate_person(person=gone, by=SYSTEM, now=NOW)
    with pytest.raises(LastAdministrator):
        set_roles(adam, "auditor")
    with pytest.raises(LastAdministrator):
        deactivate_person(person=adam, by=SYSTEM, now=NOW)
    assert User.objects.get(pk=adam.pk).is_active
    other = administrator(cast.acme, "other")
    set_roles(adam, "auditor", by=other.as_actor())
    deactivate_person(person=adam, by=other.as_actor(), now=NOW)
    with pytest.raises(LastAdministrator):
        deactivate_person(person=other, by=SYSTEM, now=NOW)


def test_the_last_administrator_who_can_sign_in_stays(cast):
    adam = make_person(cast.acme, "adam", console_roles=[ADMINISTRATOR], password="correct horse")
    never_in = administrator(cast.acme, "never-in")
    for lose in (lambda: deactivate_person(person=adam, by=SYSTEM, now=NOW), lambda: set_roles(adam, "auditor")):
        with pytest.raises(LastAdministrator, match="who can sign in"):
            lose()
    set_password(person=never_in, password="correct horse", temporary=True, by=SYSTEM, now=NOW)
    deactivate_person(person=adam, by=SYSTEM, now=NOW)
    assert not User.objects.get(pk=adam.pk).is_active


def test_nobody_closes_their_own_account(cast):
    adam = administrator(cast.acme)
    administrator(cast.acme, "other")
    with pytest.raises(OwnAccount):
        deactivate_person(person=adam, by=adam.as_actor(), now=NOW)
    assert User.objects.get(pk=adam.pk).is_active


@pytest.mark.django_db(transaction=True)
def test_two_administrators_do_not_put_each_other_out_at_once():
    cast = make_cast()
    first, second = administrator(cast.acme, "first"), administrator(cast.acme, "second")

    def put_out(pair):
        try:
            deactivate_person(person=pair[0], by=pair[1].as_actor(), now=NOW)
        except Refusal:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(put_out, [(first, second), (second, first)]))
    assert sum(done) == 1
    assert User.objects.filter(pk__in=[first.pk, second.pk], is_active=True).count() == 1


def test_roles_come_with_a_new_person_only_from_somebody_who_may_give_them(cast):
    adam = administrator(cast.acme)
    person = create_person(
        organization=cast.acme,
        external_id="new",
        username="new",
        name="New",
        console_roles=["auditor"],
        by=adam.as_actor(),
        now=NOW,
    )
    assert (person.console_roles, person.is_staff) == (["auditor"], True)


def test_people_set_their_own_passwords_and_nobody_elses(cast):
    adam = administrator(cast.acme)
    with pytest.raises(NotYourPassword):
        set_password(person=cast.bob, password="chosen by adam", by=adam.as_actor(), now=NOW)
    set_password(person=cast.bob, password="chosen by bob", by=cast.bob.as_actor(), now=NOW)
    assert User.objects.get(pk=cast.bob.pk).check_password("chosen by bob")
    with pytest.raises(NotAPerson):
        set_password(person=cast.agent.user, password="chosen", by=SYSTEM, now=NOW)
    version = User.objects.get(pk=cast.bob.pk).history.latest()
    assert not hasattr(version, "password")
