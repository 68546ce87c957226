"""A card is believed for a key that was trusted before it came, over exactly what it says, and for nothing else."""

import base64
import hmac
import json
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from directory.cards.document import signed_bytes
from directory.cards.signing import TrustedKey, check_card, public_jwk, signed, thumbprint
from tests.directory.cards.written import CARD
from tests.factories import make_organization

WHOLE = {**CARD, "name": "Bot", "version": "1"}
URL = "https://iam.example/o/acme/.well-known/agent-card-keys.json"
OURS = OKPKey.generate_key("Ed25519")
THEIRS = OKPKey.generate_key("Ed25519")


def public(key, **members):
    return {**key.as_dict(private=False), **members}


def trusted(*jwks):
    return [TrustedKey(jwk, uuid4()) for jwk in jwks]


def by_hand(key, protected, /, **members):
    compact = jws.serialize_compact(protected, signed_bytes(WHOLE), key, algorithms=[protected["alg"]])
    header, _, signature = compact.split(".")
    return {**WHOLE, "signatures": [{"protected": header, "signature": signature, **members}]}


def encoded(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def kid(key):
    return thumbprint(public(key))


def header_of(card):
    text = card["signatures"][0]["protected"]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def test_our_own_card_verifies_with_the_key_we_show(db):
    acme = make_organization("acme")
    card = signed(WHOLE, acme, keys_url=URL)
    jwk = public_jwk(acme)
    assert header_of(card) == {"alg": "EdDSA", "typ": "JOSE", "kid": jwk["kid"], "jku": URL}
    [key] = trusted(jwk)
    verdict = check_card(json.loads(json.dumps(card)), [key])
    assert (verdict.genuine, verdict.vouched_by, verdict.kid) == (True, key.vouched_by, jwk["kid"])
    assert "d" not in jwk
    assert jwk["kid"] == thumbprint(jwk)


def test_no_organization_signs_for_another(db):
    acme, evil = make_organization("acme"), make_organization("evil")
    assert public_jwk(acme)["x"] != public_jwk(evil)["x"]
    assert not check_card(signed(WHOLE, evil, keys_url=URL), trusted(public_jwk(acme))).genuine


def test_another_secret_makes_other_keys(db, settings):
    acme = make_organization("acme")
    before = public_jwk(acme)
    settings.CARD_SIGNING_KEY = base64.b64encode(b"x" * 32).decode()
    assert public_jwk(acme)["x"] != before["x"]


def test_the_key_is_never_the_secret_itself(db, settings):
    seed = base64.b64decode(settings.CARD_SIGNING_KEY)
    raw = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    assert public_jwk(make_organization())["x"] != base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("name", "Other"),
        ("description", "Other"),
        ("supportedInterfaces", [{"url": "https://evil.example", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}]),
        ("capabilities", {"streaming": True}),
        ("capabilities", {}),
        ("skills", []),
        ("iconUrl", ""),
        ("unknown", "x"),
        ("name", None),
    ],
)
def test_what_was_changed_is_not_genuine(change, value):
    card = by_hand(OURS, {"alg": "EdDSA", "kid": kid(OURS)})
    assert check_card(card, trusted(public(OURS))).genuine
    assert not check_card({**card, change: value}, trusted(public(OURS))).genuine
    assert not check_card({name: each for name, each in card.items() if name != "skills"}, trusted(public(OURS))).genuine


def test_no_bit_of_a_signature_can_change():
    card = by_hand(OURS, {"alg": "EdDSA", "kid": kid(OURS)})
    for name in ("protected", "signature"):
        text = card["signatures"][0][name]
        for position in range(0, len(text) - 1, 3):
            other = "A" if text[position] != "A" else "B"
            changed = {**card["signatures"][0], name: text[:position] + other + text[position + 1 :]}
            assert not check_card({**card, "signatures": [changed]}, trusted(public(OURS))).genuine, (name, position)


def test_a_key_that_comes_with_the_card_proves_nothing():
    own = {"alg": "EdDSA", "kid": kid(THEIRS), "jwk": dict(public(THEIRS))}
    cards = [
        by_hand(THEIRS, {"alg": "EdDSA", "kid": kid(THEIRS)}, header={"jwk": public(THEIRS)}),
        by_hand(THEIRS, {"alg": "EdDSA", "kid": kid(THEIRS), "jku": "https://evil.example/keys.json"}),
        by_hand(THEIRS, {"alg": "EdDSA", "kid": kid(OURS)}),
        by_hand(THEIRS, own),
        by_hand(THEIRS, {**own, "kid": kid(OURS)}),
    ]
    for card in cards:
        verdict = check_card(card, trusted(public(OURS)))
        assert not verdict.genuine
        assert verdict.problem


def test_nothing_is_fetched(monkeypatch):
    import socket

    def refuse(*_args, **_kwargs):
        raise AssertionError("somebody opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    card = by_hand(THEIRS, {"alg": "EdDSA", "kid": kid(THEIRS), "jku": "https://127.0.0.1/keys.json"})
    assert not check_card(card, trusted(public(OURS))).genuine


def test_no_signature_and_a_shared_secret_are_no_signatures():
    unsigned = encoded(json.dumps({"alg": "none", "kid": kid(OURS)}).encode())
    card = {**WHOLE, "signatures": [{"protected": unsigned, "signature": ""}]}
    assert not check_card(card, trusted(public(OURS))).genuine
    # The public key, taken for the secret of a symmetric algorithm.
    rsa = RSAKey.generate_key(2048)
    header = encoded(json.dumps({"alg": "HS256", "kid": kid(rsa)}).encode())
    for secret in (json.dumps(public(rsa)).encode(), rsa.as_pem(private=False)):
        code = encoded(hmac.digest(secret, f"{header}.{encoded(signed_bytes(WHOLE))}".encode(), "sha256"))
        confused = {**WHOLE, "signatures": [{"protected": header, "signature": code}]}
        assert not check_card(confused, trusted(public(rsa))).genuine


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(OURS, "EdDSA"), (OURS, "Ed25519"), (ECKey.generate_key("P-256"), "ES256"), (RSAKey.generate_key(2048), "PS256")],
)
def test_the_usual_algorithms_are_known(key, algorithm):
    card = by_hand(key, {"alg": algorithm, "kid": kid(key), "typ": "JOSE"})
    assert check_card(card, trusted(public(key))).genuine
    assert check_card(card, trusted(public(key, kid="named"), public(key))).genuine
    assert not check_card(card, trusted(public(key, alg="ES512"))).genuine, "a key is for what it says that it is for"


def test_a_key_goes_by_the_id_that_it_was_given():
    card = by_hand(OURS, {"alg": "EdDSA", "kid": "2026"})
    assert check_card(card, trusted(public(OURS, kid="2026"))).genuine
    assert not check_card(card, trusted(public(OURS, kid="2025"))).genuine
    assert not check_card(card, trusted(public(THEIRS, kid="2026"))).genuine
    assert check_card(card, trusted(public(THEIRS, kid="2026"), public(OURS, kid="2026"))).genuine


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "EdDSA"},
        {"kid": "x", "alg": "EdDSA", "crit": ["exp"], "exp": 1},
        {"kid": "x", "alg": "EdDSA", "b64": False, "crit": ["b64"]},
        {"kid": "x", "alg": "EdDSA", "typ": "JWT"},
        {"kid": "x", "alg": ["EdDSA"]},
        {"kid": None, "alg": "EdDSA"},
        [],
        "x",
    ],
)
def test_a_header_that_means_something_else_is_refused(header):
    protected, private = encoded(json.dumps(header).encode()), Ed25519PrivateKey.generate()
    raw = encoded(private.public_key().public_bytes_raw())
    signature = encoded(private.sign(f"{protected}.{encoded(signed_bytes(WHOLE))}".encode()))
    card = {**WHOLE, "signatures": [{"protected": protected, "signature": signature}]}
    assert not check_card(card, trusted({"kty": "OKP", "crv": "Ed25519", "x": raw, "kid": "x"})).genuine


@pytest.mark.parametrize(
    "card",
    [
        None,
        [],
        "card",
        {},
        WHOLE,
        {**WHOLE, "signatures": []},
        {**WHOLE, "signatures": {}},
        {**WHOLE, "signatures": [None]},
        {**WHOLE, "signatures": [{}]},
        {**WHOLE, "signatures": [{"protected": 1, "signature": 2}]},
        {**WHOLE, "signatures": [{"protected": "!!", "signature": "!!"}]},
        {**WHOLE, "signatures": [{"protected": "e30", "signature": "e30", "more": 1}]},
        {**WHOLE, "signatures": [{"protected": "W" * 5_000, "signature": ""}]},
        {**WHOLE, "signatures": [{"protected": "e30", "signature": "e30"}] * 9},
        {**WHOLE, "description": "x" * 70_000, "signatures": [{"protected": "e30", "signature": "e30"}]},
    ],
)
def test_nonsense_is_refused_and_breaks_nothing(card):
    verdict = check_card(card, trusted(public(OURS)))
    assert not verdict.genuine
    assert verdict.problem


def test_one_good_signature_among_others_is_enough():
    good = by_hand(OURS, {"alg": "EdDSA", "kid": kid(OURS)})["signatures"][0]
    bad = by_hand(THEIRS, {"alg": "EdDSA", "kid": kid(THEIRS)})["signatures"][0]
    assert check_card({**WHOLE, "signatures": [bad, good]}, trusted(public(OURS))).genuine
