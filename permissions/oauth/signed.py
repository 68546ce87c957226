"""Signed statements in the one form in which they are taken: three parts, a short header, and an algorithm that we name.

What a header may say is listed, and whatever is not in the list is refused: a key that comes along (``jwk``, ``jku``, ``x5u``,
``x5c``), extensions (``crit``, ``b64``), compression. The algorithm is the key's, never the header's word alone (RFC 8725).
"""

import base64
import binascii
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry

from agentiam.kit.texts import is_storable

MAX_BYTES: Final = 8_192
SKEW_SECONDS: Final = 60
_PLAIN: Final = frozenset({"alg", "kid", "typ"})
_ALGORITHMS: Final[Mapping[str, frozenset[str]]] = {
    "EC": frozenset({"ES256"}),
    "OKP": frozenset({"EdDSA", "Ed25519"}),
    "RSA": frozenset({"RS256", "PS256"}),
}


class _Registry(jws.JWSRegistry):
    """Takes what we take: a header may carry an RSA key."""

    max_header_length = MAX_BYTES
    max_payload_length = MAX_BYTES


class BadSignature(ValueError):
    """The statement is not one, or not signed as it must be; the text is a cause for the log, and never repeats it."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement taken apart and not yet believed."""

    text: str
    header: Mapping[str, Any]
    claims: Mapping[str, Any]

    def verify(self, jwk: Mapping[str, Any], algorithms: Collection[str]) -> None:
        """Check the signature with one key (RFC 7517); raises BadSignature."""
        allowed = set(algorithms) & _ALGORITHMS.get(str(jwk.get("kty")), frozenset())
        if jwk.get("alg") is not None:
            allowed &= {"EdDSA", "Ed25519"} if jwk["alg"] in ("EdDSA", "Ed25519") else {jwk["alg"]}
        if self.header["alg"] not in allowed:
            raise BadSignature("the algorithm is not one that is taken with this key")
        try:
            key: Any = JWKRegistry.import_key(dict(jwk))
            jws.deserialize_compact(self.text, key, registry=_Registry(algorithms=[self.header["alg"]]))
        except (JoseError, ValueError, TypeError):
            raise BadSignature("the signature is not that of the key") from None


def read_statement(text: str, *, types: Collection[str], headers: Collection[str] = _PLAIN) -> Statement:
    """Take a compact JWS apart; ``types`` are the values of ``typ`` that are taken, "" for none. Raises BadSignature."""
    parts = text.split(".")
    if len(text) > MAX_BYTES or len(parts) != 3 or not all(parts):
        raise BadSignature("not a signed statement")
    header, claims = (_object(part) for part in parts[:2])
    if not set(header) <= set(headers):
        raise BadSignature("the header says what it may not")
    if not isinstance(header.get("alg"), str) or not _is_name(header.get("kid", "")):
        raise BadSignature("the header does not say what it must")
    found = header.get("typ", "")
    if not isinstance(found, str) or found.lower().removeprefix("application/") not in {each.lower() for each in types}:
        raise BadSignature("the type is another")
    return Statement(text, header, claims)


def _is_name(value: Any) -> bool:
    """Tell whether a value can be looked up."""
    return isinstance(value, str) and len(value) <= 500


def check_times(claims: Mapping[str, Any], *, now: datetime, most_seconds: int) -> int:
    """Check ``exp``, ``nbf`` and ``iat`` with a skew of a minute, and that the end is near; answers it. Raises BadSignature."""
    instant = now.timestamp()
    end = _number(claims, "exp")
    if end is None:
        raise BadSignature("it has no end")
    if end + SKEW_SECONDS <= instant:
        raise BadSignature("it is over")
    if end > instant + most_seconds + SKEW_SECONDS:
        raise BadSignature("its end is too far away")
    for name in ("nbf", "iat"):
        begin = _number(claims, name)
        if begin is not None and begin > instant + SKEW_SECONDS:
            raise BadSignature("it is not valid yet")
    return int(end)


def audiences(claims: Mapping[str, Any]) -> frozenset[str]:
    """Read ``aud``, a text or a list of texts; raises BadSignature."""
    value = claims.get("aud")
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not found or not all(isinstance(each, str) for each in found):
        raise BadSignature("it has no audience")
    return frozenset(found)


def text_claim(claims: Mapping[str, Any], name: str, *, most: int = 500) -> str:
    """Read a claim that must be a text; raises BadSignature."""
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= most:
        raise BadSignature(f"{name} is missing, or no text")
    return value


def _number(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e12:
        raise BadSignature(f"{name} is no time")
    return float(value)


def _object(part: str) -> dict[str, Any]:
    try:
        if "=" in part:
            raise BadSignature("not base64url")
        content = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
        value = json.loads(content, object_pairs_hook=_once)
    except (binascii.Error, ValueError, RecursionError):
        raise BadSignature("not base64url of JSON") from None
    if not isinstance(value, dict) or not is_storable(value):
        raise BadSignature("not an object of texts that can be looked up")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a member that is there twice: another reader might take the other value (RFC 7519, section 4)."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member is there twice")
    return found
