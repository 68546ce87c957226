"""Proof that whoever sends a token holds its key (RFC 9449): made by agents, checked by resource servers."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from joserfc import jwk

from agentiam.client.errors import NonceNeeded, ProofInvalid
from agentiam.client.jose import (
    ALGORITHMS,
    PUBLIC_MEMBERS,
    Malformed,
    encoded,
    is_text,
    number,
    read_public_key,
    read_token,
    sign,
    verify,
)
from agentiam.client.replay import Nonces

_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
MAX_NONCE: Final = 256
_PORTS: Final = {"https": 443, "http": 80}


def normalised(url: str) -> str:
    """Write a URL as ``htu`` is compared: without query and fragment, normalised by RFC 3986, sections 6.2.2 and 6.2.3.

    Raises ValueError for what is not an absolute http URL.
    """
    parts = urlsplit(url)
    scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()
    if scheme not in _PORTS or not host or "@" in parts.netloc or not url.isascii() or any(each <= " " for each in url):
        raise ValueError("not an absolute URL of http")
    if ":" in host:
        host = f"[{host}]"
    port = "" if parts.port in (None, _PORTS[scheme]) else f":{parts.port}"
    return f"{scheme}://{host}{port}{_without_dots(_ESCAPE.sub(_spelled, parts.path)) or '/'}"


def _spelled(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if character in _UNRESERVED else escape[0].upper()


def _without_dots(path: str) -> str:
    """Remove dot segments (RFC 3986, section 5.2.4)."""
    found: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == ".." and len(found) > 1:
            found.pop()
        elif segment not in {".", ".."}:
            found.append(segment)
    if segments[-1] in {".", ".."}:
        found.append("")
    return "/".join(found)


def hash_of(token: str) -> str:
    """Give the hash by which a proof names its token (``ath``)."""
    return encoded(hashlib.sha256(token.encode("ascii")).digest())


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofRules:
    """What a proof is held against, besides its request and its token."""

    skew: float
    algorithms: Sequence[str] = ALGORITHMS
    nonces: Nonces | None = None


@dataclass(frozen=True, slots=True)
class CheckedProof:
    """A proof that fits; what is left is to see that it was not used before, as ``key`` until ``until``."""

    key: str
    until: float


def check_proof(
    text: str, *, method: str, url: str, token: str, thumbprint: str, rules: ProofRules, now: float
) -> CheckedProof:
    """Check a proof in the order of RFC 9449, section 4.3, all but the replay. Raises ProofInvalid, NonceNeeded."""
    try:
        proof = read_token(text, typ="dpop+jwt", members=("typ", "alg", "jwk"), algorithms=rules.algorithms)
        key = read_public_key(proof.header.get("jwk"))
        verify(proof, key)
    except Malformed as error:
        raise ProofInvalid(f"the proof {error}") from None
    claims = proof.claims
    if not is_text(claims.get("jti")):
        raise ProofInvalid("the proof has no jti")
    if claims.get("htm") != method:
        raise ProofInvalid("the proof is for another method")
    _check_url(claims.get("htu"), url)
    issued_at = number(claims.get("iat"))
    if issued_at is None or abs(now - issued_at) > rules.skew:
        raise ProofInvalid("the proof was not made just now")
    if not hmac.compare_digest(str(claims.get("ath", "")).encode(), hash_of(token).encode()):
        raise ProofInvalid("the proof is for another token")
    if not hmac.compare_digest(key.thumbprint, thumbprint):
        raise ProofInvalid("the proof is of another key than the token's")
    _check_nonce(claims.get("nonce"), rules, now)
    digest = hashlib.sha256(f"{thumbprint}\n{claims['jti']}".encode()).hexdigest()
    return CheckedProof(digest, issued_at + rules.skew)


def _check_url(claimed: object, url: str) -> None:
    try:
        fits = isinstance(claimed, str) and normalised(claimed) == normalised(url)
    except ValueError:
        fits = False
    if not fits:
        raise ProofInvalid("the proof is for another address")


def _check_nonce(nonce: object, rules: ProofRules, now: float) -> None:
    if rules.nonces is None:
        return
    if not isinstance(nonce, str) or not rules.nonces.is_good(nonce, now):
        raise NonceNeeded("the proof needs a nonce of this server", nonce=rules.nonces.make(now))


class DpopKey:
    """An agent's key for proofs; the private part shows nowhere."""

    def __init__(self, key: jwk.ECKey | jwk.OKPKey | jwk.RSAKey) -> None:
        public = read_public_key(key.as_dict(private=False))
        if not key.is_private:
            raise ValueError("a key for proofs has its private part")
        self._key = key
        self._public = {name: value for name, value in key.as_dict(private=False).items() if name in PUBLIC_MEMBERS}
        self._algorithm = public.algorithms[0]
        self.thumbprint = public.thumbprint

    @classmethod
    def generate(cls) -> "DpopKey":
        """Make a new key on P-256, for as long as this object lives."""
        return cls(jwk.generate_key("EC", "P-256"))

    def __repr__(self) -> str:
        return f"DpopKey({self.thumbprint})"

    def proof(self, method: str, url: str, *, now: float, token: str = "", nonce: str = "") -> str:
        """Make a proof for one request, with the token that goes with it and the server's last nonce, if there are."""
        parts = urlsplit(url)
        claims: dict[str, object] = {
            "jti": secrets.token_urlsafe(16),
            "htm": method,
            "htu": parts._replace(query="", fragment="").geturl(),
            "iat": int(now),
        }
        if token:
            claims["ath"] = hash_of(token)
        if nonce:
            claims["nonce"] = nonce
        return sign({"typ": "dpop+jwt", "alg": self._algorithm, "jwk": self._public}, claims, self._key)
