"""An agent calls the API with a token for agentiam itself: within its scopes, under its own name, with proof of its key."""

import base64
import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from joserfc import jws
from joserfc.jwk import ECKey

from audit.models import Event
from directory.models import Agent, Credential
from directory.services.credentials import issue_client_secret, revoke_credential
from directory.services.suspension import suspend_agent
from permissions.models import AccessToken, Signal
from permissions.oauth.authorizations import revoke_token
from permissions.oauth.keys import signing_key
from permissions.oauth.tokens import claims_of
from tests.api.conftest import Caller
from tests.factories import SYSTEM, make_agent, make_blueprint
from tests.oauth.worlds import BASE, assertion, basic, dpop_proof, post, with_assertion

KEY = ECKey.generate_key("P-256")


@pytest.fixture
def secret(agent: Agent) -> tuple[Credential, str]:
    credential, token = issue_client_secret(
        agent=agent, label="s", scopes=["decide", "read", "write"], by=SYSTEM, now=timezone.now()
    )
    return credential, token.text


def token_for(name: str, secret: str, *, scope: str = "read write", **more: str) -> str:
    data = {"grant_type": "client_credentials", "resource": BASE, "scope": scope}
    return post("token", data, authorization=basic(name, secret), **more).token


def bearer(text: str) -> Caller:
    return Caller(Client(), Authorization=f"Bearer {text}")


def bound_token(secret: str) -> str:
    nonce = post(
        "token",
        {"grant_type": "client_credentials", "resource": BASE, "scope": "read write"},
        authorization=basic("runner", secret),
        dpop=dpop_proof(KEY),
    ).headers["DPoP-Nonce"]
    return token_for("runner", secret, dpop=dpop_proof(KEY, nonce=nonce))


def proof(text: str, path: str, method: str = "GET", **claims: Any) -> str:
    ath = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
    return dpop_proof(KEY, **({"htm": method, "htu": f"{BASE}/api/v1/{path}", "ath": ath} | claims))


def test_an_agent_reads_and_writes_with_its_token(agent: Agent, secret: tuple[Credential, str]) -> None:
    caller = bearer(token_for("runner", secret[1]))
    assert caller.get(f"agents/{agent.pk}").json()["external_id"] == "runner"
    assert caller.post("runs", {"agent": str(agent.pk), "task_id": "T-1"}).status_code == 201
    event = Event.objects.get(type="run.started")
    assert (event.actor_kind, event.actor_id) == ("agent", "runner")


def test_a_token_goes_as_far_as_its_scopes(agent: Agent, secret: tuple[Credential, str]) -> None:
    reads = bearer(token_for("runner", secret[1], scope="read"))
    assert reads.get("agents").status_code == 200
    assert reads.post("runs", {"agent": str(agent.pk), "task_id": "T-1"}).status_code == 403
    assert bearer(token_for("runner", secret[1], scope="decide")).get("agents").status_code == 403
    writes = bearer(token_for("runner", secret[1]))
    assert writes.post("credentials", {"agent": str(agent.pk), "label": "more"}).status_code == 403


def test_a_token_for_an_application_or_for_a_user_is_refused(agent: Agent, people: Any, secret: tuple[Credential, str]) -> None:
    text = token_for("runner", secret[1])
    AccessToken.objects.update(audience="https://crm.acme.example")
    assert bearer(text).get("agents").status_code == 401
    text = token_for("runner", secret[1])
    row = AccessToken.objects.latest("issued_at")
    # As it would be on behalf of alice: the row and the signed claims must say the same, so the claims are signed anew.
    row.subject, row.actors, row.user = "user/alice", ["agent/runner"], people["alice"]
    row.save()
    assert bearer(text).get("agents").status_code == 401
    assert bearer(signed_anew(row)).get("agents").status_code == 403
    assert "own name" in bearer(signed_anew(row)).get("agents").json()["detail"]


def signed_anew(row: AccessToken) -> str:
    key, private = signing_key(row.organization, "ES256", now=timezone.now())
    header = {"alg": "ES256", "typ": "at+jwt", "kid": key.kid}
    return jws.serialize_compact(header, json.dumps(claims_of(row, "runner")).encode(), private, algorithms=["ES256"])


@pytest.mark.parametrize("end", ["token", "credential", "agent", "clock"])
def test_a_token_ends_with_what_it_rests_on(agent: Agent, secret: tuple[Credential, str], end: str) -> None:
    caller = bearer(token_for("runner", secret[1]))
    assert caller.get("agents").status_code == 200
    now = timezone.now()
    if end == "token":
        revoke_token(token=AccessToken.objects.get(), by=SYSTEM, now=now)
    elif end == "credential":
        revoke_credential(credential=secret[0], by=SYSTEM, now=now)
    elif end == "agent":
        suspend_agent(agent=agent, by=SYSTEM, now=now)
    else:
        row = AccessToken.objects.get()
        AccessToken.objects.update(issued_at=row.issued_at.replace(year=2020), expires_at=now)
    answer = caller.get("agents")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_bound_token_comes_with_its_proof(agent: Agent, secret: tuple[Credential, str]) -> None:
    text = bound_token(secret[1])
    caller = Caller(Client(), Authorization=f"DPoP {text}")
    first = caller.get("agents", DPoP=proof(text, "agents"))
    assert first.status_code == 401
    assert 'error="use_dpop_nonce"' in first.headers["WWW-Authenticate"]
    nonce = first.headers["DPoP-Nonce"]
    good = proof(text, "agents", nonce=nonce)
    assert caller.get("agents", DPoP=good).status_code == 200
    assert caller.get("agents", DPoP=proof(text, "runs", nonce=nonce)).status_code == 401
    assert caller.get("agents", DPoP=proof(text, "agents", nonce=nonce, ath="A" * 43)).status_code == 401
    assert caller.get("agents").status_code == 401
    assert bearer(text).get("agents").status_code == 401
    assert not Signal.objects.exists()
    assert caller.get("agents", DPoP=good).status_code == 401
    assert Signal.objects.get().sign == "proof_replayed"


def test_a_replay_is_a_sign_also_where_the_request_is_one_transaction(agent: Agent, secret: tuple[Credential, str]) -> None:
    text = bound_token(secret[1])
    caller = Caller(Client(), Authorization=f"DPoP {text}")
    nonce = caller.get("agents", DPoP=proof(text, "agents")).headers["DPoP-Nonce"]
    again = proof(text, "runs", "POST", nonce=nonce)
    body = {"agent": str(agent.pk), "task_id": "T-1"}
    assert caller.post("runs", body, **{"DPoP": again, "Idempotency-Key": "first-12345"}).status_code == 201
    assert caller.post("runs", body, **{"DPoP": again, "Idempotency-Key": "other-12345"}).status_code == 401
    assert Signal.objects.get().sign == "proof_replayed"


def test_a_public_key_is_for_tokens_with_the_scopes_that_it_was_registered_with(agent: Agent, as_: Any) -> None:
    body = {"agent": str(agent.pk), "label": "key", "kind": "public_key", "jwk": KEY.as_dict(private=False)}
    made = as_("alice").post("credentials", {**body, "scopes": ["decide", "read"]})
    assert (made.status_code, made.json()["scopes"]) == (201, ["decide", "read"])
    data = {"grant_type": "client_credentials", "resource": BASE, "scope": "decide read write"}
    answer = with_assertion("runner", assertion("runner", key=KEY), **data)
    assert answer.claims["scope"] == "decide read"
    assert bearer(answer.token).get("agents").status_code == 200


def test_an_unknown_token_is_refused_and_says_nothing(secret: tuple[Credential, str]) -> None:
    text = token_for("runner", secret[1])
    for wrong in (text[:-4], "a.b.c", "aat_0_0"):
        answer = bearer(wrong).get("agents")
        assert answer.status_code == 401
        assert answer.json()["detail"] == "The token is not valid here and now."


# --- what an agent does for its child ---


@pytest.fixture
def parent(agent: Agent, secret: tuple[Credential, str]) -> Caller:
    blueprint = make_blueprint(agent.organization, spawn_depth=2, spawn_children=5, spawn_seconds=600)
    Agent.objects.filter(pk=agent.pk).update(blueprint=blueprint)
    return bearer(token_for("runner", secret[1], scope="write"))


def spawned(parent: Caller, agent: Agent, name: str = "child") -> Any:
    made = parent.post(f"agents/{agent.pk}/spawn", {"external_id": name, "name": name, "purpose": "Helps."})
    assert made.status_code == 201, made.content
    return made.json()


def test_an_agent_gives_its_child_one_credential_that_ends_with_the_child(agent: Agent, parent: Caller) -> None:
    child = spawned(parent, agent)
    body = {"child": child["id"], "label": "first"}
    made = parent.post(f"agents/{agent.pk}/child-credential", body)
    assert made.status_code == 201, made.content
    row = Credential.objects.get(agent=child["id"])
    shown = row.rests_on
    assert (row.kind, row.scopes, shown.agent) == ("client_secret", ["decide"], agent)
    assert row.expires_at == Agent.objects.get(pk=child["id"]).expires_at
    claims = post(
        "token", {"grant_type": "client_credentials", "resource": BASE}, authorization=basic("child", made.json()["secret"])
    ).claims
    assert (claims["sub"], claims["ancestors"]) == ("agent/child", ["agent/runner"])
    event = Event.objects.filter(type="credential.issued").latest("id")
    assert (event.actor_kind, event.actor_id) == ("agent", "runner")
    assert made.json()["secret"] not in event.body
    again = parent.post(f"agents/{agent.pk}/child-credential", body)
    assert (again.status_code, again.json()["fact"]) == (409, "ChildHasCredential")


def test_an_agent_registers_its_childs_public_key(agent: Agent, parent: Caller) -> None:
    body = {"child": spawned(parent, agent)["id"], "label": "key", "jwk": KEY.as_dict(private=False)}
    made = parent.post(f"agents/{agent.pk}/child-credential", {**body, "scopes": ["decide", "write"]})
    assert (made.status_code, made.json()["kind"], made.json()["secret"]) == (201, "public_key", None)
    assert made.json()["scopes"] == ["decide", "write"]


def test_a_childs_credential_is_for_no_more_than_what_its_parent_calls_with(agent: Agent, parent: Caller) -> None:
    body = {"child": spawned(parent, agent)["id"], "label": "first", "scopes": ["decide", "read"]}
    made = parent.post(f"agents/{agent.pk}/child-credential", body)
    assert (made.status_code, made.json()["fact"]) == (403, "BeyondTheParent")


def test_a_childs_credential_is_bound_as_its_parents_is_and_ends_with_it(
    agent: Agent, parent: Caller, secret: tuple[Credential, str]
) -> None:
    ends = timezone.now() + timedelta(seconds=300)
    narrow = {"allowed_networks": ["127.0.0.0/8"], "requires_dpop": True, "scopes": ["write"], "expires_at": ends}
    Credential.objects.filter(pk=secret[0].pk).update(**narrow)
    child = spawned(parent, agent)
    path, body = f"agents/{agent.pk}/child-credential", {"child": child["id"], "label": "first"}
    assert parent.post(path, body).json()["fact"] == "BeyondTheParent"
    assert parent.post(path, body | {"scopes": ["write"]}).status_code == 201
    row = Credential.objects.get(agent=child["id"])
    assert (row.rests_on, row.allowed_networks, row.requires_dpop, row.expires_at) == (secret[0], ["127.0.0.0/8"], True, ends)


def test_whoever_revokes_the_parents_credential_revokes_those_that_rest_on_it(
    agent: Agent, parent: Caller, secret: tuple[Credential, str]
) -> None:
    child = spawned(parent, agent)
    made = parent.post(f"agents/{agent.pk}/child-credential", {"child": child["id"], "label": "first", "scopes": ["write"]})
    below = bearer(token_for("child", made.json()["secret"], scope="write"))
    grandchild = below.post(f"agents/{child['id']}/spawn", {"external_id": "grandchild", "name": "G", "purpose": "Helps."})
    lowest = {"child": grandchild.json()["id"], "label": "first", "scopes": ["write"]}
    last = below.post(f"agents/{child['id']}/child-credential", lowest).json()["secret"]
    token = token_for("grandchild", last, scope="write")
    revoke_credential(credential=secret[0], by=SYSTEM, now=timezone.now())
    assert not Credential.objects.filter(agent__in=[child["id"], grandchild.json()["id"]], revoked_at__isnull=True).exists()
    assert Event.objects.filter(type="credential.revoked").count() == 3
    assert bearer(token).get("agents").status_code == 401


def test_an_agent_gives_credentials_to_live_children_of_its_own_only(
    agent: Agent, parent: Caller, as_: Any, secret: tuple[Credential, str]
) -> None:
    child = spawned(parent, agent)
    grandchild = make_agent(parent=Agent.objects.get(pk=child["id"]), external_id="grandchild")
    other = make_agent(agent.organization, "other", owner=agent.owner)
    for pk in (grandchild.pk, other.pk, agent.pk):
        assert parent.post(f"agents/{agent.pk}/child-credential", {"child": str(pk), "label": "x"}).status_code == 422
    assert parent.post(f"agents/{child['id']}/child-credential", {"child": str(grandchild.pk), "label": "x"}).status_code == 403
    for who in ("alice", "olivia"):
        answer = as_(who).post(f"agents/{agent.pk}/child-credential", {"child": child["id"], "label": "x"})
        assert (answer.status_code, answer.json()["fact"]) == (403, "NotItsChild")
    suspend_agent(agent=Agent.objects.get(pk=child["id"]), by=SYSTEM, now=timezone.now())
    answer = parent.post(f"agents/{agent.pk}/child-credential", {"child": child["id"], "label": "x"})
    assert (answer.status_code, answer.json()["fact"]) == (409, "AgentNotActive")
    assert not Credential.objects.filter(agent__in=[child["id"], grandchild.pk, other.pk]).exists()
