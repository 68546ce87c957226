import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwk

from agentiam.client import (
    AccessToken,
    Limits,
    RequestMalformed,
    ResourceServer,
    ScopeInsufficient,
    TokenInvalid,
    TokenMissing,
    Unavailable,
)
from tests.client.conftest import Make
from tests.client.server import AGENT, ISSUER, RESOURCE, FakeServer, part, registry, signed

ACT = {"sub": "agent/helper", "iss": ISSUER, "sub_profile": "ai_agent"}
EC, ED, RSA = jwk.generate_key("EC", "P-256"), jwk.generate_key("OKP", "Ed25519"), jwk.generate_key("RSA", 2048)


def verify(server: ResourceServer, token: str, *, way: str = "sync", scopes: tuple[str, ...] = ()) -> AccessToken:
    headers = [("Authorization", f"Bearer {token}")]
    if way == "sync":
        return server.verify("GET", RESOURCE, headers, scopes=scopes)
    return asyncio.run(server.averify("GET", RESOURCE, headers, scopes=scopes))


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_good_token_says_who_comes(way: str, fake: FakeServer, make: Make) -> None:
    act = ACT | {"act": {"sub": "agent/planner"}}
    details = [{"type": "case", "actions": ["read"]}]
    token = verify(
        make(), fake.token(sub="user/alice", act=act, run={"id": "r-1", "task": "t-1"}, authorization_details=details), way=way
    )
    assert (token.subject, token.user, token.agent, token.client_id) == ("user/alice", "alice", "helper", AGENT)
    assert token.actors == ("agent/helper", "agent/planner")
    assert token.scopes == {"case:read", "case:refund"}
    assert (token.run, token.thumbprint, list(token.authorization_details)) == ("r-1", "", details)
    assert token.text not in repr(token)


@pytest.mark.parametrize(("key", "alg"), [(EC, "ES256"), (ED, "EdDSA"), (ED, "Ed25519"), (RSA, "RS256")])
def test_each_algorithm_verifies_with_its_own_keys(key: Any, alg: str, fake: FakeServer, make: Make) -> None:
    fake.keys["other"] = key
    assert verify(make(), fake.token(kid="other", header={"alg": alg})).agent == AGENT


def test_an_algorithm_can_be_left_out(fake: FakeServer, make: Make) -> None:
    with pytest.raises(TokenInvalid, match="algorithm"):
        verify(make(algorithms=("RS256",)), fake.token())


def unsigned(fake: FakeServer) -> str:
    return f"{part({'typ': 'at+jwt', 'alg': 'none', 'kid': 'k1'})}.{part(fake.claims())}."


def confused(fake: FakeServer) -> str:
    """Sign with the public key as if it were a shared secret."""
    public = json.dumps(fake.keys["k1"].as_dict(private=False)).encode()
    return signed({"typ": "at+jwt", "alg": "HS256", "kid": "k1"}, fake.claims(), jwk.OctKey.import_key(public))


def of_other_key(fake: FakeServer, **header: Any) -> str:
    return signed({"typ": "at+jwt", "alg": "ES256", "kid": "k1"} | header, fake.claims(), EC)


def by_hand(fake: FakeServer, **header: Any) -> str:
    """Sign what a library would not."""
    text = f"{part({'typ': 'at+jwt', 'alg': 'ES256', 'kid': 'k1'} | header)}.{part(fake.claims())}"
    signature = registry().get_alg("ES256").sign(text.encode(), fake.keys["k1"])
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def test_what_is_signed_by_hand_is_good_without_more(fake: FakeServer, make: Make) -> None:
    assert verify(make(), by_hand(fake)).agent == AGENT


def with_twice(fake: FakeServer) -> str:
    """Sign a payload with the audience twice."""
    from joserfc import jws

    payload = json.dumps(fake.claims())[:-1] + f', "aud": "{RESOURCE}"}}'
    return jws.serialize_compact({"typ": "at+jwt", "alg": "ES256", "kid": "k1"}, payload, fake.keys["k1"], algorithms=["ES256"])


def changed(fake: FakeServer) -> str:
    head, _, signature = fake.token().split(".")
    return f"{head}.{part(fake.claims(sub='agent/admin'))}.{signature}"


def respelled(fake: FakeServer) -> str:
    """Change the bits of the last character that no byte of the signature holds."""
    token = fake.token()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    other = token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]
    padding = "=="
    assert base64.urlsafe_b64decode(other.split(".")[2] + padding) == base64.urlsafe_b64decode(token.split(".")[2] + padding)
    return other


Forged = Callable[[FakeServer], str]
FORGERIES: dict[str, Forged] = {
    "no signature": unsigned,
    "empty signature": lambda fake: fake.token().rpartition(".")[0] + ".",
    "algorithm none, signed": lambda fake: unsigned(fake) + fake.token().rpartition(".")[2],
    "public key as secret": confused,
    "another key under the known id": of_other_key,
    "embedded key": lambda fake: of_other_key(fake, jwk=EC.as_dict(private=False)),
    "key by address": lambda fake: of_other_key(fake, jku="https://evil.example/jwks"),
    "certificate by address": lambda fake: of_other_key(fake, x5u="https://evil.example/cert"),
    "certificate inside": lambda fake: of_other_key(fake, x5c=["MIIB"]),
    "embedded key beside a good signature": lambda fake: fake.token(header={"jwk": EC.as_dict(private=False)}),
    "address of keys beside a good signature": lambda fake: fake.token(header={"jku": "https://evil.example/jwks"}),
    "critical extension": lambda fake: by_hand(fake, crit=["exp"], exp=1),
    "empty list of critical extensions": lambda fake: by_hand(fake, crit=[]),
    "unencoded payload": lambda fake: by_hand(fake, b64=False),
    "compressed": lambda fake: by_hand(fake, zip="DEF"),
    "content type": lambda fake: by_hand(fake, cty="JWT"),
    "no key id": lambda fake: signed({"typ": "at+jwt", "alg": "ES256"}, fake.claims(), fake.keys["k1"]),
    "unknown key id": lambda fake: signed({"typ": "at+jwt", "alg": "ES256", "kid": "k9"}, fake.claims(), fake.keys["k1"]),
    "key id that is no text": lambda fake: by_hand(fake, kid=["k1"]),
    "algorithm that is no text": lambda fake: by_hand(fake, alg=["ES256"]),
    "algorithm in small letters": lambda fake: by_hand(fake, alg="es256"),
    "another algorithm than the key's": lambda fake: by_hand(fake, alg="EdDSA"),
    "an ID token": lambda fake: fake.token(header={"typ": "JWT"}),
    "a proof": lambda fake: fake.token(header={"typ": "dpop+jwt"}),
    "type in capitals": lambda fake: fake.token(header={"typ": "AT+JWT"}),
    "no type": lambda fake: signed({"alg": "ES256", "kid": "k1"}, fake.claims(), fake.keys["k1"]),
    "changed claims": changed,
    "signature spelled otherwise": respelled,
    "padding": lambda fake: fake.token() + "==",
    "a name twice": with_twice,
    "four parts": lambda fake: fake.token() + ".x",
    "encrypted shape": lambda fake: fake.token() + ".x.y",
    "too long": lambda fake: fake.token(padding="x" * 20_000),
    "deep claims": lambda fake: f"{fake.token().partition('.')[0]}.{base64.urlsafe_b64encode(b'[' * 9_000).decode()}.AAAA",
    "header is a list": lambda fake: "W10." + fake.token().partition(".")[2],
    "other issuer": lambda fake: fake.token(iss="https://agentiam.example/o/other"),
    "issuer with a slash": lambda fake: fake.token(iss=ISSUER + "/"),
    "other audience": lambda fake: fake.token(aud="https://other.example/mcp"),
    "audience below": lambda fake: fake.token(aud=RESOURCE + "/x"),
    "audience as list": lambda fake: fake.token(aud=[RESOURCE]),
    "no audience": lambda fake: fake.token(aud=None),
    "expired": lambda fake: fake.token(exp=int(fake.clock()) - 61, iat=int(fake.clock()) - 600),
    "expiry as text": lambda fake: fake.token(exp=str(int(fake.clock()) + 600)),
    "expiry true": lambda fake: fake.token(exp=True),
    "no expiry": lambda fake: fake.token(exp=None),
    "expiry without end": lambda fake: fake.token(exp=10**400),
    "from the future": lambda fake: fake.token(iat=int(fake.clock()) + 61),
    "not yet": lambda fake: fake.token(nbf=int(fake.clock()) + 61),
    "not before as text": lambda fake: fake.token(nbf="0"),
    "no instant": lambda fake: fake.token(iat=None),
    "ends before it begins": lambda fake: fake.token(exp=int(fake.clock()) - 10, iat=int(fake.clock())),
    "no subject": lambda fake: fake.token(sub=None),
    "subject of no kind": lambda fake: fake.token(sub="alice"),
    "subject of another kind": lambda fake: fake.token(sub="application/cases"),
    "subject without id": lambda fake: fake.token(sub="agent/"),
    "subject as object": lambda fake: fake.token(sub={"agent": AGENT}),
    "subject with a line": lambda fake: fake.token(sub="agent/a\nb"),
    "no client": lambda fake: fake.token(client_id=None),
    "client as number": lambda fake: fake.token(client_id=7),
    "no id": lambda fake: fake.token(jti=None),
    "empty id": lambda fake: fake.token(jti=""),
    "scope as list": lambda fake: fake.token(scope=["case:read"]),
    "scope with two spaces": lambda fake: fake.token(scope="case:read  case:refund"),
    "too many scopes": lambda fake: fake.token(scope=" ".join(f"s{n}" for n in range(300))),
    "act as text": lambda fake: fake.token(act="agent/helper"),
    "act is null": lambda fake: signed(
        {"typ": "at+jwt", "alg": "ES256", "kid": "k1"}, fake.claims() | {"act": None}, fake.keys["k1"]
    ),
    "act is a person": lambda fake: fake.token(act={"sub": "user/mallory"}),
    "act without sub": lambda fake: fake.token(act={"iss": ISSUER}),
    "act of another issuer": lambda fake: fake.token(act=ACT | {"iss": "https://other.example"}),
    "inner act of another issuer": lambda fake: fake.token(act=ACT | {"act": ACT | {"iss": "https://other.example"}}),
    "act of another profile": lambda fake: fake.token(act=ACT | {"sub_profile": "service"}),
    "bound in an unknown way": lambda fake: fake.token(cnf={"x5t#S256": "A" * 43}),
    "bound in two ways": lambda fake: fake.token(cnf={"jkt": "A" * 43, "x5t#S256": "A" * 43}),
    "bound to nothing": lambda fake: fake.token(cnf={}),
    "bound to no thumbprint": lambda fake: fake.token(cnf={"jkt": "x"}),
    "bound, without a proof": lambda fake: fake.token(cnf={"jkt": "A" * 43}),
    "details as object": lambda fake: fake.token(authorization_details={"type": "case"}),
    "details without type": lambda fake: fake.token(authorization_details=[{}]),
    "run as number": lambda fake: fake.token(run=1),
    "run without id": lambda fake: fake.token(run={"task": "t-1"}),
    "an unknown reference": lambda fake: "aat_" + "x" * 40,
    "a word": lambda fake: "some-word",
}


@pytest.mark.parametrize("forged", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_forgery_is_refused(forged: Forged, fake: FakeServer, make: Make) -> None:
    server = make()
    assert verify(server, fake.token()).agent == AGENT
    text = forged(fake)
    for way in ("sync", "async"):
        with pytest.raises(TokenInvalid) as caught:
            verify(server, text, way=way)
        assert caught.value.status == 401
        assert text not in str(caught.value)


def test_clocks_may_differ_by_a_minute(fake: FakeServer, make: Make) -> None:
    now = int(fake.clock())
    assert verify(make(), fake.token(exp=now - 59, iat=now - 600))
    assert verify(make(), fake.token(iat=now + 59, nbf=now + 59))


def test_a_chain_has_a_greatest_depth(fake: FakeServer, make: Make) -> None:
    act: dict[str, Any] = dict(ACT)
    for _ in range(4):
        act = ACT | {"act": act}
    assert len(verify(make(), fake.token(act=act)).actors) == 5
    with pytest.raises(TokenInvalid, match="more than 5"):
        verify(make(), fake.token(act=ACT | {"act": act}))
    with pytest.raises(TokenInvalid, match="more than 4"):
        verify(make(limits=Limits(max_actors=4)), fake.token(act=act))


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ([], TokenMissing),
        ([("Authorization", "Basic YTpi")], TokenMissing),
        ([("Authorization", "Bearer")], RequestMalformed),
        ([("Authorization", "Bearer ")], RequestMalformed),
        ([("Authorization", "Bearer a b")], RequestMalformed),
        ([("Authorization", "Bearer a,Bearer b")], RequestMalformed),
        ([("Authorization", "Bearer a"), ("authorization", "Bearer b")], RequestMalformed),
        ([("X-Authorization", "Bearer a")], TokenMissing),
    ],
)
def test_a_token_comes_in_one_header_and_in_one_way(headers: list[tuple[str, str]], error: type[Exception], make: Make) -> None:
    with pytest.raises(error):
        make().verify("GET", RESOURCE + "?access_token=x", headers)


def test_scopes_are_required_where_they_are_needed(fake: FakeServer, make: Make) -> None:
    token = verify(make(), fake.token(scope="case:read"), scopes=("case:read",))
    assert token.has("case:read")
    assert not token.has("case:read", "case:refund")
    with pytest.raises(ScopeInsufficient) as caught:
        verify(make(), fake.token(scope="case:read"), scopes=("case:read", "case:refund"))
    assert caught.value.scopes == ("case:read", "case:refund")
    assert verify(make(), fake.token(scope=None)).scopes == set()


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_reference_is_introspected(way: str, fake: FakeServer, make: Make) -> None:
    text = fake.reference(sub="user/alice", act=ACT, iat=None, jti=None)
    assert verify(make(), text, way=way).user == "alice"
    fake.references[text] = {"active": False}
    with pytest.raises(TokenInvalid, match="not active"):
        verify(make(), text, way=way)


@pytest.mark.parametrize(
    "changes",
    [
        {"token_type": "DPoP"},
        {"aud": "https://other.example"},
        {"iss": None},
        {"sub": None},
        {"exp": None},
        {"client_id": None},
        {"exp": 1},
    ],
    ids=str,
)
def test_what_introspection_says_is_checked_like_a_token(changes: dict[str, Any], fake: FakeServer, make: Make) -> None:
    with pytest.raises(TokenInvalid):
        verify(make(), fake.reference(**changes))


@pytest.mark.parametrize("active", ["true", 1, None, [True]])
def test_active_is_true_and_nothing_like_it(active: object, fake: FakeServer, make: Make) -> None:
    text = fake.reference()
    fake.references[text]["active"] = active
    with pytest.raises(Unavailable):
        verify(make(), text)


def test_every_token_can_be_introspected(fake: FakeServer, make: Make) -> None:
    server, text = make(introspect="always"), fake.token()
    assert verify(server, text).agent == AGENT
    fake.revoked.append(text)
    with pytest.raises(TokenInvalid, match="not active"):
        verify(server, text)
    with pytest.raises(TokenInvalid):
        verify(make(introspect="always"), of_other_key(fake))
    assert fake.counts["introspection"] == 2


def test_an_issuer_that_contradicts_its_token_is_not_believed(fake: FakeServer, make: Make) -> None:
    import httpx

    fake.overrides["introspection"] = lambda request: httpx.Response(200, json={"active": True, "sub": "agent/other"})
    with pytest.raises(TokenInvalid, match="something else"):
        verify(make(introspect="always"), fake.token())


def test_a_wrong_key_of_our_own_is_nobody_elses_fault(fake: FakeServer, make: Make) -> None:
    with pytest.raises(Unavailable):
        verify(make(key="aip_wrong"), fake.reference())
    with pytest.raises(Unavailable, match="no key of its own"):
        verify(make(application="", key=""), fake.reference())
    assert "aip_" not in repr(make())


@pytest.mark.parametrize(
    "options",
    [
        {"algorithms": ()},
        {"algorithms": ("HS256",)},
        {"algorithms": ("none",)},
        {"key": ""},
        {"introspect": "never"},
        {"dpop": "no"},
        {"introspect": "always", "application": "", "key": ""},
        {"decisions_url": "http://agentiam.example/access"},
    ],
    ids=str,
)
def test_options_that_would_open_something_are_refused(options: dict[str, Any], make: Make) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        make(**options)


@pytest.mark.parametrize(
    "url", ["http://cases.example", "cases.example", "https://a@b/", "https://a/?q", "https://a/#f", "ftp://a"]
)
def test_addresses_are_https_and_nothing_more(url: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        ResourceServer(url, ISSUER)
    with pytest.raises(ValueError, match=r"\w"):
        ResourceServer(RESOURCE, url)
