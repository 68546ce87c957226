"""An administrator sees where people are signed in and how they prove who they are, and ends it; nobody is told a secret."""

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from audit.models import Event
from directory.models import User
from directory.services.person_keys import issue_person_key
from tests.api.test_directory import refused
from tests.factories import SYSTEM


@pytest.fixture
def alice(as_):
    return as_("alice")


def key_of(person, *scopes):
    _, token = issue_person_key(user=person, label="script", scopes=scopes, by=SYSTEM, now=timezone.now())
    return {"Authorization": f"Bearer {token.text}"}


def factors(person):
    for kind, data in (
        ("totp", {"secret": "sealed-1"}),
        ("webauthn", {"name": "Laptop", "credential": {"id": "sealed-2"}}),
        ("recovery_codes", {"seed": "sealed-3"}),
    ):
        Authenticator.objects.create(user=person, type=kind, data=data)


def signed_in(client):
    return client.get("/api/v1/people").status_code == 200


def test_sessions_are_told_without_their_keys_and_ended(alice, people):
    bob = people["bob"]
    here, there, unrecorded = Client(), Client(), Client()
    for client in (here, there, unrecorded):
        client.force_login(bob)
    for client, address, browser in ((here, "203.0.113.9", "Firefox"), (there, "203.0.113.10", "curl")):
        key = client.session.session_key
        UserSession.objects.create(user=bob, session_key=key, ip=address, user_agent=browser)
    answer = alice.get(f"people/{bob.pk}/sessions")
    assert answer.status_code == 200, answer.content
    told = answer.json()
    assert told["count"] == len(told["items"]) == 3
    assert ("203.0.113.9", "Firefox") in {(each["address"], each["user_agent"]) for each in told["items"]}
    assert [each["id"] for each in told["items"]].count(None) == 1
    assert not [key for key in Session.objects.values_list("session_key", flat=True) if key in answer.content.decode()]
    ended = alice.post(f"people/{bob.pk}/sessions/end", {"reason": "stolen laptop"})
    assert (ended.status_code, ended.json()["external_id"]) == (200, "bob")
    assert alice.get(f"people/{bob.pk}/sessions").json() == {"count": 0, "items": []}
    assert not any(signed_in(client) for client in (here, there, unrecorded))
    assert not UserSession.objects.exists()
    event = Event.objects.get(type="sessions.ended")
    assert (event.actor_id, event.target_id, event.reason) == ("alice", "bob", "stolen laptop")
    assert alice.get(f"people/{people['alice'].pk}/sessions").json()["count"] == 1, "hers goes on"


def test_a_session_that_is_over_is_no_session(alice, people):
    Client().force_login(people["bob"])
    client = Client()
    client.force_login(people["bob"])
    Session.objects.filter(session_key=client.session.session_key).update(expire_date=timezone.now())
    assert alice.get(f"people/{people['bob'].pk}/sessions").json()["count"] == 1


def test_second_factors_are_told_without_their_secrets_and_reset(alice, people):
    bob = people["bob"]
    factors(bob)
    client = Client()
    client.force_login(bob)
    answer = alice.get(f"people/{bob.pk}/second-factors")
    told = answer.json()["items"]
    assert [(each["kind"], each["name"], each["last_used_at"]) for each in told] == [
        ("totp", "TOTP Authenticator", None),
        ("webauthn", "Laptop", None),
        ("recovery_codes", "Recovery codes", None),
    ]
    assert "sealed" not in answer.content.decode()
    assert {"kind", "name", "created_at", "last_used_at"} == set(told[0])
    reset = alice.post(f"people/{bob.pk}/second-factors/reset", {"reason": "lost phone"})
    assert reset.status_code == 200, reset.content
    assert alice.get(f"people/{bob.pk}/second-factors").json() == {"items": []}
    assert not signed_in(client)
    assert Event.objects.get(type="second_factor.reset").target_id == "bob"


def test_nobody_resets_their_own_second_factors_and_everybody_says_why(alice, people):
    factors(people["alice"])
    refused(alice.post(f"people/{people['alice'].pk}/second-factors/reset", {"reason": "mine"}))
    for what in ("sessions/end", "second-factors/reset"):
        refused(alice.post(f"people/{people['bob'].pk}/{what}", {}), 422)
    assert Authenticator.objects.count() == 3


def test_to_look_is_for_those_who_may_end_it(as_, people):
    address = f"people/{people['bob'].pk}"
    for who, status in (("bob", 403), ("carol", 403), ("olivia", 404), ("dave", 404), ("mallory", 404), ("anonymous", 401)):
        for what in ("sessions", "second-factors"):
            refused(as_(who).get(f"{address}/{what}"), status)
        for what in ("sessions/end", "second-factors/reset"):
            refused(as_(who).post(f"{address}/{what}", {"reason": "no"}), status)


def test_a_stolen_key_that_may_write_ends_sessions_and_takes_nobodys_second_factor(people):
    factors(people["bob"])
    address, body = f"/api/v1/people/{people['bob'].pk}", {"reason": "no"}
    writing = Client(headers=key_of(people["alice"], "read", "write"))
    answer = writing.post(f"{address}/second-factors/reset", body, content_type="application/json")
    refused(answer)
    assert "credentials" in answer["WWW-Authenticate"]
    assert Authenticator.objects.count() == 3
    assert writing.post(f"{address}/sessions/end", body, content_type="application/json").status_code == 200
    able = Client(headers=key_of(people["alice"], "read", "write", "credentials"))
    assert able.post(f"{address}/second-factors/reset", body, content_type="application/json").status_code == 200
    assert not Authenticator.objects.exists()


def test_agents_are_no_people_here_and_unknown_parameters_are_refused(alice, agent, people):
    assert isinstance(agent.user, User)
    for what in ("sessions", "second-factors"):
        refused(alice.get(f"people/{agent.user_id}/{what}"), 404)
        refused(alice.get(f"people/{people['bob'].pk}/{what}?limit=1"), 422)
