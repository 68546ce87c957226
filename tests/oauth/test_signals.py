"""Each sign that somebody else has an agent's proofs, by really doing it at the token endpoint."""

import base64
import hashlib
import secrets
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.utils import timezone
from joserfc.jwk import ECKey

from audit.models import Event
from permissions.models import Authorization, OAuthClient, Signal
from permissions.oauth.codes import new_code
from permissions.oauth.refusals import MOST_A_MINUTE
from tests.directory.recorded import data_of
from tests.factories import make_blueprint
from tests.oauth.worlds import (
    CRM,
    World,
    ask,
    assertion,
    basic,
    dpop_proof,
    own_token,
    post,
    public_key_for,
    secret_for,
    with_assertion,
)

pytestmark = pytest.mark.django_db
VERIFIER = secrets.token_urlsafe(48)
BACK = "https://planner.example/back"


def signs() -> list[tuple[str, str, bool]]:
    return [(row.agent.external_id, row.sign, row.proven) for row in Signal.objects.select_related("agent").order_by("id")]


def from_address(world: World, address: str, agent: str = "planner") -> int:
    response = Client(REMOTE_ADDR=address).post(
        "/o/acme/oauth/token",
        urlencode({"grant_type": "client_credentials", "resource": CRM}),
        headers={"Authorization": basic(agent, world.secrets[agent].text)},
        content_type="application/x-www-form-urlencoded",
    )
    return response.status_code


# --- proofs, assertions, keys ------------------------------------------------------------------------------------------------


def test_a_proof_that_comes_twice_is_a_sign(world: World) -> None:
    key = ECKey.generate_key("P-256")
    asked = {"grant_type": "client_credentials", "resource": CRM}
    nonce = ask(world, "planner", asked, dpop=dpop_proof(key)).headers["DPoP-Nonce"]
    proof = dpop_proof(key, nonce=nonce)
    assert ask(world, "planner", asked, dpop=proof).status == 200
    again = ask(world, "planner", asked, dpop=proof)
    assert (again.status, again.body["error"]) == (400, "invalid_dpop_proof")
    assert signs() == [("planner", "proof_replayed", True)]
    assert Signal.objects.get().credential == world.credentials["planner"]


def test_an_assertion_that_comes_twice_is_a_sign(world: World) -> None:
    credential = public_key_for(world.planner, "ES256")
    text = assertion("planner")
    assert with_assertion("planner", text).status == 200
    assert with_assertion("planner", text).status == 401
    assert signs() == [("planner", "assertion_replayed", True)]
    assert Signal.objects.get().credential == credential


def test_the_name_of_a_key_that_the_agent_does_not_have_proves_nothing(world: World) -> None:
    public_key_for(world.planner, "ES256")
    text = assertion("planner", header={"typ": "JWT", "kid": "made-up"}, key=ECKey.generate_key("P-256"))
    assert with_assertion("planner", text).status == 401
    assert signs() == [("planner", "unknown_kid", False)]
    assert Event.objects.get(type="sign.noted").actor_id == "oauth"


def test_a_stranger_suspends_nobody(world: World) -> None:
    world.planner.blueprint = make_blueprint(world.acme, "careful", suspend_at_risk=1)
    world.planner.save()
    public_key_for(world.planner, "ES256", allowed_networks=["10.0.0.0/8"])
    wrong = ECKey.generate_key("P-256")
    for _ in range(15):
        with_assertion("planner", assertion("planner", header={"typ": "JWT", "kid": "made-up"}, key=wrong))
        with_assertion("planner", assertion("planner", key=wrong))
        post("token", {"grant_type": "client_credentials"}, authorization=basic("planner", world.secrets["worker"].text))
    world.planner.refresh_from_db()
    assert world.planner.state == "active"
    assert set(signs()) == {("planner", "unknown_kid", False)}
    assert Signal.objects.count() == 10


# --- networks ---------------------------------------------------------------------------------------------------------------


def test_the_right_secret_from_elsewhere_is_a_sign_and_a_wrong_one_is_none(world: World) -> None:
    credential, secret = secret_for(world.planner, allowed_networks=["10.0.0.0/8"])
    asked = {"grant_type": "client_credentials", "resource": CRM}
    wrong = secret.text[:-1] + ("A" if secret.text[-1] != "A" else "B")
    assert post("token", asked, authorization=basic("planner", wrong)).status == 401
    assert signs() == []
    assert post("token", asked, authorization=basic("planner", secret.text)).status == 401
    assert signs() == [("planner", "network_refused", True)]
    assert (Signal.objects.get().credential, Signal.objects.get().address) == (credential, "127.0.0.1")


def test_the_right_signature_from_elsewhere_is_a_sign_and_a_wrong_one_is_none(world: World) -> None:
    public_key_for(world.planner, "ES256", allowed_networks=["10.0.0.0/8"])
    assert with_assertion("planner", assertion("planner", key=ECKey.generate_key("P-256"))).status == 401
    assert signs() == []
    assert with_assertion("planner", assertion("planner")).status == 401
    assert signs() == [("planner", "network_refused", True)]


def test_a_credential_in_two_places_at_a_time_is_a_sign(world: World) -> None:
    assert [from_address(world, each) for each in ("8.8.1.1", "8.8.2.2")] == [200, 200]
    assert signs() == []
    assert from_address(world, "9.9.1.1") == 200
    assert from_address(world, "8.8.1.1", "worker") == 200
    assert signs() == [("planner", "far_apart", True)]


def test_whoever_is_suspended_by_a_sign_gets_no_token_for_the_same_request(world: World) -> None:
    world.planner.blueprint = make_blueprint(world.acme, "careful", suspend_at_risk=50)
    world.planner.save()
    assert [from_address(world, each) for each in ("8.8.1.1", "9.9.1.1", "8.8.1.1")] == [200, 401, 401]
    world.planner.refresh_from_db()
    assert world.planner.state == "suspended"
    assert Event.objects.filter(type="agent.suspended").count() == 1


# --- codes and refresh tokens -----------------------------------------------------------------------------------------------


@pytest.fixture
def authorization(world: World) -> Authorization:
    now = timezone.now()
    return Authorization.objects.create(
        organization=world.acme,
        user=world.ada,
        agent=world.planner,
        audience=CRM,
        scopes=["record:read"],
        created_at=now,
        ends_at=now + timedelta(days=1),
    )


def code_for(authorization: Authorization) -> str:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
    return new_code(authorization, redirect_uri=BACK, challenge=challenge, jkt="", now=timezone.now()).text


def redeem(code: str, verifier: str = VERIFIER) -> dict[str, Any]:
    return {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": verifier}


def test_a_code_that_comes_twice_is_a_sign_and_ends_the_authorization(world: World, authorization: Authorization) -> None:
    code = code_for(authorization)
    assert ask(world, "planner", redeem(code)).status == 200
    assert ask(world, "planner", redeem(code)).body["error"] == "invalid_grant"
    assert signs() == [("planner", "code_reused", True)]
    authorization.refresh_from_db()
    assert authorization.ended_because == "code_reused"


@pytest.mark.parametrize(("verifier", "proven"), [(VERIFIER, True), ("x" * 43, False)], ids=["with", "without"])
def test_the_verifier_proves_who_repeats_a_code(
    world: World, authorization: Authorization, verifier: str, *, proven: bool
) -> None:
    code = code_for(authorization)
    assert [ask(world, "planner", redeem(code, text)).status for text in (VERIFIER, verifier)] == [200, 400]
    assert signs() == [("planner", "code_reused", proven)]


@pytest.mark.parametrize(("verifier", "proven"), [(VERIFIER, True), ("x" * 43, False)], ids=["with", "without"])
def test_of_a_public_client_too_the_verifier_proves_who_repeats_a_code(
    world: World, authorization: Authorization, verifier: str, *, proven: bool
) -> None:
    OAuthClient.objects.create(organization=world.acme, agent=world.planner, public=True, redirect_uris=[BACK])
    code = code_for(authorization)
    key = ECKey.generate_key("P-256")

    def sent(text: str) -> int:
        data = {**redeem(code, text), "client_id": "planner"}
        nonce = post("token", data, dpop=dpop_proof(key)).headers["DPoP-Nonce"]
        return post("token", data, dpop=dpop_proof(key, nonce=nonce)).status

    assert [sent(VERIFIER), sent(verifier)] == [200, 400]
    assert signs() == [("planner", "code_reused", proven)]


def test_a_refresh_token_that_comes_twice_is_a_sign(world: World, authorization: Authorization) -> None:
    first = ask(world, "planner", redeem(code_for(authorization))).body["refresh_token"]
    again = {"grant_type": "refresh_token", "refresh_token": first}
    second = ask(world, "planner", again).body["refresh_token"]
    assert ask(world, "planner", again).body["error"] == "invalid_grant"
    assert signs() == [("planner", "refresh_reused", True)]
    # It ended for whoever came first as well.
    assert ask(world, "planner", {**again, "refresh_token": second}).status == 400


# --- refusals ---------------------------------------------------------------------------------------------------------------


def test_a_refused_request_is_an_event_with_its_cause(world: World) -> None:
    post("token", {"grant_type": "client_credentials"}, authorization=basic("planner", world.secrets["worker"].text))
    event = Event.objects.get(type="token.refused")
    assert (event.target_id, event.actor_id) == ("planner", "oauth")
    assert data_of(event)["proved"] is False
    own_token(world, scope="record:delete")
    last = Event.objects.filter(type="token.refused").order_by("sequence").last()
    assert last is not None
    assert (last.actor_id, data_of(last)["error"], data_of(last)["proved"]) == ("planner", "invalid_scope", True)
    assert all(each.reason for each in (event, last))


def test_a_flood_of_refusals_is_counted_and_not_recorded(world: World) -> None:
    for _ in range(MOST_A_MINUTE + 3):
        own_token(world, scope="record:delete")
    assert Event.objects.filter(type="token.refused").count() == MOST_A_MINUTE
