"""What is no request: forms that are none, texts that no database stores, details that say nothing."""

import base64
import json
import time
from typing import Any

import pytest
from django.test import Client
from joserfc.jwk import ECKey, RSAKey

from tests.oauth.worlds import (
    BASE,
    ISSUER,
    World,
    basic,
    introspected,
    own_token,
    with_assertion,
)

pytestmark = pytest.mark.django_db

THEIR_EC, THEIR_RSA = ECKey.generate_key("P-256"), RSAKey.generate_key(2048)
FORMS: dict[str, tuple[str, str]] = {
    "a parameter twice": ("grant_type=client_credentials&grant_type=client_credentials", "invalid_request"),
    "no grant": ("scope=x", "invalid_request"),
    "an empty grant": ("grant_type=", "invalid_request"),
    "an unknown grant": ("grant_type=password&username=a&password=b", "unsupported_grant_type"),
    "an implicit grant": ("grant_type=implicit", "unsupported_grant_type"),
    "too many parameters": ("&".join(f"p{n}=1" for n in range(60)), "invalid_request"),
    "a parameter without end": ("grant_type=client_credentials&scope=" + "x" * 30_000, "invalid_request"),
    "NUL": ("grant_type=client_credentials&scope=%00", "invalid_request"),
    "broken UTF-8": ("grant_type=client_credentials&scope=%ff", "invalid_request"),
    "a scope with a quote": ("grant_type=client_credentials&scope=%22", "invalid_scope"),
    "a body without end": ("a=" + "x" * 70_000, "invalid_request"),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_bad_form_gets_the_code_of_the_specification(world: World, client, name: str) -> None:
    body, error = FORMS[name]
    response = client.post(
        "/o/acme/oauth/token",
        body,
        content_type="application/x-www-form-urlencoded",
        headers={"Authorization": basic("planner", world.secrets["planner"].text)},
    )
    assert (response.status_code, response.json()["error"]) == (400, error)


def test_json_is_no_form_and_get_is_no_post(world: World, client) -> None:
    response = client.post("/o/acme/oauth/token", b"{}", content_type="application/json")
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")
    assert client.get("/o/acme/oauth/token").status_code == 405


HALF = "\ud800"


def part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("broken", [HALF, "\0"], ids=["half", "nul"])
@pytest.mark.parametrize("name", ["kid", "iss", "sub", "jti"])
def test_a_text_that_cannot_be_looked_up_is_a_forgery_like_any_other(world: World, name: str, broken: str) -> None:
    header: dict[str, Any] = {"alg": "ES256", "typ": "JWT", "kid": "k"}
    now = int(time.time())
    claims: dict[str, Any] = {"iss": "planner", "sub": "planner", "aud": ISSUER, "jti": "j", "exp": now + 60, "iat": now}
    (header if name == "kid" else claims)[name] = broken
    text = f"{part(header)}.{part(claims)}.eA"
    answer = with_assertion("planner", text)
    assert (answer.status, answer.body["error"]) == (401, "invalid_client")
    bearer = f"{part(header | {'typ': 'at+jwt'})}.{part(claims | ({'iss': f'{BASE}/o/{broken}'} if name == 'iss' else {}))}.eA"
    assert Client().get("/api/v1/agents", headers={"Authorization": f"Bearer {bearer}"}).status_code == 401
    assert introspected(world, bearer) == {"active": False}


DETAIL: dict[str, Any] = {"type": "entitlement", "resource_type": "record", "actions": ["read"]}


@pytest.mark.parametrize(
    "more",
    [
        {"datatypes": None},
        {"actions": None},
        {"locations": None},
        {"identifier": None},
        {"identifier": HALF},
        {"identifier": "\0"},
        {"actions": [HALF]},
    ],
    ids=str,
)
def test_a_detail_that_says_nothing_is_malformed(world: World, more: dict[str, Any]) -> None:
    answer = own_token(world, authorization_details=json.dumps([DETAIL | more]))
    assert (answer.status, answer.body["error"]) == (400, "invalid_authorization_details")
