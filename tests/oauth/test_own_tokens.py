"""Agents prove who they are and get tokens for themselves."""

import uuid

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from audit.models import Event
from permissions.models import AccessToken
from permissions.oauth import views
from tests.oauth.worlds import (
    BASE,
    CRM,
    ISSUER,
    KEYS,
    World,
    assertion,
    basic,
    claims_of,
    header_of,
    introspected,
    own_token,
    post,
    public_key_for,
    with_assertion,
)

pytestmark = pytest.mark.django_db


def test_a_token_says_who_acts_where_for_what_and_verifies_with_the_key_set(world: World, client) -> None:
    answer = own_token(world)
    assert answer.status == 200
    assert (answer.body["token_type"], answer.body["scope"]) == ("Bearer", "record:read record:write")
    assert 295 <= answer.body["expires_in"] <= 300
    assert answer.headers["Cache-Control"] == "no-store"
    keys = KeySet.import_key_set(client.get("/o/acme/oauth/jwks").json())
    token = jwt.decode(answer.token, keys, algorithms=["ES256"])
    assert token.header["typ"] == "at+jwt"
    claims = token.claims
    assert (claims["iss"], claims["sub"], claims["aud"], claims["client_id"]) == (ISSUER, "agent/planner", CRM, "planner")
    assert claims["sub_profile"] == "ai_agent"
    assert "act" not in claims
    row = AccessToken.objects.get(pk=claims["jti"])
    assert (row.agent, row.credential) == (world.planner, world.credentials["planner"])


def test_the_event_names_everything_but_the_token(world: World) -> None:
    answer = own_token(world)
    event = Event.objects.get(type="token.issued")
    assert event.actor_id == "planner"
    assert answer.token.split(".")[2] not in event.body
    assert "record:read" in event.body


@pytest.mark.parametrize("way", ["basic", "post"])
def test_a_secret_may_come_in_the_header_or_in_the_form(world: World, way: str) -> None:
    secret = world.secrets["planner"].text
    data = {"grant_type": "client_credentials", "resource": CRM}
    if way == "basic":
        answer = post("token", data, authorization=basic("planner", secret))
    else:
        answer = post("token", {**data, "client_id": "planner", "client_secret": secret})
    assert answer.status == 200


def test_both_at_once_are_refused(world: World) -> None:
    secret = world.secrets["planner"].text
    data = {"grant_type": "client_credentials", "client_secret": secret, "client_id": "planner"}
    answer = post("token", data, authorization=basic("planner", secret))
    assert (answer.status, answer.body["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS256"])
@pytest.mark.parametrize("audience", [ISSUER, f"{ISSUER}/oauth/token", [ISSUER]])
def test_an_agent_signs_for_itself(world: World, algorithm: str, audience: object) -> None:
    public_key_for(world.planner, algorithm)
    answer = with_assertion("planner", assertion("planner", algorithm, aud=audience))
    assert answer.status == 200, answer.body


def test_an_assertion_is_good_once(world: World) -> None:
    public_key_for(world.planner, "ES256")
    text = assertion("planner")
    assert with_assertion("planner", text).status == 200
    again = with_assertion("planner", text)
    assert (again.status, again.body["error"]) == (401, "invalid_client")
    assert '"sign":"assertion_replayed"' in Event.objects.get(type="sign.noted").body


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS256"])
def test_an_application_chooses_how_its_tokens_are_signed(world: World, algorithm: str) -> None:
    type(world.crm).objects.filter(pk=world.crm.pk).update(token_algorithm=algorithm)
    assert header_of(own_token(world).token)["alg"] == algorithm


def test_an_application_may_want_references_and_looks_them_up(world: World) -> None:
    type(world.crm).objects.filter(pk=world.crm.pk).update(token_format="reference", token_seconds=60)
    answer = own_token(world)
    assert answer.token.startswith("aat_")
    assert answer.body["expires_in"] <= 60
    assert introspected(world, answer.token)["sub"] == "agent/planner"
    wrong = answer.token[:-1] + ("x" if answer.token[-1] != "x" else "y")
    assert introspected(world, wrong) == {"active": False}


def test_what_is_asked_for_is_narrowed_and_nothing_of_it_is_an_error(world: World) -> None:
    assert own_token(world, scope="record:read record:delete").body["scope"] == "record:read"
    refused = own_token(world, scope="record:delete")
    assert (refused.status, refused.body["error"]) == (400, "invalid_scope")


def test_the_resource_is_named_where_there_are_several(world: World) -> None:
    from tests.oauth.worlds import ask

    missing = ask(world, "planner", {"grant_type": "client_credentials"})
    assert (missing.status, missing.body["error"]) == (400, "invalid_target")
    for resource in ("https://nobody.example", f"{CRM}#x", "crm", [CRM, "https://lake.acme.example"]):
        refused = own_token(world, resource=resource)
        assert (refused.status, refused.body["error"]) == (400, "invalid_target")


def test_a_token_for_agentiam_itself_is_what_the_credential_is_for(world: World) -> None:
    answer = own_token(world, resource=BASE)
    assert (answer.claims["aud"], answer.body["scope"]) == (BASE, "decide")
    assert own_token(world, resource=BASE, scope="write").body["error"] == "invalid_scope"


def test_details_narrow_to_one_object_and_classes_of_data(world: World) -> None:
    details = '[{"type":"entitlement","resource_type":"record","actions":["read"],"identifier":"r1","datatypes":["internal"]}]'
    answer = own_token(world, authorization_details=details)
    assert answer.body["authorization_details"][0]["identifier"] == "r1"
    assert claims_of(answer.token)["authorization_details"] == answer.body["authorization_details"]
    assert answer.body["scope"] == ""


@pytest.mark.parametrize(
    "details",
    [
        "{}",
        "[]",
        "[1]",
        '[{"type":"payment"}]',
        '[{"type":"entitlement"}]',
        '[{"type":"entitlement","resource_type":"record","more":1}]',
        '[{"type":"entitlement","resource_type":"record","actions":[]}]',
        '[{"type":"entitlement","resource_type":"record","datatypes":["everything"]}]',
        "[" * 5000,
    ],
)
def test_malformed_details_are_named_so(world: World, details: str) -> None:
    answer = own_token(world, authorization_details=details)
    assert (answer.status, answer.body["error"]) == (400, "invalid_authorization_details")


def test_the_issuer_without_a_path_is_one_organizations(world: World, client) -> None:
    assert client.get("/.well-known/oauth-authorization-server").json()["issuer"] == BASE
    answer = own_token(world, issuer=BASE)
    assert answer.claims["iss"] == BASE
    assert introspected(world, answer.token)["active"]


@pytest.mark.parametrize(
    "path",
    [
        "/.well-known/oauth-authorization-server/o/acme",
        "/.well-known/openid-configuration/o/acme",
        "/o/acme/.well-known/openid-configuration",
    ],
)
def test_the_metadata_names_exactly_the_issuer(world: World, client, path: str) -> None:
    found = client.get(path).json()
    assert found["issuer"] == ISSUER
    assert found["token_endpoint"] == f"{ISSUER}/oauth/token"
    assert "S256" in found["code_challenge_methods_supported"]


def test_an_unknown_organization_has_no_issuer(world: World, client) -> None:
    assert client.get("/.well-known/oauth-authorization-server/o/nobody").status_code == 404
    assert client.get("/o/nobody/oauth/jwks").status_code == 404
    assert KEYS


def test_who_fails_too_often_is_told_to_wait(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "REFUSED_A_MINUTE", 5)
    place = f"2001:db8::{uuid.uuid4().hex[:4]}"
    data = {"grant_type": "client_credentials"}
    answers = [post("token", data, authorization=basic("planner", "wrong"), address=place) for _ in range(6)]
    assert {answer.status for answer in answers[:5]} == {401}
    assert (answers[5].status, answers[5].body["error"]) == (429, "temporarily_unavailable")
    assert int(answers[5].headers["Retry-After"]) > 0


def test_an_agent_gets_so_many_tokens_a_minute(world: World, settings) -> None:
    settings.TOKEN_RATE = 3
    answers = [own_token(world).status for _ in range(4)]
    assert answers == [200, 200, 200, 429]
