"""What was issued to agents, over the API: seen by whom it concerns, and ended by who may stop the agent."""

from datetime import timedelta

import pytest
from django.utils import timezone

from audit.models import Event
from directory.services.person_keys import issue_person_key
from permissions.models import AccessToken, Authorization, Consent, RefreshToken, TokenKey
from tests.api.conftest import Caller
from tests.permissions.factories import make_access_token, make_authorization, make_consent, make_token_key


@pytest.fixture
def agreed(world):
    """Dave agreed to the runner, which has a refresh token and an access token by it."""
    consent = make_consent(world.people["dave"], world.runner, world.record)
    row = make_authorization(world.people["dave"], world.runner)
    row.consents.add(consent)
    RefreshToken.objects.create(authorization=row, public_id="r", digest="e" * 64, expires_at=row.ends_at)
    return make_access_token(world.runner, user=world.people["dave"], authorization=row)


def ids(answer):
    assert answer.status_code == 200, answer.content
    return {each["id"] for each in answer.json()["items"]}


def test_a_token_is_told_without_its_text(as_, world, agreed):
    child = make_access_token(world.helper, parent=agreed, kid="", public_id="abc", digest="f" * 64, jkt="j", may_act="agent/x")
    told = as_("alice").get(f"access-tokens/{child.pk}").json()
    assert told | {"agent": None} == {
        "id": str(child.pk),
        "agent": None,
        "user": None,
        "subject": "agent/helper",
        "actors": ["agent/helper"],
        "may_act": "agent/x",
        "audience": "https://crm.example",
        "scopes": [],
        "details": [],
        "bound": True,
        "credential": None,
        "authorization": None,
        "parent": str(agreed.pk),
        "run": None,
        "issued_at": told["issued_at"],
        "expires_at": told["expires_at"],
        "revoked_at": None,
    }
    assert as_("alice").get(f"access-tokens/{agreed.pk}").json()["bound"] is False


def test_tokens_are_narrowed(as_, world, agreed):
    now, caller = timezone.now(), as_("alice")
    over = make_access_token(world.runner, issued_at=now - timedelta(hours=1), expires_at=now - timedelta(minutes=1))
    other = make_access_token(world.helper, audience="https://lake.example", revoked_at=now)
    assert ids(caller.get("access-tokens?live=true")) == {str(agreed.pk)}
    assert ids(caller.get("access-tokens?live=false")) == {str(over.pk), str(other.pk)}
    assert ids(caller.get(f"access-tokens?agent={world.runner.pk}")) == {str(agreed.pk), str(over.pk)}
    assert ids(caller.get(f"access-tokens?user={world.people['dave'].pk}")) == {str(agreed.pk)}
    assert ids(caller.get("access-tokens?audience=https://lake.example")) == {str(other.pk)}
    assert ids(as_("dave").get("access-tokens")) == {str(agreed.pk)}


def test_a_token_is_revoked_with_what_was_exchanged_for_it(as_, world, agreed):
    child = make_access_token(world.helper, parent=agreed)
    told = as_("olivia").post(f"access-tokens/{agreed.pk}/revoke", {"reason": "It leaked."})
    assert told.json()["revoked_at"] is not None, told.content
    child.refresh_from_db()
    assert child.revoked_at is not None
    event = Event.objects.get(type="token.revoked")
    assert (event.actor_id, event.reason) == ("olivia", "It leaked.")
    assert '"count":2' in event.body
    assert as_("olivia").post(f"access-tokens/{agreed.pk}/revoke").status_code == 409


def test_all_tokens_of_an_agent_are_revoked(as_, world, agreed):
    kept = make_access_token(world.helper)
    make_access_token(world.runner)
    assert as_("olivia").post(f"agents/{world.runner.pk}/revoke-tokens").json() == {"revoked": 2}
    assert list(AccessToken.objects.live(timezone.now())) == [kept]
    assert as_("olivia").post(f"agents/{world.runner.pk}/revoke-tokens").json() == {"revoked": 0}


def test_a_user_ends_an_authorization_with_its_consents(as_, world, agreed):
    assert as_("dave").post(f"authorizations/{agreed.authorization_id}/end").status_code == 200
    assert Consent.objects.get().ended_at is not None
    assert Authorization.objects.get().ended_because == "the user ended it"
    assert RefreshToken.objects.get().used_at is not None
    assert AccessToken.objects.get().revoked_at is not None
    assert as_("dave").post(f"authorizations/{agreed.authorization_id}/end").status_code == 409


@pytest.mark.parametrize("name", ["alice", "olivia"])
def test_who_may_stop_the_agent_ends_an_authorization_and_says_why(as_, world, agreed, name):
    path = f"authorizations/{agreed.authorization_id}/end"
    refused = as_(name).post(path)
    assert refused.status_code == 422, refused.content
    assert Authorization.objects.get().ended_at is None
    told = as_(name).post(path, {"reason": "The agent misbehaves."}).json()
    assert (told["ended_at"] is not None, told["ended_because"]) == (True, "The agent misbehaves.")
    assert AccessToken.objects.get().revoked_at is not None
    assert Consent.objects.get().ended_at is None


def test_authorizations_are_narrowed(as_, world, agreed):
    over = make_authorization(world.people["alice"], world.helper, ended_at=timezone.now())
    assert ids(as_("alice").get("authorizations?live=true")) == {str(agreed.authorization_id)}
    assert ids(as_("alice").get("authorizations?live=false")) == {str(over.pk)}
    assert ids(as_("alice").get(f"authorizations?agent={world.helper.pk}")) == {str(over.pk)}


def test_keys_are_rotated_and_withdrawn(as_, world):
    caller = as_("alice")
    made = caller.post("token-keys/rotate").json()["items"]
    assert {each["algorithm"] for each in made} == {"ES256", "EdDSA", "RS256"}
    assert not any({"d", "p", "q"} & set(each["jwk"]) for each in made)
    assert caller.post("token-keys/rotate").json()["items"] == []
    now = timezone.now().isoformat()
    at_once = caller.post("token-keys/rotate", {"at_once": True, "reason": "It was lost."}).json()["items"]
    assert len(at_once) == 3
    assert all(each["signs_from"][:19] >= now[:19] for each in at_once)
    lost = at_once[0]
    assert caller.post(f"token-keys/{lost['id']}/withdraw").status_code == 422
    told = caller.post(f"token-keys/{lost['id']}/withdraw", {"reason": "It was lost."}).json()
    assert told["shown_until"] == told["signs_until"]
    assert told["kid"] == lost["kid"]
    assert TokenKey.objects.filter(organization=world.acme).signing(timezone.now()).filter(algorithm=lost["algorithm"]).exists()


def test_a_persons_key_needs_the_scope_credentials_for_keys_that_sign(people, world, client):
    row, alice = make_token_key(world.acme, "kid"), people["alice"]
    for scopes, expected in ((["read", "write"], 403), (["read", "credentials"], 200)):
        _, token = issue_person_key(user=alice, label="script", scopes=scopes, by=alice.as_actor(), now=timezone.now())
        caller = Caller(client, Authorization=f"Bearer {token.text}")
        assert caller.get("token-keys").status_code == 200
        assert caller.post("token-keys/rotate").status_code == expected
        assert caller.post(f"token-keys/{row.pk}/withdraw", {"reason": "lost"}).status_code == expected
