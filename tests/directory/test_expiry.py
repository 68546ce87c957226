"""The clock's bookkeeping: what is over is ended once, with an event and a version, and nothing else is touched."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agentiam.kit.rounds import RoundIncomplete
from audit.models import Event
from directory.models import Credential, Invitation, OnboardingToken, Run
from directory.services import expiry
from directory.services.credentials import issue_api_key, register_public_key, revoke_credential, rotate_api_key
from directory.services.expiry import OVER, end_expired
from directory.services.invitations import invite_person
from directory.services.onboarding_tokens import issue_onboarding_token
from directory.services.person_keys import issue_person_key
from directory.services.runs import start_run
from tests.directory.recorded import data_of, event_types, events_of, last_event, last_touched, revision
from tests.directory.test_credentials import OKP_KEY
from tests.directory.test_races import at_once
from tests.factories import NOW, SYSTEM, make_agent, make_blueprint, make_organization, make_person

HOUR = timedelta(hours=1)
SOON = NOW + HOUR
LATER = NOW + 2 * HOUR


def a_run(organization, number=1):
    return start_run(agent=make_agent(organization), task_id=f"T-{number}", expires_at=SOON, by=SYSTEM, now=NOW)


def a_credential(organization, number=1):
    return issue_api_key(agent=make_agent(organization), label=f"key {number}", expires_at=SOON, by=SYSTEM, now=NOW)[0]


def a_public_key(organization, number=1):
    return register_public_key(agent=make_agent(organization), label="jwk", jwk=OKP_KEY, expires_at=SOON, by=SYSTEM, now=NOW)


def a_person_key(organization, number=1):
    return issue_person_key(user=make_person(organization), label="key", expires_at=SOON, by=SYSTEM, now=NOW)[0]


def an_onboarding_token(organization, number=1):
    person = make_person(organization)
    given = {"blueprint": make_blueprint(organization), "label": "ci", "owner": person, "sponsor": person}
    return issue_onboarding_token(**given, expires_at=SOON, by=SYSTEM, now=NOW)[0]


def an_invitation(organization, number=1):
    address = f"new{number}@{organization.slug}.example"
    invitation = invite_person(organization=organization, email=address, by=SYSTEM, now=NOW)
    invitation = invitation[0] if isinstance(invitation, tuple) else invitation
    Invitation.objects.filter(pk=invitation.pk).update(expires_at=SOON)
    return Invitation.objects.get(pk=invitation.pk)


KINDS = {
    "run": (a_run, "run.ended", "ended_at", SOON),
    "credential": (a_credential, "credential.expired", "expiry_noted_at", LATER),
    "public_key": (a_public_key, "credential.expired", "expiry_noted_at", LATER),
    "person_key": (a_person_key, "person_key.expired", "expiry_noted_at", LATER),
    "onboarding_token": (an_onboarding_token, "onboarding_token.expired", "expiry_noted_at", LATER),
    "invitation": (an_invitation, "invitation.expired", "withdrawn_at", LATER),
}


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


@pytest.mark.django_db
def test_what_is_over_ends_once_with_an_event_and_a_version(kind):
    make, event_type, field, at = kind
    acme, elsewhere = make_organization("acme"), make_organization("elsewhere")
    thing, foreign = make(acme), make(elsewhere, 2)
    type(foreign).objects.filter(pk=foreign.pk).update(expires_at=LATER + HOUR)
    events, foreign_events, number = len(events_of(acme)), len(events_of(elsewhere)), revision(acme)

    assert end_expired(now=SOON - timedelta(microseconds=1)) == 0
    assert end_expired(now=LATER) == 1

    thing.refresh_from_db()
    assert getattr(thing, field) == at
    version = thing.history.latest()
    assert (getattr(version, field), version.history_date, version.history_user, version.history_change_reason) == (
        at,
        LATER,
        None,
        OVER,
    )
    (event,) = events_of(acme)[events:]
    assert (event.type, event.at, event.actor_kind, event.actor_id) == (event_type, LATER, "system", "clock")
    assert (event.reason, event.target_id) == (OVER, str(thing.pk))
    assert revision(acme) == number + (event_type != "invitation.expired")

    foreign.refresh_from_db()
    assert getattr(foreign, field) is None
    assert len(events_of(elsewhere)) == foreign_events

    # Once more, later still: it has happened.
    versions = thing.history.count()
    assert end_expired(now=LATER + timedelta(minutes=1)) == 0
    assert (len(events_of(acme)), thing.history.count()) == (events + 1, versions)


@pytest.mark.django_db
def test_the_queries_are_as_many_for_one_as_for_twenty(kind):
    make = kind[0]
    counts = []
    for number in (1, 20):
        organization = make_organization()
        for each in range(number):
            make(organization, each)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert end_expired(now=LATER) == number
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.django_db
def test_more_than_a_batch_is_ended_in_several_transactions(monkeypatch):
    monkeypatch.setattr(expiry, "BATCH", 3)
    acme = make_organization("acme")
    for number in range(7):
        a_credential(acme, number)
    before = revision(acme)
    told: list[int] = []
    assert end_expired(now=LATER, heard=told.append) == 7
    assert told == [3, 6, 7]
    assert revision(acme) == before + 3
    assert event_types(acme).count("credential.expired") == 7


@pytest.mark.django_db
def test_the_end_of_a_credential_touches_what_rests_on_it_and_shows_no_secret():
    acme = make_organization("acme")
    agent = make_agent(acme, "crm-bot")
    credential, token = issue_api_key(agent=agent, label="main", expires_at=SOON, by=SYSTEM, now=NOW)
    end_expired(now=LATER)
    assert last_touched(acme) == ["agent/crm-bot", f"key/{credential.public_id}"]
    event = last_event(acme, "credential.expired")
    assert data_of(event) == {
        "agent": "crm-bot",
        "kind": "api_key",
        "public_id": credential.public_id,
        "expires_at": SOON.isoformat(),
    }
    assert token.secret not in event.body
    assert credential.digest not in event.body


@pytest.mark.django_db
def test_what_somebody_ended_is_not_ended_again():
    acme = make_organization("acme")
    agent = make_agent(acme)
    revoked, _ = issue_api_key(agent=agent, label="revoked", expires_at=SOON, by=SYSTEM, now=NOW)
    revoke_credential(credential=revoked, by=SYSTEM, now=NOW)
    rotated, _ = issue_api_key(agent=agent, label="rotated", expires_at=NOW + 3 * HOUR, by=SYSTEM, now=NOW)
    rotate_api_key(credential=rotated, overlap=HOUR / 2, by=SYSTEM, now=NOW)
    assert end_expired(now=LATER) == 1  # the rotated one, after its overlap
    assert list(Credential.objects.filter(expiry_noted_at__isnull=False)) == [rotated]
    assert event_types(acme).count("credential.expired") == 1


@pytest.mark.django_db
def test_an_address_can_be_invited_again_after_its_invitation_is_over():
    acme = make_organization("acme")
    an_invitation(acme)
    end_expired(now=LATER)
    again = an_invitation(acme)
    assert again.withdrawn_at is None
    assert Invitation.objects.count() == 2


@pytest.mark.django_db
def test_a_run_that_was_set_to_end_before_it_began_is_ended_all_the_same():
    run = a_run(make_organization("acme"))
    Run.objects.filter(pk=run.pk).update(expires_at=NOW - HOUR)
    assert end_expired(now=LATER) == 1
    assert Run.objects.get(pk=run.pk).ended_at == NOW


@pytest.mark.django_db
def test_an_organization_that_fails_stops_neither_the_others_nor_its_own_other_ends(monkeypatch):
    bad, good = make_organization("bad"), make_organization("good")
    for organization in (bad, good):
        a_run(organization)
        a_credential(organization)
    record = expiry.conclude

    def refuse(changes, *, touched):
        if changes[0].organization_id == bad.pk and changes[0].event_type.name == "run.ended":
            raise RuntimeError("the log is full")
        return record(changes, touched=touched)

    monkeypatch.setattr(expiry, "conclude", refuse)
    with pytest.raises(RoundIncomplete, match=r"ending runs in .* \(RuntimeError\)$"):
        end_expired(now=LATER)
    assert Run.objects.get(organization=bad).ended_at is None
    assert Run.objects.get(organization=good).ended_at == SOON
    assert not Credential.objects.filter(expiry_noted_at__isnull=True).exists()
    assert "run.ended" not in event_types(bad)

    monkeypatch.undo()
    assert end_expired(now=LATER) == 1
    assert event_types(bad).count("run.ended") == 1


@pytest.mark.django_db(transaction=True)
def test_of_several_workers_at_once_one_ends_each():
    acme, elsewhere = make_organization("acme"), make_organization("elsewhere")
    for organization in (acme, elsewhere):
        for make, *_ in KINDS.values():
            make(organization, organization.slug)
    done = at_once(*[lambda: end_expired(now=LATER)] * 4)
    assert sum(done) == 2 * len(KINDS)
    expected = sorted(event_type for _, event_type, _, _ in KINDS.values())
    for organization in (acme, elsewhere):
        ended = Event.objects.filter(organization_id=organization.pk, actor_id="clock").values_list("type", flat=True)
        assert sorted(ended) == expected
    assert OnboardingToken.history.filter(history_change_reason=OVER).count() == 2
