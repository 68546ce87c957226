import asyncio
import warnings
from typing import Any

import pytest
from joserfc import jwk

from agentiam.client import (
    AccessToken,
    DpopKey,
    Limits,
    MemoryReplayGuard,
    NonceNeeded,
    Nonces,
    ProofInvalid,
    TokenInvalid,
    Unavailable,
)
from agentiam.client.dpop import normalised
from tests.client.conftest import Make
from tests.client.server import AGENT, RESOURCE, FakeServer, part, proof_for

KEY, OTHER = jwk.generate_key("EC", "P-256"), jwk.generate_key("EC", "P-256")
ED, RSA = jwk.generate_key("OKP", "Ed25519"), jwk.generate_key("RSA", 2048)
with warnings.catch_warnings(action="ignore"):
    WEAK = jwk.generate_key("RSA", 1024)
SECRET = jwk.generate_key("oct", 256)


def bound(fake: FakeServer, key: Any = KEY) -> str:
    return fake.token(cnf={"jkt": key.thumbprint()})


def headers(token: str, *proofs: str) -> list[tuple[str, str]]:
    return [("Authorization", f"DPoP {token}"), *(("DPoP", proof) for proof in proofs)]


def proof(fake: FakeServer, token: str, *, key: Any = KEY, method: str = "POST", url: str = RESOURCE, **changes: Any) -> str:
    return proof_for(key, method, url, token, now=fake.clock(), **changes)


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize(("key", "alg"), [(KEY, "ES256"), (ED, "EdDSA"), (ED, "Ed25519"), (RSA, "RS256")])
def test_a_proof_lets_its_token_in_once(way: str, key: Any, alg: str, fake: FakeServer, make: Make) -> None:
    server, token = make(), bound(fake, key)
    sent = headers(token, proof(fake, token, key=key, header={"alg": alg}))

    def verify() -> AccessToken:
        if way == "sync":
            return server.verify("POST", RESOURCE, sent)
        return asyncio.run(server.averify("POST", RESOURCE, sent))

    assert verify().thumbprint == key.thumbprint()
    with pytest.raises(ProofInvalid, match="before"):
        verify()


def private(key: Any) -> dict[str, Any]:
    found: dict[str, Any] = key.as_dict(private=True)
    return found


WRONG: dict[str, dict[str, Any]] = {
    "another method": {"htm": "GET"},
    "method in small letters": {"htm": "post"},
    "another path": {"htu": RESOURCE + "/other"},
    "another host": {"htu": "https://evil.example/mcp"},
    "another scheme": {"htu": RESOURCE.replace("https", "http")},
    "no address": {"htu": None},
    "address as list": {"htu": [RESOURCE]},
    "address with a user": {"htu": "https://a@cases.example/mcp"},
    "another token": {"ath": "A" * 43},
    "no token": {"ath": None},
    "token as number": {"ath": 7},
    "too old": {"iat": 1_900_000_000 - 61},
    "from the future": {"iat": 1_900_000_000 + 61},
    "instant as text": {"iat": "1900000000"},
    "no instant": {"iat": None},
    "no id": {"jti": None},
    "empty id": {"jti": ""},
    "long id": {"jti": "x" * 1_000},
    "id as number": {"jti": 5},
    "another type": {"header": {"typ": "JWT"}},
    "no key": {"header": {"jwk": None}},
    "private key": {"header": {"jwk": private(KEY)}},
    "another key inside": {"header": {"jwk": OTHER.as_dict(private=False)}},
    "another key altogether": {"key": OTHER},
    "shared secret": {"key": SECRET, "header": {"alg": "HS256", "jwk": SECRET.as_dict(private=True)}},
    "short RSA key": {"key": WEAK, "header": {"alg": "RS256"}},
    "key as address": {"header": {"jku": "https://evil.example/jwks"}},
    "key on another curve": {"header": {"jwk": KEY.as_dict(private=False) | {"crv": "P-521"}}},
    "key off the curve": {"header": {"jwk": KEY.as_dict(private=False) | {"x": "A" * 43}}},
    "key for encryption": {"header": {"jwk": KEY.as_dict(private=False) | {"use": "enc"}}},
    "key of numbers": {"header": {"jwk": {"kty": "EC", "crv": "P-256", "x": 1, "y": 2}}},
    "RSA key with a great exponent": {"header": {"jwk": RSA.as_dict(private=False) | {"e": "A" * 400}}},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_proof_is_refused(changes: dict[str, Any], fake: FakeServer, make: Make) -> None:
    token = bound(fake)
    with pytest.raises(ProofInvalid):
        make().verify("POST", RESOURCE, headers(token, proof(fake, token, **changes)))


def test_a_proof_is_signed(fake: FakeServer, make: Make) -> None:
    token = bound(fake)
    head, claims, _ = proof(fake, token).split(".")
    none = part({"typ": "dpop+jwt", "alg": "none", "jwk": KEY.as_dict(private=False)})
    for forged in (f"{none}.{claims}.", f"{none}.{claims}.AAAA", f"{head}.{claims}.AAAA", f"{head}.{claims}", "", "x" * 20_000):
        with pytest.raises(ProofInvalid):
            make().verify("POST", RESOURCE, headers(token, forged))


def test_neither_the_scheme_nor_the_token_can_be_downgraded(fake: FakeServer, make: Make) -> None:
    token, free = bound(fake), fake.token()
    good = proof(fake, token)
    with pytest.raises(TokenInvalid, match="without a proof"):
        make().verify("POST", RESOURCE, [("Authorization", f"Bearer {token}"), ("DPoP", good)])
    with pytest.raises(TokenInvalid, match="no key"):
        make().verify("POST", RESOURCE, headers(free, proof(fake, free)))
    with pytest.raises(TokenInvalid, match="no key"):
        make(dpop="required").verify("POST", RESOURCE, [("Authorization", f"Bearer {free}")])
    for proofs in ((), (good, good)):
        with pytest.raises(ProofInvalid, match="one DPoP header"):
            make().verify("POST", RESOURCE, headers(token, *proofs))


def test_a_bound_reference_needs_its_proof(fake: FakeServer, make: Make) -> None:
    text = fake.reference(cnf={"jkt": KEY.thumbprint()})
    assert make().verify("POST", RESOURCE, headers(text, proof(fake, text))).agent == AGENT
    with pytest.raises(TokenInvalid, match="without a proof"):
        make().verify("POST", RESOURCE, [("Authorization", f"Bearer {text}")])


def test_a_proof_of_the_library_is_good(fake: FakeServer, make: Make) -> None:
    key = DpopKey.generate()
    token = fake.token(cnf={"jkt": key.thumbprint})
    made = key.proof("POST", RESOURCE + "?page=2#top", now=fake.clock(), token=token)
    assert make().verify("POST", RESOURCE, headers(token, made)).thumbprint == key.thumbprint
    for given in (ED, RSA):
        assert DpopKey(given).thumbprint == given.thumbprint()
        assert '"d"' not in repr(DpopKey(given))
    with pytest.raises(ValueError, match="private"):
        DpopKey(jwk.import_key(KEY.as_dict(private=False)))


def test_nonces_are_asked_for_and_run_out(fake: FakeServer, make: Make) -> None:
    nonces = Nonces(b"n" * 32, lifetime=300)
    server, token = make(nonces=nonces), bound(fake)
    with pytest.raises(NonceNeeded) as caught:
        server.verify("POST", RESOURCE, headers(token, proof(fake, token)))
    nonce = caught.value.nonce
    assert server.verify("POST", RESOURCE, headers(token, proof(fake, token, nonce=nonce)))
    assert Nonces(b"n" * 32).is_good(nonce, fake.clock())
    forged = [nonce[:-1] + ("A" if nonce[-1] != "A" else "Q"), Nonces(b"m" * 32).make(fake.clock()), "", "é", "x" * 5_000]
    for wrong in forged:
        with pytest.raises(NonceNeeded):
            server.verify("POST", RESOURCE, headers(token, proof(fake, token, nonce=wrong)))
    assert not nonces.is_good(nonces.make(fake.clock() + 5), fake.clock())
    fake.clock.now += 301
    assert not nonces.is_good(nonce, fake.clock())
    with pytest.raises(ValueError, match="32 bytes"):
        Nonces(b"short")


def test_the_memory_of_proofs_is_bounded_and_closes() -> None:
    guard = MemoryReplayGuard(most=2)
    assert guard.first_use("a", until=10, now=0)
    assert not guard.first_use("a", until=10, now=10)
    assert guard.first_use("b", until=20, now=0)
    with pytest.raises(Unavailable):
        guard.first_use("c", until=20, now=5)
    assert guard.first_use("c", until=30, now=15)
    assert not guard.first_use("b", until=30, now=15)


def test_a_proof_is_remembered_as_long_as_it_could_be_used(fake: FakeServer, make: Make) -> None:
    server, token = make(limits=Limits(skew=10)), bound(fake)
    sent = headers(token, proof(fake, token, iat=int(fake.clock()) + 10))
    assert server.verify("POST", RESOURCE, sent)
    for _ in range(4):
        fake.clock.now += 5
        with pytest.raises(ProofInvalid, match="before"):
            server.verify("POST", RESOURCE, sent)
    fake.clock.now += 1
    with pytest.raises(ProofInvalid, match="just now"):
        server.verify("POST", RESOURCE, sent)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("HTTPS://Cases.Example:443/mcp?x=1#y", "https://cases.example/mcp"),
        ("https://cases.example", "https://cases.example/"),
        ("https://cases.example/%7Ea/%2f", "https://cases.example/~a/%2F"),
        ("https://cases.example/a/./b/../c", "https://cases.example/a/c"),
        ("https://cases.example/a/..", "https://cases.example/"),
        ("http://[::1]:80/a", "http://[::1]/a"),
    ],
)
def test_addresses_are_compared_normalised(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://cases.example/a", "https://cases.example/a/"),
        ("https://cases.example/a", "https://cases.example/A"),
        ("https://cases.example/a/b", "https://cases.example/a%2Fb"),
        ("https://cases.example:8443/", "https://cases.example/"),
    ],
)
def test_different_addresses_stay_different(one: str, other: str) -> None:
    assert normalised(one) != normalised(other)


@pytest.mark.parametrize(
    "url", ["", "/mcp", "ftp://a/", "https:///a", "https://a b/", "https://u@a/", "https://a:x/", "https://é/"]
)
def test_what_is_no_address_equals_none(url: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        normalised(url)
