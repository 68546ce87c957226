"""Pipelines register agents as clients with an initial access token (RFC 7591)."""

import json
from typing import Any

import pytest
from django.utils import timezone

from directory.models import Agent
from directory.services.onboarding_tokens import issue_onboarding_token, revoke_onboarding_token
from permissions.models import OAuthClient
from tests.factories import SYSTEM, make_blueprint, make_organization, make_person
from tests.oauth.worlds import BASE, KEYS, World, assertion, basic, post, with_assertion
from tests.permissions.factories import make_assignment, make_role, spec

pytestmark = pytest.mark.django_db


def initial_token(world: World, **terms: Any) -> Any:
    blueprint = make_blueprint(world.acme, **terms)
    arguments = {"label": "ci", "owner": world.ada, "sponsor": world.ada, "most_uses": 20}
    return issue_onboarding_token(blueprint=blueprint, **arguments, by=SYSTEM, now=timezone.now())


def register(client: Any, body: Any, token: str, path: str = "/o/acme/oauth/register") -> tuple[int, dict[str, Any]]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = client.post(path, content, content_type="application/json", headers=headers)
    return answer.status_code, answer.json()


def test_a_registered_client_gets_tokens_with_the_secret_that_it_was_given(world: World, client) -> None:
    _, token = initial_token(world)
    status, told = register(client, {"client_name": "Night clerk", "grant_types": ["client_credentials"]}, token.text)
    assert status == 201
    assert told["client_id"].startswith("night-clerk-")
    assert told["client_secret_expires_at"] > told["client_id_issued_at"]
    agent = Agent.objects.get(external_id=told["client_id"])
    assert (agent.state, agent.owner) == ("active", world.ada)
    make_assignment(make_role(world.acme, "reader", spec()), agent.user)
    answer = post(
        "token",
        {"grant_type": "client_credentials", "resource": "https://crm.acme.example"},
        authorization=basic(told["client_id"], told["client_secret"]),
    )
    assert answer.body["scope"] == "record:read"


def test_a_client_may_bring_a_key(world: World, client) -> None:
    _, token = initial_token(world)
    body = {
        "software_id": "desk.bot",
        "token_endpoint_auth_method": "private_key_jwt",
        "grant_types": ["client_credentials"],
        "jwks": {"keys": [KEYS["ES256"].as_dict(private=False)]},
    }
    status, told = register(client, body, token.text)
    assert (status, told["client_id"]) == (201, "desk.bot")
    assert "client_secret" not in told
    answer = with_assertion("desk.bot", assertion("desk.bot"), resource=BASE)
    assert answer.status == 200, answer.body
    assert register(client, body, token.text)[1]["error"] == "invalid_client_metadata"


def test_who_must_be_agreed_to_waits(world: World, client) -> None:
    _, token = initial_token(world, sign_offs=1)
    _, told = register(client, {"client_name": "Waiting"}, token.text)
    assert told["agent_state"] == "pending"
    header = basic(told["client_id"], told["client_secret"])
    assert post("token", {"grant_type": "client_credentials"}, authorization=header).status == 401


def test_a_public_client_has_no_secret_and_gets_nothing_by_itself(world: World, client) -> None:
    _, token = initial_token(world)
    body = {"client_name": "App", "token_endpoint_auth_method": "none", "redirect_uris": ["http://127.0.0.1/back"]}
    status, told = register(client, body, token.text)
    assert (status, "client_secret" in told) == (201, False)
    row = OAuthClient.objects.get(agent__external_id=told["client_id"])
    assert (row.public, row.source) == (True, "registration")
    assert post("token", {"grant_type": "client_credentials", "client_id": told["client_id"]}).status == 401


BAD: dict[str, tuple[Any, str]] = {
    "no JSON": (b"{", "invalid_client_metadata"),
    "a list": ([], "invalid_client_metadata"),
    "no name": ({}, "invalid_client_metadata"),
    "a name that is a number": ({"client_name": 7}, "invalid_client_metadata"),
    "a name without end": ({"client_name": "x" * 300}, "invalid_client_metadata"),
    "an unknown method": ({"client_name": "x", "token_endpoint_auth_method": "tls_client_auth"}, "invalid_client_metadata"),
    "an unknown grant": ({"client_name": "x", "grant_types": ["password"]}, "invalid_client_metadata"),
    "codes without an address": ({"client_name": "x", "grant_types": ["authorization_code"]}, "invalid_redirect_uri"),
    "an address with a fragment": ({"client_name": "x", "redirect_uris": ["https://a.example/#x"]}, "invalid_redirect_uri"),
    "an address of several words": ({"client_name": "x", "redirect_uris": ["https://a;script-src=x/"]}, "invalid_redirect_uri"),
    "an address of every host": ({"client_name": "x", "redirect_uris": ["https://*/"]}, "invalid_redirect_uri"),
    "an address without TLS": ({"client_name": "x", "redirect_uris": ["http://a.example/"]}, "invalid_redirect_uri"),
    "an address that is a script": ({"client_name": "x", "redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri"),
    "an address of keys": ({"client_name": "x", "jwks_uri": "https://a.example/jwks"}, "invalid_client_metadata"),
    "no key": (
        {"client_name": "x", "token_endpoint_auth_method": "private_key_jwt", "grant_types": []},
        "invalid_client_metadata",
    ),
    "a private key": (
        {
            "client_name": "x",
            "token_endpoint_auth_method": "private_key_jwt",
            "grant_types": [],
            "jwks": {"keys": [KEYS["ES256"].as_dict(private=True)]},
        },
        "invalid_client_metadata",
    ),
    "no secret and no address": (
        {"client_name": "x", "token_endpoint_auth_method": "none", "grant_types": []},
        "invalid_client_metadata",
    ),
    "too long": (b'{"client_name":"' + b"x" * 70_000 + b'"}', "invalid_client_metadata"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_metadata_gets_the_code_of_the_specification_and_costs_no_use(world: World, client, name: str) -> None:
    row, token = initial_token(world)
    body, error = BAD[name]
    status, told = register(client, body, token.text)
    assert (status, told["error"]) == (400, error)
    row.refresh_from_db()
    assert row.uses == 0
    assert Agent.objects.count() == 2


def test_without_a_token_that_is_good_here_nobody_registers(world: World, client) -> None:
    row, token = initial_token(world)
    body = {"client_name": "x", "grant_types": ["client_credentials"]}
    other = make_organization("other")
    blueprint, ona = make_blueprint(other), make_person(other, "ona")
    _, theirs = issue_onboarding_token(
        blueprint=blueprint, label="ci", owner=ona, sponsor=ona, most_uses=1, by=SYSTEM, now=timezone.now()
    )
    for text in ("", "x", theirs.text, world.secrets["planner"].text):
        status, told = register(client, body, text)
        assert (status, told["error"]) == (401, "invalid_token")
    revoke_onboarding_token(token=row, by=SYSTEM, now=timezone.now())
    assert register(client, body, token.text)[0] == 401
    assert Agent.objects.filter(organization=world.acme).count() == 2
