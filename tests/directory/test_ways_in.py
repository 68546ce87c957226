"""Sessions and second factors that somebody else ends: never one's own, and never those of somebody more powerful."""

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import Permission
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session

from agentiam.kit.actors import Actor
from audit.models import Event
from directory.models import User
from directory.services.people import NotAPerson, RightsNotYours
from directory.services.revisions import ForeignOrganization
from directory.services.rights import NotAnActivePerson, RoleNotYours
from directory.services.ways_in import OwnSecondFactors, end_sessions, reset_second_factors
from tests.directory.recorded import data_of, last_event, revision
from tests.factories import NOW, SYSTEM, make_person


def factors(person):
    for kind, data in (
        ("totp", {"secret": "sealed"}),
        ("webauthn", {"name": "Laptop"}),
        ("recovery_codes", {"seed": "sealed"}),
    ):
        Authenticator.objects.create(user=person, type=kind, data=data)


def session(person):
    store = SessionStore()
    store["_auth_user_id"] = str(person.pk)
    store.create()
    UserSession.objects.create(user=person, session_key=store.session_key, ip="203.0.113.9", user_agent="Firefox")


@pytest.fixture
def administrator(cast):
    return make_person(cast.acme, "ada", console_roles=["security_administrator"])


@pytest.fixture
def helpdesk(cast):
    """May change people, and hands on no console role."""
    desk = make_person(cast.acme, "desk", console_roles=["auditor"])
    desk.user_permissions.add(Permission.objects.get(content_type__app_label="directory", codename="change_user"))
    return desk


def test_a_reset_removes_all_second_factors_and_ends_the_sessions_with_one_event(cast, administrator):
    for person in (cast.bob, cast.carol):
        factors(person)
        session(person)
    number = revision(cast.acme)
    reset_second_factors(person=cast.bob, by=administrator.as_actor(), reason="lost phone", now=NOW)
    assert set(Authenticator.objects.values_list("user", flat=True)) == {cast.carol.pk}
    assert set(UserSession.objects.values_list("user", flat=True)) == {cast.carol.pk}
    assert Session.objects.count() == 1
    event = last_event(cast.acme, "second_factor.reset")
    assert (event.actor_id, event.target_id, event.reason) == ("ada", "bob", "lost phone")
    assert data_of(event) == {"removed": {"totp": 1, "webauthn": 1, "recovery_codes": 1}, "sessions": 1}
    assert "sealed" not in event.body
    assert revision(cast.acme) == number, "no decision changed"


def test_nobody_resets_their_own(cast, administrator):
    factors(administrator)
    with pytest.raises(OwnSecondFactors):
        reset_second_factors(person=administrator, by=administrator.as_actor(), now=NOW)
    assert Authenticator.objects.count() == 3


@pytest.mark.parametrize("roles", [["security_administrator"], ["approver"], ["auditor", "owner"], ["auditor"]])
def test_nobody_resets_those_of_somebody_whose_roles_they_could_not_give(cast, helpdesk, roles):
    boss = make_person(cast.acme, "boss", console_roles=roles)
    factors(boss)
    session(boss)
    with pytest.raises(RoleNotYours):
        reset_second_factors(person=boss, by=helpdesk.as_actor(), now=NOW)
    assert Authenticator.objects.filter(user=boss).count() == 3
    assert UserSession.objects.exists()
    reset_second_factors(person=cast.bob, by=helpdesk.as_actor(), now=NOW)


def test_the_operator_alone_resets_those_of_a_superuser(cast, administrator):
    User.objects.filter(pk=cast.bob.pk).update(is_superuser=True)
    factors(cast.bob)
    with pytest.raises(RightsNotYours):
        reset_second_factors(person=cast.bob, by=administrator.as_actor(), now=NOW)
    reset_second_factors(person=cast.bob, by=SYSTEM, now=NOW)
    assert not Authenticator.objects.exists()


def test_whoever_acts_is_active_and_a_person_of_the_organization(cast, administrator):
    factors(cast.bob)
    mallory = make_person(cast.elsewhere, "margo", console_roles=["security_administrator"])
    with pytest.raises(ForeignOrganization):
        reset_second_factors(person=cast.bob, by=mallory.as_actor(), now=NOW)
    with pytest.raises(ForeignOrganization):
        end_sessions(person=cast.bob, by=mallory.as_actor(), now=NOW)
    with pytest.raises(NotAnActivePerson):
        reset_second_factors(person=cast.bob, by=cast.agent.user.as_actor(), now=NOW)
    application = Actor(kind="application", id="crm", label="CRM", organization_id=cast.acme.pk)
    with pytest.raises(NotAnActivePerson):
        reset_second_factors(person=cast.bob, by=application, now=NOW)
    User.objects.filter(pk=administrator.pk).update(is_active=False)
    with pytest.raises(NotAnActivePerson):
        reset_second_factors(person=cast.bob, by=administrator.as_actor(), now=NOW)
    assert Authenticator.objects.count() == 3
    assert not Event.objects.filter(type__in=["second_factor.reset", "sessions.ended"]).exists()


def test_an_agent_has_neither(cast):
    for service in (end_sessions, reset_second_factors):
        with pytest.raises(NotAPerson):
            service(person=cast.agent.user, by=SYSTEM, now=NOW)


def test_ended_sessions_are_counted_and_the_second_factors_stay(cast, administrator):
    factors(cast.bob)
    for person in (cast.bob, cast.bob, cast.carol):
        session(person)
    end_sessions(person=cast.bob, by=administrator.as_actor(), reason="stolen laptop", now=NOW)
    event = last_event(cast.acme, "sessions.ended")
    assert (event.actor_id, event.target_id, data_of(event)) == ("ada", "bob", {"sessions": 2})
    assert UserSession.objects.get().user == cast.carol
    assert Authenticator.objects.count() == 3
