"""What somebody who wants in would send, and what becomes of it: each line of the tables is one forgery, refused."""

import base64
import hmac
import json
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from django.utils import timezone
from joserfc.jwk import ECKey, OKPKey, RSAKey

from directory.services.credentials import issue_api_key, revoke_credential
from permissions.models import TokenKey
from permissions.oauth.codes import verifies
from permissions.oauth.dpop import check_proof
from permissions.oauth.keys import signing_key
from tests.factories import SYSTEM, make_agent, make_organization
from tests.oauth.rfc9449 import RESOURCE_PROOF, THUMBPRINT, TOKEN, TOKEN_PROOF
from tests.oauth.worlds import (
    BASE,
    CRM,
    ISSUER,
    KEYS,
    World,
    assertion,
    basic,
    claims_of,
    dpop_proof,
    exchanged,
    header_of,
    introspected,
    own_token,
    post,
    public_key_for,
    secret_for,
    signed,
    with_assertion,
)

pytestmark = pytest.mark.django_db

THEIR_EC, THEIR_RSA = ECKey.generate_key("P-256"), RSAKey.generate_key(2048)
HOUR = 3600


def encoded(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unsigned(claims: dict[str, Any], header: dict[str, Any], signature: str = "") -> str:
    return f"{encoded(header)}.{encoded(claims)}.{signature}"


def fresh(client_id: str = "planner", **claims: Any) -> dict[str, Any]:
    now = int(time.time())
    given = {"iss": client_id, "sub": client_id, "aud": ISSUER, "jti": uuid.uuid4().hex, "iat": now, "exp": now + 60} | claims
    return {name: value for name, value in given.items() if value is not None}


def hmac_with_public_key() -> str:
    """Sign with the text of the public key as the secret of HS256: the classic confusion."""
    body = f"{encoded({'alg': 'HS256', 'typ': 'JWT'})}.{encoded(fresh())}"
    secret = json.dumps(KEYS["RS256"].as_dict(private=False)).encode()
    return f"{body}.{encoded(hmac.digest(secret, body.encode(), 'sha256'))}"


def hmac_with_pem() -> str:
    body = f"{encoded({'alg': 'HS256', 'typ': 'JWT'})}.{encoded(fresh())}"
    return f"{body}.{encoded(hmac.digest(KEYS['RS256'].as_pem(private=False), body.encode(), 'sha256'))}"


def with_header(**extra: Any) -> str:
    return signed(fresh(), "ES256", key=KEYS["ES256"], header={"typ": "JWT"} | extra)


def by_hand(**extra: Any) -> str:
    """Sign a header that no library would sign, rightly."""
    body = f"{encoded({'alg': 'ES256', 'typ': 'JWT'} | extra)}.{encoded(fresh())}"
    private: Any = KEYS["ES256"].private_key
    r, s = decode_dss_signature(private.sign(body.encode(), ec.ECDSA(SHA256())))
    return f"{body}.{encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def by_their_key(**header: Any) -> str:
    return signed(fresh(), "ES256", key=THEIR_EC, header={"typ": "JWT"} | header)


def twice_named() -> str:
    raw = json.dumps(fresh())[:-1] + ',"sub":"planner"}'
    return signed(raw.encode(), "ES256", key=KEYS["ES256"])


def stretched_header() -> str:
    """Change the header after signing."""
    _, payload, signature = assertion("planner").split(".")
    return f"{encoded({'alg': 'ES256', 'typ': 'JWT', 'kid': 'other'})}.{payload}.{signature}"


ASSERTIONS: dict[str, Callable[[], str]] = {
    "no algorithm": lambda: unsigned(fresh(), {"alg": "none", "typ": "JWT"}, "AA"),
    "no algorithm and no signature": lambda: unsigned(fresh(), {"alg": "none"}),
    "no algorithm in capitals": lambda: unsigned(fresh(), {"alg": "NONE"}, "AA"),
    "HS256 with the public key's JSON": hmac_with_public_key,
    "HS256 with the public key's PEM": hmac_with_pem,
    "another's key": by_their_key,
    "another's key that comes along": lambda: by_their_key(jwk=THEIR_EC.as_dict(private=False)),
    "another's key at an address": lambda: by_their_key(jku="https://evil.example/jwks"),
    "another's certificate at an address": lambda: by_their_key(x5u="https://evil.example/x5u"),
    "another's certificate that comes along": lambda: by_their_key(x5c=["MIIB"]),
    "another's key under the name of ours": lambda: by_their_key(kid=KEYS["ES256"].thumbprint()),
    "a name of a key that is a path": lambda: with_header(kid="../../dev/null"),
    "a name of a key that is SQL": lambda: with_header(kid="x' OR '1'='1"),
    "a name of a key with NUL": lambda: with_header(kid="x\0"),
    "a name of a key without end": lambda: with_header(kid="x" * 501),
    "a name of a key that is unknown": lambda: with_header(kid="unknown"),
    "a critical extension": lambda: by_hand(crit=["exp"], exp=1),
    "an unencoded payload": lambda: by_hand(b64=False, crit=["b64"]),
    "compressed": lambda: by_hand(zip="DEF"),
    "the type of an access token": lambda: with_header(typ="at+jwt"),
    "the type of a DPoP proof": lambda: with_header(typ="dpop+jwt"),
    "the type of an ID-JAG": lambda: with_header(typ="oauth-id-jag+jwt"),
    "a changed header": stretched_header,
    "a changed payload": lambda: ".".join(
        [assertion("planner").split(".")[0], encoded(fresh(scope="x")), assertion("planner").split(".")[2]]
    ),
    "an empty signature": lambda: assertion("planner").rpartition(".")[0] + ".",
    "a signature of zeros": lambda: assertion("planner").rpartition(".")[0] + "." + encoded(bytes(64)),
    "five parts": lambda: assertion("planner") + ".a.b",
    "no parts": lambda: "assertion",
    "a list as payload": lambda: signed(b"[]", "ES256", key=KEYS["ES256"]),
    "a member twice": twice_named,
    "nested without end": lambda: unsigned(fresh(), {"alg": "ES256"}, "AA").replace(".", "." + encoded(b"[" * 3000), 1),
    "too long": lambda: assertion("planner", padding="x" * 9_000),
    "no end": lambda: assertion("planner", exp=None),
    "an end in the past": lambda: assertion("planner", exp=int(time.time()) - 120),
    "an end too far away": lambda: assertion("planner", exp=int(time.time()) + 2 * HOUR),
    "an end that is a text": lambda: assertion("planner", exp=str(int(time.time()) + 60)),
    "an end that is true": lambda: assertion("planner", exp=True),
    "an end that is no number": lambda: signed(
        json.dumps(fresh()).replace(str(int(time.time()) + 60), "1e999").encode(), "ES256", key=KEYS["ES256"]
    ),
    "not valid yet": lambda: assertion("planner", nbf=int(time.time()) + HOUR),
    "issued tomorrow": lambda: assertion("planner", iat=int(time.time()) + 24 * HOUR),
    "for another server": lambda: assertion("planner", aud="https://other.example"),
    "for us and another server": lambda: assertion("planner", aud=[ISSUER, "https://other.example"]),
    "for the issuer with a slash": lambda: assertion("planner", aud=ISSUER + "/"),
    "for the issuer without a path": lambda: assertion("planner", aud=BASE),
    "for nobody": lambda: assertion("planner", aud=None),
    "for an empty list": lambda: assertion("planner", aud=[]),
    "without an id": lambda: assertion("planner", jti=None),
    "with an id that is a number": lambda: assertion("planner", jti=7),
    "with an id without end": lambda: assertion("planner", jti="x" * 400),
    "about another agent": lambda: assertion("planner", sub="worker"),
    "by another agent": lambda: assertion("worker"),
    "by nobody": lambda: assertion("planner", iss=None),
    "RS256 where the key is for ES256": lambda: signed(fresh(), "RS256", key=THEIR_RSA),
    "ES256 with the RSA key's name": lambda: with_header(kid=KEYS["RS256"].thumbprint()),
}


@pytest.mark.parametrize("name", ASSERTIONS)
def test_a_forged_assertion_is_refused(world: World, name: str) -> None:
    public_key_for(world.planner, "ES256")
    answer = with_assertion("planner", ASSERTIONS[name]())
    assert (answer.status, answer.body["error"]) == (401, "invalid_client"), name
    assert answer.body["error_description"] == "The client did not prove who it is."


def dpop_refused(world: World, proof: str, error: str = "invalid_dpop_proof") -> None:
    data = {"grant_type": "client_credentials", "resource": CRM}
    answer = post("token", data, authorization=basic("planner", world.secrets["planner"].text), dpop=proof)
    assert (answer.status, answer.body["error"]) == (400, error), answer.body
    assert answer.headers["DPoP-Nonce"]


def nonce(world: World) -> str:
    data = {"grant_type": "client_credentials", "resource": CRM}
    key = ECKey.generate_key("P-256")
    answer = post("token", data, authorization=basic("planner", world.secrets["planner"].text), dpop=dpop_proof(key))
    assert answer.body["error"] == "use_dpop_nonce"
    return str(answer.headers["DPoP-Nonce"])


EC = ECKey.generate_key("P-256")
PUBLIC = EC.as_dict(private=False)
PROOFS: dict[str, Callable[[str], str]] = {
    "no type": lambda n: dpop_proof(EC, nonce=n, header={"alg": "ES256", "jwk": PUBLIC}),
    "another type": lambda n: dpop_proof(EC, nonce=n, header={"typ": "JWT", "alg": "ES256", "jwk": PUBLIC}),
    "no key": lambda n: dpop_proof(EC, nonce=n, header={"typ": "dpop+jwt", "alg": "ES256"}),
    "the private key": lambda n: unsigned(
        {"jti": "a"}, {"typ": "dpop+jwt", "alg": "ES256", "jwk": EC.as_dict(private=True)}, "AA"
    ),
    "another key": lambda n: dpop_proof(
        EC, nonce=n, header={"typ": "dpop+jwt", "alg": "ES256", "jwk": THEIR_EC.as_dict(private=False)}
    ),
    "a symmetric key": lambda n: unsigned(
        {"jti": "a"}, {"typ": "dpop+jwt", "alg": "HS256", "jwk": {"kty": "oct", "k": "AAAA"}}, "AA"
    ),
    "no algorithm": lambda n: unsigned({"jti": "a"}, {"typ": "dpop+jwt", "alg": "none", "jwk": PUBLIC}, "AA"),
    "a name of a key": lambda n: dpop_proof(EC, nonce=n, header={"typ": "dpop+jwt", "alg": "ES256", "jwk": PUBLIC, "kid": "x"}),
    "an RSA key that is too short": lambda n: unsigned(
        {"jti": "a"},
        {"typ": "dpop+jwt", "alg": "RS256", "jwk": {"kty": "RSA", "n": encoded(b"\xff" * 64), "e": "AQAB"}},
        "AA",
    ),
    "a key off the curve": lambda n: unsigned(
        {"jti": "a"},
        {
            "typ": "dpop+jwt",
            "alg": "ES256",
            "jwk": {"kty": "EC", "crv": "P-256", "x": encoded(bytes(32)), "y": encoded(bytes(32))},
        },
        "AA",
    ),
    "another method": lambda n: dpop_proof(EC, nonce=n, htm="GET"),
    "the method in small letters": lambda n: dpop_proof(EC, nonce=n, htm="post"),
    "no method": lambda n: dpop_proof(EC, nonce=n, htm=None),
    "another address": lambda n: dpop_proof(EC, nonce=n, htu=f"{ISSUER}/oauth/introspect"),
    "another organization's address": lambda n: dpop_proof(EC, nonce=n, htu=f"{BASE}/o/other/oauth/token"),
    "another host": lambda n: dpop_proof(EC, nonce=n, htu="http://evil.example/o/acme/oauth/token"),
    "another scheme": lambda n: dpop_proof(EC, nonce=n, htu=f"{ISSUER}/oauth/token".replace("http", "https")),
    "another port": lambda n: dpop_proof(EC, nonce=n, htu=f"{ISSUER}/oauth/token".replace("8000", "8001")),
    "no address": lambda n: dpop_proof(EC, nonce=n, htu=None),
    "an old one": lambda n: dpop_proof(EC, nonce=n, iat=int(time.time()) - 400),
    "one to come": lambda n: dpop_proof(EC, nonce=n, iat=int(time.time()) + 120),
    "one of no time": lambda n: dpop_proof(EC, nonce=n, iat=None),
    "one of a time in words": lambda n: dpop_proof(EC, nonce=n, iat="now"),
    "no id": lambda n: dpop_proof(EC, nonce=n, jti=None),
    "an empty id": lambda n: dpop_proof(EC, nonce=n, jti=""),
    "two proofs": lambda n: f"{dpop_proof(EC, nonce=n)},{dpop_proof(EC, nonce=n)}",
    "rubbish": lambda n: "rubbish",
}


@pytest.mark.parametrize("name", PROOFS)
def test_a_forged_proof_of_possession_is_refused(world: World, name: str) -> None:
    dpop_refused(world, PROOFS[name](nonce(world)))


@pytest.mark.parametrize("wrong", [None, "", "guess", 7, ["x"]])
def test_a_proof_without_our_nonce_is_asked_to_have_it(world: World, wrong: Any) -> None:
    dpop_refused(world, dpop_proof(EC, nonce=wrong), "use_dpop_nonce")


def test_a_proof_is_good_once(world: World) -> None:
    proof = dpop_proof(EC, nonce=nonce(world))
    data = {"grant_type": "client_credentials", "resource": CRM}
    first = post("token", data, authorization=basic("planner", world.secrets["planner"].text), dpop=proof)
    assert (first.body["token_type"], first.claims["cnf"]) == ("DPoP", {"jkt": EC.thumbprint()})
    dpop_refused(world, proof)


def own_key(world: World) -> tuple[TokenKey, Any]:
    return signing_key(world.acme, "ES256", now=timezone.now())


def retold(world: World, text: str, *, key: Any = None, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """Tell a token's claims otherwise, signed by whatever key."""
    told = {name: value for name, value in (claims_of(text) | claims).items() if value is not None}
    return signed(
        told,
        "ES256",
        key=key or THEIR_EC,
        header=header if header is not None else {k: v for k, v in header_of(text).items() if k != "alg"},
    )


TOKENS: dict[str, Callable[[World, str], str]] = {
    "signed by another under our key's name": retold,
    "signed by another with the key along": lambda w, t: retold(
        w, t, header={"typ": "at+jwt", "jwk": THEIR_EC.as_dict(private=False)}
    ),
    "without a name of a key": lambda w, t: retold(w, t, header={"typ": "at+jwt"}),
    "unsigned": lambda w, t: unsigned({}, {"alg": "none", "typ": "at+jwt"}, "AA"),
    "the payload of another token": lambda w, t: ".".join(
        [t.split(".")[0], own_token(w, "worker").token.split(".")[1], t.split(".")[2]]
    ),
    "of another type": lambda w, t: retold(w, t, key=own_key(w)[1], header={"typ": "JWT", "kid": own_key(w)[0].kid}),
    "an assertion": lambda w, t: assertion("planner", aud=CRM),
    "a client secret": lambda w, t: w.secrets["planner"].text,
    "an application's key": lambda w, t: w.keys["crm"].text,
    "cut off": lambda w, t: t[:-1],
    "nothing that is a token": lambda w, t: "x.y.z",
    "with NUL": lambda w, t: t[:20] + "%00" + t[20:],
    "with a name of a key with NUL": lambda w, t: retold(w, t, header={"typ": "at+jwt", "kid": "x\0"}),
}


@pytest.mark.parametrize("name", TOKENS)
def test_a_forged_token_is_inactive_and_exchanged_for_nothing(world: World, name: str) -> None:
    forged = TOKENS[name](world, own_token(world).token)
    assert introspected(world, forged) == {"active": False}
    assert exchanged(world, "planner", forged).body["error"] == "invalid_grant"


KEPT_CLAIMS: dict[str, dict[str, Any]] = {
    "another subject": {"sub": "agent/worker"},
    "a user as subject": {"sub": "user/ada", "act": {"sub": "agent/planner"}},
    "a user without an actor": {"sub": "user/ada"},
    "another actor": {"act": {"sub": "agent/worker"}},
    "a deeper chain": {"act": {"sub": "agent/worker", "act": {"sub": "agent/planner"}}},
    "a chain without end": {"act": json.loads('{"sub":"agent/a","act":' * 40 + '{"sub":"agent/b"}' + "}" * 40)},
    "another issuer": {"iss": f"{BASE}/o/other"},
    "another id": {"jti": str(uuid.uuid4())},
    "an id that is none": {"jti": "x"},
    "no id": {"jti": None},
}


@pytest.mark.parametrize("name", KEPT_CLAIMS)
def test_even_a_token_that_our_key_signed_says_only_what_its_row_says(world: World, name: str) -> None:
    row, key = own_key(world)
    forged = retold(world, own_token(world).token, key=key, header={"typ": "at+jwt", "kid": row.kid}, **KEPT_CLAIMS[name])
    assert introspected(world, forged) == {"active": False}


@pytest.mark.parametrize(
    ("claims", "claim", "kept"),
    [
        ({"scope": "record:delete"}, "scope", "record:read record:write"),
        ({"aud": "https://lake.acme.example"}, "aud", CRM),
        ({"exp": int(time.time()) + 10**8}, "exp", None),
        ({"client_id": "worker"}, "client_id", "planner"),
        ({"cnf": {"jkt": "x" * 43}}, "cnf", None),
    ],
)
def test_introspection_answers_from_the_row_and_not_from_the_text(world: World, claims: dict, claim: str, kept: Any) -> None:
    row, key = own_key(world)
    answer = own_token(world)
    told = introspected(world, retold(world, answer.token, key=key, header={"typ": "at+jwt", "kid": row.kid}, **claims))
    assert told["active"] is True
    assert told.get(claim) == (answer.claims.get(claim) if kept is None else kept)


SECRETS: dict[str, Callable[[World], tuple[str, str]]] = {
    "another agent's secret": lambda w: ("planner", w.secrets["worker"].text),
    "an application's key": lambda w: ("planner", w.keys["crm"].text),
    "a secret with more at its end": lambda w: ("planner", f"{w.secrets['planner'].text}0"),
    "an empty secret": lambda w: ("planner", ""),
    "an unknown agent": lambda w: ("nobody", w.secrets["planner"].text),
    "a client id with NUL": lambda w: ("planner\0", w.secrets["planner"].text),
    "a client id that is an address": lambda w: ("https://planner.example/client.json", w.secrets["planner"].text),
    "a secret without end": lambda w: ("planner", "x" * 10_000),
}


@pytest.mark.parametrize("name", SECRETS)
def test_a_wrong_secret_is_refused_in_the_same_words(world: World, name: str) -> None:
    answer = post("token", {"grant_type": "client_credentials"}, authorization=basic(*SECRETS[name](world)))
    assert (answer.status, answer.body["error"]) == (401, "invalid_client")
    assert answer.body["error_description"] == "The client did not prove who it is."
    assert answer.headers["WWW-Authenticate"].startswith("Basic")


def test_an_api_key_is_no_client_secret(world: World) -> None:
    _, token = issue_api_key(agent=world.planner, label="key", by=SYSTEM, now=timezone.now())
    answer = post("token", {"grant_type": "client_credentials"}, authorization=basic("planner", token.text))
    assert answer.status == 401


@pytest.mark.parametrize(
    "header", ["Basic", "Basic !", "Basic eA==", "Bearer x", "Digest x", "Basic " + "A" * 5000, "Basic /w=="]
)
def test_a_malformed_header_is_refused(world: World, header: str) -> None:
    answer = post("token", {"grant_type": "client_credentials"}, authorization=header)
    assert answer.status in (400, 401)
    assert answer.body["error"] in ("invalid_client", "invalid_request")


def test_a_revoked_credential_ends_its_tokens_and_proves_nothing(world: World) -> None:
    token = own_token(world).token
    revoke_credential(credential=world.credentials["planner"], by=SYSTEM, now=timezone.now())
    assert introspected(world, token) == {"active": False}
    assert own_token(world).status == 401


def test_another_organization_knows_nothing_of_a_token(world: World) -> None:
    other = make_organization("other")
    agent = make_agent(other, "planner")
    _, secret = secret_for(agent)
    token = own_token(world).token
    theirs = f"{BASE}/o/other"
    header = basic("planner", secret.text)
    assert post("introspect", {"token": token}, issuer=theirs, authorization=header).body == {"active": False}
    assert post("revoke", {"token": token}, issuer=theirs, authorization=header).status == 200
    assert introspected(world, token)["active"] is True
    data = {"grant_type": "client_credentials"}
    assert post("token", data, issuer=theirs, authorization=basic("planner", world.secrets["planner"].text)).status == 401
    assert post("token", data, authorization=header).status == 401
    assert post("token", {**data, "resource": CRM}, issuer=theirs, authorization=header).body["error"] == "invalid_target"


def test_a_resource_server_learns_nothing_of_tokens_for_others(world: World) -> None:
    token = own_token(world).token
    assert introspected(world, token, "lake") == {"active": False}
    header = basic("worker", world.secrets["worker"].text)
    assert post("introspect", {"token": token}, authorization=header).body == {"active": False}
    assert post("introspect", {"token": token}).status == 401
    assert post("introspect", {}, authorization=header).body["error"] == "invalid_request"


def test_the_thumbprint_is_that_of_rfc_7638() -> None:
    key = RSAKey.import_key(
        {
            "kty": "RSA",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPeb"
            "WKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMic"
            "AtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XP"
            "ksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
            "e": "AQAB",
        }
    )
    assert key.thumbprint() == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_the_challenge_is_that_of_rfc_7636() -> None:
    verifier, challenge = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert verifies(verifier, challenge)
    for wrong in (verifier[:-1] + "x", challenge, "", verifier + "=", verifier[:42]):
        assert not verifies(wrong, challenge)


def test_the_example_proof_of_rfc_9449_verifies() -> None:
    """Sections 4.1, 7.1 and 7.2 of the RFC: the proof at the token endpoint, and that for a resource with its hash."""
    first = check_proof(
        TOKEN_PROOF,
        method="POST",
        url="https://server.example.com/token",
        now=datetime.fromtimestamp(1562262616, UTC),
        nonce_needed=False,
    )
    second = check_proof(
        RESOURCE_PROOF,
        method="GET",
        url="https://resource.example.org/protectedresource",
        now=datetime.fromtimestamp(1562262618, UTC),
        token=TOKEN,
        nonce_needed=False,
    )
    assert first.jkt == second.jkt == THUMBPRINT


def test_keys_of_every_kind_bind(world: World) -> None:
    for algorithm, key in (("ES256", EC), ("EdDSA", OKPKey.generate_key("Ed25519")), ("RS256", THEIR_RSA)):
        proof = dpop_proof(key, algorithm=algorithm, nonce=nonce(world))
        data = {"grant_type": "client_credentials", "resource": CRM}
        answer = post("token", data, authorization=basic("planner", world.secrets["planner"].text), dpop=proof)
        assert introspected(world, answer.token)["cnf"] == {"jkt": key.thumbprint()}


def test_what_is_signed_by_hand_is_taken_when_nothing_is_wrong(world: World) -> None:
    public_key_for(world.planner, "ES256")
    assert with_assertion("planner", by_hand()).status == 200


def test_there_are_at_least_sixty_of_them() -> None:
    assert len(ASSERTIONS) + len(PROOFS) + len(TOKENS) + len(KEPT_CLAIMS) + len(SECRETS) >= 90
