"""A person leaves: nothing of theirs is left, no way in outlives them, and the proof says so without their secrets."""

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialToken
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session

from agentiam.kit.errors import IllegalTransition
from audit.attestations import verify_attestation
from audit.models import Attestation, Event
from directory.lifecycle import State
from directory.models import Agent, OnboardingToken, Organization, Team, User
from directory.services.access import give_access
from directory.services.invitations import invite_person
from directory.services.onboarding_tokens import issue_onboarding_token
from directory.services.people import NotAPerson, deactivate_person, reactivate_person
from directory.services.person_keys import issue_person_key
from directory.services.runs import start_run
from permissions.models import (
    AccessToken,
    Authorization,
    Grant,
)
from permissions.selectors.live import what_is_live
from permissions.services import endings, offboarding
from permissions.services.offboarding import (
    SomethingRemains,
    offboard_person,
)
from tests.directory.recorded import data_of, event_types, last_event, revision
from tests.factories import NOW, SYSTEM, make_agent, make_blueprint, make_person, make_team
from tests.permissions.factories import (
    make_assignment,
    make_consent,
    make_grant,
    make_role,
)
from tests.permissions.services.conftest import make_cast
from tests.permissions.services.offboarded import LATER, REASON, give_tokens, said
from tests.remembered import Remembered


def make_dora():
    """One of everything for dora."""
    cast = make_cast()
    dora = make_person(cast.acme, "dora", console_roles=["auditor"], permissions=("view_team",))
    boss = make_person(cast.acme, "boss", console_roles=["security_administrator"])
    emea = make_team(cast.acme, "emea", parent=cast.sales, members=(dora, cast.carol))
    make_grant(cast.acme, dora)
    make_assignment(make_role(cast.acme, "reader"), dora)
    make_consent(dora, cast.agent, cast.record)
    give_tokens(dora, cast.agent)
    give_tokens(cast.carol, cast.planner)
    start_run(agent=cast.agent, task_id="T-1", on_behalf_of=dora, by=SYSTEM, now=NOW)
    give_access(thing=cast.agent, right="operate_agent", to=dora, by=SYSTEM, now=NOW)
    give_access(thing=emea, right="manage_team", to=dora, by=SYSTEM, now=NOW)
    dora.groups.add(Group.objects.create(name="by hand"))
    issue_person_key(user=dora, label="laptop", by=SYSTEM, now=NOW)
    invite_person(organization=cast.acme, email="x@acme.example", by=boss.as_actor(), now=NOW)
    from directory.models import Invitation

    Invitation.objects.update(invited_by=dora)
    blueprint = make_blueprint(cast.acme)
    issue_onboarding_token(blueprint=blueprint, label="ci", owner=dora, sponsor=cast.carol, by=SYSTEM, now=NOW)
    issue_onboarding_token(blueprint=blueprint, label="other", owner=cast.carol, sponsor=cast.carol, by=SYSTEM, now=NOW)
    cast.owned = make_agent(cast.acme, "owned", owner=dora, sponsor=cast.carol)
    cast.sponsored = make_agent(cast.acme, "sponsored", owner=cast.carol, sponsor=dora)
    dora.set_password("correct horse battery staple")
    dora.save()
    give_ways_in(dora)
    for recorded in (True, False):
        session = SessionStore()
        session.update({"_auth_user_id": str(dora.pk)})
        session.save()
        if recorded:
            UserSession.objects.create(user=dora, session_key=session.session_key, ip="203.0.113.9", user_agent="Firefox")
    return cast, dora


_dora = Remembered(make_dora)


@pytest.fixture
def both(db):
    return _dora()


@pytest.fixture
def person(both):
    return both[1]


def give_ways_in(person, uid="d-1"):
    """One of each way in that django-allauth keeps, with what must never be told of it."""
    for kind, data in (
        ("totp", {"secret": "sealed-totp"}),
        ("webauthn", {"name": "Laptop", "credential": {"id": "sealed-passkey"}}),
        ("recovery_codes", {"seed": "sealed-seed"}),
    ):
        Authenticator.objects.create(user=person, type=kind, data=data)
    identity = SocialAccount.objects.create(user=person, provider="acme-sso", uid=uid)
    SocialToken.objects.create(account=identity, token="sealed-token")
    EmailAddress.objects.create(user=person, email=f"{uid}@acme.example", verified=True, primary=True)


WAYS_IN = (Authenticator, SocialAccount, SocialToken, EmailAddress, UserSession)


def test_nothing_of_a_person_is_left_and_others_keep_theirs(both, person):
    cast, _ = both
    make_grant(cast.acme, cast.carol)
    before = what_is_live(person, NOW)
    assert {kind: len(things) for kind, things in before.items()} == {
        "grants": 1,
        "roles": 1,
        "consents": 1,
        "authorizations": 1,
        "refresh_tokens": 1,
        "access_tokens": 3,
        "runs": 1,
        "rights": 3,
        "groups": 1,
        "teams": 1,
        "invitations": 1,
        "onboarding_tokens": 1,
        "console_roles": 2,  # an auditor may open the administration
        "keys": 1,
        "passwords": 1,
        "second_factors": 3,
        "identities": 1,
        "addresses": 1,
        "sessions": 2,
        "session_records": 1,
        "accounts": 1,
    }
    number = revision(cast.acme)
    gone, proof = offboard_person(person=person, by=cast.by, reason=REASON, now=LATER)
    assert revision(cast.acme) == number + 1
    assert not gone.is_active
    assert not any(what_is_live(person, LATER).values())
    fresh = User.objects.get(pk=person.pk)
    assert (fresh.console_roles, fresh.is_staff, list(fresh.groups.all())) == ([], False, [])
    assert list(Team.objects.get(external_id="emea").members.all()) == [cast.carol]
    assert Grant.objects.get(ended_at__isnull=True).user == cast.carol
    assert {each.user for each in Authorization.objects.filter(ended_at__isnull=True)} == {cast.carol}
    assert {each.user for each in AccessToken.objects.live(LATER)} == {cast.carol}
    assert OnboardingToken.objects.get(revoked_at__isnull=True).label == "other"
    content = said(proof)
    assert set(content["remaining"].values()) == {0}
    assert content["ended"]["teams"] == [["emea", "Emea", "membership"]]
    assert content["subject"]["answered_for"] == {"owner": ["owned"], "sponsor": ["sponsored"]}
    assert verify_attestation(Attestation.objects.get()).genuine
    types = event_types(cast.acme)
    assert types[-1] == "person.offboarded"
    for kind in ("person.deactivated", "agent.owner_left", "consent.ended", "person_key.revoked", "person.roles_changed"):
        assert kind in types
    for kind in ("person.password_removed", "second_factor.removed", "passkey.removed", "recovery_codes.removed"):
        assert kind in types
    assert data_of(last_event(cast.acme, "identity.unlinked")) == {"provider": "acme-sso", "subject": "d-1"}


def test_no_way_in_outlives_a_person_and_the_proof_tells_none_of_their_secrets(both, person):
    cast, _ = both
    give_ways_in(cast.carol, uid="c-1")
    keys = list(Session.objects.values_list("session_key", flat=True))
    hashed = User.objects.get(pk=person.pk).password
    _, proof = offboard_person(person=person, by=cast.by, reason=REASON, now=LATER)
    for rows in WAYS_IN[:-1]:
        assert rows.objects.count() == (3 if rows is Authenticator else 1), "carol keeps hers"
    assert not UserSession.objects.exists()
    assert not Session.objects.exists()
    ended = said(proof)["ended"]
    assert sorted(each[1:] for each in ended["second_factors"]) == [
        ["Laptop", "webauthn"],
        ["Recovery codes", "recovery_codes"],
        ["TOTP Authenticator", "totp"],
    ]
    assert [each[1:] for each in ended["identities"]] == [["d-1", "identity at acme-sso"]]
    told = [proof.body, *(event.body for event in Event.objects.all())]
    hidden = [*keys, hashed, "203.0.113.9", "Firefox", *(f"sealed-{name}" for name in ("totp", "passkey", "seed", "token"))]
    assert not [secret for secret in hidden for text in told if secret in text]


def test_whoever_is_let_in_again_has_none_of_their_old_ways_in(both, person):
    cast, _ = both
    offboard_person(person=person, by=cast.by, reason=REASON, now=LATER)
    back = reactivate_person(person=person, by=cast.by, now=LATER)
    fresh = User.objects.get(pk=back.pk)
    assert fresh.is_active
    assert not fresh.has_usable_password()
    assert not fresh.check_password("correct horse battery staple")
    assert not fresh.password_is_temporary
    assert not any(
        rows.objects.filter(user=person).exists() for rows in (Authenticator, SocialAccount, EmailAddress, UserSession)
    )
    kept = what_is_live(fresh, LATER)
    assert {kind for kind, things in kept.items() if things} == {"accounts"}


def test_a_temporary_password_is_no_riddle_after_the_last_day(both, person):
    cast, _ = both
    User.objects.filter(pk=person.pk).update(password_is_temporary=True)
    gone, _ = offboard_person(person=person, by=cast.by, reason=REASON, now=LATER)
    assert not gone.password_is_temporary
    assert not gone.history.latest("history_date").password_is_temporary


def test_a_passkey_that_was_left_to_somebody_who_is_gone_can_still_be_ended_with_a_proof(both, person):
    cast, _ = both
    offboard_person(person=person, by=cast.by, reason=REASON, now=LATER)
    Authenticator.objects.create(user=person, type="webauthn", data={"name": "Left", "credential": {}})
    _, proof = offboard_person(person=person, by=cast.by, reason=REASON, now=LATER)
    assert {kind: len(things) for kind, things in said(proof)["ended"].items() if things} == {"second_factors": 1}
    assert not Authenticator.objects.exists()


def test_whoever_is_only_deactivated_keeps_their_second_factors_and_no_record_of_a_session(person):
    deactivate_person(person=person, by=SYSTEM, now=NOW)
    assert Authenticator.objects.filter(user=person).count() == 3
    assert SocialAccount.objects.filter(user=person).exists()
    assert User.objects.get(pk=person.pk).check_password("correct horse battery staple")
    assert not UserSession.objects.exists()
    assert not Session.objects.exists()


@pytest.mark.parametrize(("kind", "rows"), [("sessions", Session), ("session_records", UserSession)])
def test_if_a_session_or_its_record_were_left_nothing_would_have_happened(both, person, monkeypatch, kind, rows):
    cast, _ = both

    def forgetful(person, *, now):
        other = UserSession if rows is Session else Session
        other.objects.all().delete()
        return 0

    monkeypatch.setattr("directory.services.people.delete_sessions", forgetful)
    monkeypatch.setattr(offboarding, "delete_sessions", forgetful)
    with pytest.raises(SomethingRemains, match=f"[0-9] {kind}\\.$"):
        offboard_person(person=person, by=cast.by, reason=REASON, now=LATER)
    assert not Attestation.objects.exists()


def test_the_agents_of_a_person_who_left_stop_and_wait(both, person):
    cast, _ = both
    offboard_person(person=person, by=cast.by, reason=REASON, now=LATER)
    owned = Agent.objects.get(pk=cast.owned.pk)
    assert (owned.state, owned.ownerless) == (State.SUSPENDED, True)
    assert Agent.objects.get(pk=cast.sponsored.pk).state == State.ACTIVE


@pytest.mark.parametrize("kind", [*endings.PERSON_STEPS, "teams", "console_roles"])
def test_if_something_of_a_person_were_left_nothing_would_have_happened(both, person, monkeypatch, kind):
    cast, _ = both
    if kind == "keys":
        deactivate_person(person=person, by=SYSTEM, now=NOW)
        from directory.models import PersonKey

        PersonKey.objects.update(revoked_at=None)
    steps = {name: step for name, step in endings.PERSON_STEPS.items() if name != kind}
    monkeypatch.setattr(offboarding, "PERSON_STEPS", steps)
    if kind == "teams":
        monkeypatch.setattr(offboarding, "_leave", lambda *_: None)
    if kind == "console_roles":
        monkeypatch.setattr(offboarding, "_strip", lambda person, _: person)
    with pytest.raises(SomethingRemains, match=kind):
        offboard_person(person=person, by=cast.by, reason=REASON, now=LATER)
    assert not Attestation.objects.exists()
    assert Grant.objects.filter(user=person, ended_at__isnull=True).exists()


def test_a_person_who_was_deactivated_before_can_still_be_proved_and_once(both, person):
    cast, _ = both
    deactivate_person(person=person, by=SYSTEM, now=NOW)
    _, proof = offboard_person(person=person, by=cast.by, reason=REASON, now=LATER)
    assert set(said(proof)["remaining"].values()) == {0}
    with pytest.raises(IllegalTransition):
        offboard_person(person=person, by=cast.by, reason=REASON, now=LATER)
    with pytest.raises(NotAPerson):
        offboard_person(person=cast.agent.user, by=cast.by, now=LATER)


def test_a_right_over_the_organization_that_was_given_by_hand_ends_too(cast):
    carol = cast.carol
    carol.user_permissions.add(Permission.objects.get(content_type__app_label="directory", codename="manage_agent"))
    offboard_person(person=carol, by=cast.by, now=LATER)
    assert not User.objects.get(pk=carol.pk).user_permissions.exists()
    withdrawn = last_event(cast.acme, "access.withdrawn")
    assert data_of(withdrawn)["right"] == "manage_agent"
    assert Organization.objects.get(pk=cast.acme.pk).slug == withdrawn.target_id
