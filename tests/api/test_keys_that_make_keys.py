"""Whoever steals the key of a script lets nobody else in with it: that takes a scope of its own, or a session."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from directory.models import Credential, Invitation, OnboardingToken, PersonKey, User
from directory.services.credentials import issue_api_key
from directory.services.people import deactivate_person
from directory.services.person_keys import issue_person_key
from directory.services.proofs import BadScope
from permissions.models import ApplicationKey
from permissions.services.application_keys import issue_application_key
from tests.api.conftest import Caller
from tests.api.world import rows_of_every_kind
from tests.factories import SYSTEM, make_blueprint, make_person
from tests.permissions.factories import make_application

SCRIPT = ("read", "write")
MADE = (Credential, ApplicationKey, OnboardingToken, Invitation, PersonKey, User)


@pytest.fixture
def with_key(people):
    """Call with a key of one's own, which is for these scopes."""

    def caller(*scopes: str, name: str = "alice", **values: Any) -> tuple[Caller, PersonKey]:
        person = people[name]
        given: dict[str, Any] = {"label": "script", "scopes": scopes, "by": person.as_actor(), "now": timezone.now()}
        key, token = issue_person_key(user=person, **given | values)
        return Caller(Client(), Authorization=f"Bearer {token.text}"), key

    return caller


@pytest.fixture
def ways_in(acme, people, agent):
    """Everything by which somebody could come in who is not in yet: the address, a good body, and the status of who may."""
    rows = rows_of_every_kind(acme, people, agent)
    blueprint = make_blueprint(acme, "for-pipelines")
    left = deactivate_person(person=make_person(acme, "left"), by=SYSTEM, now=timezone.now())
    olivia = str(people["olivia"].pk)
    new = {"external_id": "thief", "name": "Thief", "purpose": "Stays.", "owner": olivia, "sponsor": olivia}
    public = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    elsewhere = {"kind": "federated", "issuer": "https://ci.example", "subject": "thief"}
    return [
        ("credentials", {"agent": str(agent.pk), "label": "x"}, 201),
        ("credentials", {"agent": str(agent.pk), "label": "x", "kind": "client_secret"}, 201),
        ("credentials", {"agent": str(agent.pk), "label": "x", "kind": "public_key", "jwk": public}, 201),
        ("credentials", {"agent": str(agent.pk), "label": "x", **elsewhere}, 201),
        (f"credentials/{rows['credentials']}/rotate", {}, 201),
        ("application-keys", {"application": rows["applications"], "label": "x"}, 201),
        (f"application-keys/{rows['application-keys']}/rotate", {}, 201),
        ("onboarding-tokens", {"blueprint": str(blueprint.pk), "label": "x", "owner": olivia, "sponsor": olivia}, 201),
        ("agents/onboard", {**new, "credential": {"kind": "api_key"}}, 201),
        ("invitations", {"email": "thief@elsewhere.example"}, 201),
        (f"invitations/{rows['invitations']}/resend", {}, 200),
        ("people", {"external_id": "thief", "username": "thief", "name": "T", "email": "thief@elsewhere.example"}, 201),
        (f"people/{people['dave'].pk}/console-roles", {"console_roles": ["security_administrator"]}, 200),
        (f"people/{left.pk}/reactivate", {}, 200),
    ]


def counts() -> list[int]:
    return [model.objects.count() for model in MADE]


def test_a_stolen_key_lets_nobody_in(with_key, ways_in):
    thief, _ = with_key(*SCRIPT)
    before = counts()
    for path, body, _ in ways_in:
        answer = thief.replace(path, body)
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:agentiam:problem:insufficient-scope"), path
        assert 'scope="credentials"' in answer["WWW-Authenticate"], path
    assert counts() == before


def test_a_key_for_it_lets_in_whom_its_person_could(with_key, ways_in):
    caller, _ = with_key("credentials")
    for path, body, status in ways_in:
        answer = caller.replace(path, body)
        assert answer.status_code == status, (path, answer.content)


def test_a_session_needs_no_scope(as_, ways_in):
    for path, body, status in ways_in:
        answer = as_("alice").replace(path, body)
        assert answer.status_code == status, (path, answer.content)


def test_the_scope_is_no_right(with_key, ways_in):
    caller, _ = with_key("credentials", name="carol")
    before = counts()
    for path, body, _ in ways_in:
        assert caller.replace(path, body).status_code in {403, 422}, path
    assert counts() == before


def test_the_scope_is_for_nothing_else(with_key, agent, people):
    caller, _ = with_key("credentials")
    assert caller.get("agents").status_code == 403
    assert caller.post(f"agents/{agent.pk}/suspend", {"reason": "x"}).status_code == 403
    assert caller.patch(f"people/{people['dave'].pk}", {"name": "D"}).status_code == 403


def test_ending_what_was_issued_takes_no_more_than_writing(with_key, acme, people, agent):
    rows = rows_of_every_kind(acme, people, agent)
    caller, _ = with_key(*SCRIPT)
    for kind in ("credentials", "application-keys", "onboarding-tokens"):
        assert caller.post(f"{kind}/{rows[kind]}/revoke").status_code == 200, kind
    assert caller.post(f"invitations/{rows['invitations']}/withdraw").status_code == 200


def test_a_stolen_key_turns_no_address_to_its_thief(with_key, people):
    thief, _ = with_key(*SCRIPT)
    path, theirs = f"people/{people['dave'].pk}", {"email": "thief@elsewhere.example"}
    assert thief.patch(path, theirs).status_code == 403
    assert thief.patch(path, {"name": "David", "email": people["dave"].email}).status_code == 200
    assert User.objects.get(pk=people["dave"].pk).email == people["dave"].email
    assert with_key(*SCRIPT, "credentials")[0].patch(path, theirs).status_code == 200


def test_a_stolen_key_lets_no_dismissed_person_in_again_with_the_old_password(with_key, acme, people):
    left = deactivate_person(person=make_person(acme, "left", password="left it here"), by=SYSTEM, now=timezone.now())
    thief, _ = with_key(*SCRIPT)
    assert thief.post(f"people/{left.pk}/reactivate").status_code == 403
    assert not User.objects.get(pk=left.pk).is_active
    # To end an account takes no more than writing: whoever finds out must not wait for another key.
    assert thief.post(f"people/{people['dave'].pk}/deactivate", {"reason": "x"}).status_code == 200


def test_an_agent_onboarded_without_a_credential_is_registered(with_key, people):
    caller, _ = with_key(*SCRIPT)
    olivia = str(people["olivia"].pk)
    new = {"external_id": "new", "name": "New", "purpose": "Helps.", "owner": olivia, "sponsor": olivia}
    assert caller.post("agents", new).status_code == 201
    assert not Credential.objects.filter(agent__external_id="new").exists()


def test_nobody_has_the_scope_who_did_not_ask_for_it(as_, people):
    assert as_("carol").post("person-keys", {"label": "x"}).json()["scopes"] == ["read"]
    made = as_("carol").post("person-keys", {"label": "x", "scopes": ["read", "credentials"]})
    assert made.json()["scopes"] == ["read", "credentials"]


def test_the_keys_of_agents_and_applications_never_make_others(as_, agent):
    application, now = make_application(agent.organization, "crm"), timezone.now()
    for path, holder in (
        ("credentials", {"agent": str(agent.pk)}),
        ("application-keys", {"application": str(application.pk)}),
    ):
        assert as_("alice").post(path, {**holder, "label": "x", "scopes": ["credentials"]}).status_code == 422
    with pytest.raises(BadScope):
        issue_api_key(agent=agent, label="x", scopes=["read", "credentials"], by=SYSTEM, now=now)
    with pytest.raises(BadScope):
        issue_application_key(application=application, label="x", scopes=["credentials"], by=SYSTEM, now=now)


def test_a_key_makes_no_key_of_its_person_whatever_its_scopes(with_key):
    caller, _ = with_key(*SCRIPT, "credentials")
    answer = caller.post("person-keys", {"label": "successor", "scopes": ["read", "write", "credentials"]})
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:agentiam:problem:session-needed")
    assert PersonKey.objects.count() == 1


def test_a_stolen_key_does_not_replace_itself(with_key):
    thief, key = with_key(*SCRIPT)
    assert thief.post(f"person-keys/{key.pk}/rotate").status_code == 403
    assert PersonKey.objects.count() == 1


def test_a_key_that_replaces_itself_ends_no_later_and_is_for_no_more(with_key):
    end = timezone.now() + timedelta(days=5)
    caller, key = with_key(*SCRIPT, "credentials", expires_at=end, allowed_networks=["127.0.0.0/8"])
    later = caller.post(f"person-keys/{key.pk}/rotate", {"expires_at": (end + timedelta(seconds=1)).isoformat()})
    assert (later.status_code, later.json()["type"]) == (403, "urn:agentiam:problem:session-needed")
    made = caller.post(f"person-keys/{key.pk}/rotate")
    assert made.status_code == 201, made.content
    successor = PersonKey.objects.get(pk=made.json()["id"])
    assert (successor.expires_at, successor.scopes, successor.allowed_networks) == (end, key.scopes, key.allowed_networks)
    # The next one, too, however often: none puts the end off.
    heir = Caller(Client(), Authorization=f"Bearer {made.json()['secret']}")
    again = heir.post(f"person-keys/{successor.pk}/rotate", {"overlap_seconds": 3600})
    assert PersonKey.objects.get(pk=again.json()["id"]).expires_at == end


def test_a_key_may_replace_itself_by_one_that_ends_sooner(with_key):
    sooner = timezone.now() + timedelta(days=1)
    caller, key = with_key(*SCRIPT, "credentials")
    made = caller.post(f"person-keys/{key.pk}/rotate", {"expires_at": sooner.isoformat()})
    assert PersonKey.objects.get(pk=made.json()["id"]).expires_at == sooner


def test_a_key_does_not_replace_another_of_its_person(with_key):
    caller, _ = with_key("credentials", expires_at=timezone.now() + timedelta(days=1))
    _, wider = with_key(*SCRIPT, expires_at=timezone.now() + timedelta(days=300))
    answer = caller.post(f"person-keys/{wider.pk}/rotate")
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:agentiam:problem:session-needed")
    assert PersonKey.objects.count() == 2


def test_in_a_session_a_key_is_prolonged(as_, with_key):
    _, key = with_key(*SCRIPT, expires_at=timezone.now() + timedelta(days=1))
    made = as_("alice").post(f"person-keys/{key.pk}/rotate")
    assert PersonKey.objects.get(pk=made.json()["id"]).expires_at > key.expires_at + timedelta(days=80)


def test_the_document_says_which_scope_each_operation_needs(db):
    paths = Client().get("/api/v1/openapi.json").json()["paths"]
    needs = {
        ("/agents", "get"): "read",
        ("/agents", "post"): "write",
        ("/agents/onboard", "post"): "credentials",
        ("/credentials", "post"): "credentials",
        ("/credentials/{id}/rotate", "post"): "credentials",
        ("/credentials/{id}/revoke", "post"): "write",
        ("/application-keys", "post"): "credentials",
        ("/onboarding-tokens", "post"): "credentials",
        ("/invitations/{id}/resend", "post"): "credentials",
        ("/person-keys/{id}/rotate", "post"): "credentials",
        ("/plans", "post"): "decide",
    }
    for (path, method), scope in needs.items():
        security = paths[f"/api/v1{path}"][method]["security"]
        assert {"key": [scope]} in security, path
        assert {"session": []} in security, path
