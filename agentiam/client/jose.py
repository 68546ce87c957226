"""Signed tokens are read strictly: one spelling of base64url, no name twice, no header member that was not asked for.

Which algorithm verifies is decided by the key; the token's header can only agree.
"""

import base64
import binascii
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from joserfc import jwk, jws
from joserfc.errors import JoseError

ALGORITHMS: Final = ("ES256", "EdDSA", "Ed25519", "RS256")
MAX_TOKEN_CHARS: Final = 16_384
MAX_TEXT: Final = 512
_MAX_HEADER_CHARS: Final = 4_096
_RSA_BITS: Final = (2_048, 4_096)
_MAX_EXPONENT_CHARS: Final = 6
_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
PUBLIC_MEMBERS: Final = ("kty", "crv", "x", "y", "n", "e")
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_UNFIT: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


class Malformed(ValueError):
    """The text is not what its standard says; the message names the place and never the value."""


class _Registry(jws.JWSRegistry):
    """Knows four names of three algorithms; EdDSA means Ed25519 here, and its deprecated name does not warn."""

    max_header_length = _MAX_HEADER_CHARS

    def get_alg(self, name: str) -> Any:
        """Give the algorithm of an allowed name."""
        return super().get_alg("Ed25519" if name == "EdDSA" else name)


_registry: Final = _Registry(algorithms=[name for name in ALGORITHMS if name != "EdDSA"])


def read_object(data: bytes | str) -> dict[str, Any]:
    """Read a JSON object; refuse names that come twice, NaN, depths that Python cannot hold, and everything else.

    Raises Malformed.
    """
    try:
        text = data if isinstance(data, str) else data.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_members, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Malformed("is not a JSON object that can be read in one way only") from None
    if not isinstance(value, dict):
        raise Malformed("is not a JSON object")
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name comes twice")
    return members


def _no_constant(name: str) -> None:
    raise ValueError(name)


def is_text(value: object, *, limit: int = MAX_TEXT) -> bool:
    """Tell whether a value is a string that is not empty, not too long, and holds nothing that is not text."""
    return isinstance(value, str) and 0 < len(value) <= limit and not _UNFIT.search(value)


def number(value: object) -> float | None:
    """Give a NumericDate as a number of seconds, or None for everything that is none (true is none)."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e12 < value < 1e12:
        return None
    return float(value)


def encoded(data: bytes) -> str:
    """Write bytes as base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decoded(text: str) -> bytes:
    """Read base64url without padding, in its one canonical spelling. Raises Malformed."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("is not base64url") from None
    if encoded(data) != text:
        raise Malformed("is not canonical base64url")
    return data


@dataclass(frozen=True, slots=True)
class Unverified:
    """A token in its parts, of which nothing is known to be true yet."""

    text: str = field(repr=False)
    header: Mapping[str, Any]
    claims: Mapping[str, Any] = field(repr=False)


def read_token(text: str, *, typ: str, members: Collection[str], algorithms: Collection[str]) -> Unverified:
    """Take a compact JWS apart; ``members`` are the only names that its header may hold.

    An embedded key where none was asked for, ``crit``, ``jku``, ``x5u`` and whatever else is not named is refused, not
    ignored. Raises Malformed.
    """
    if len(text) > MAX_TOKEN_CHARS or not _COMPACT.fullmatch(text):
        raise Malformed("is not a signed token")
    first, second, third = text.split(".")
    if len(first) > _MAX_HEADER_CHARS:
        raise Malformed("has too long a header")
    decoded(third)
    header, claims = read_object(decoded(first)), read_object(decoded(second))
    if not set(header) <= set(members):
        raise Malformed("has a header member that is not allowed")
    if header.get("typ") != typ:
        raise Malformed(f"is not of type {typ}")
    if not isinstance(header.get("alg"), str) or header["alg"] not in algorithms:
        raise Malformed("is signed with an algorithm that is not allowed")
    return Unverified(text, header, claims)


def verify(token: Unverified, key: "PublicKey") -> None:
    """Check the signature with a key whose own algorithm it must be. Raises Malformed."""
    if token.header["alg"] not in key.algorithms:
        raise Malformed("is signed with another algorithm than its key's")
    try:
        jws.deserialize_compact(token.text, key.key, registry=_registry)
    except (JoseError, ValueError, TypeError):
        raise Malformed("has a signature that does not verify") from None


def sign(header: Mapping[str, Any], claims: Mapping[str, Any], key: jwk.Key) -> str:
    """Sign claims as a compact JWS."""
    payload = json.dumps(claims, separators=(",", ":")).encode("ascii")
    return jws.serialize_compact(dict(header), payload, key, registry=_registry)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key that is fit for signatures, with the names of its only algorithm."""

    key: jwk.Key = field(repr=False)
    algorithms: tuple[str, ...]

    @property
    def thumbprint(self) -> str:
        """The thumbprint of RFC 7638 with SHA-256."""
        return self.key.thumbprint()


def read_public_key(value: object) -> PublicKey:
    """Read a JWK: P-256, Ed25519, or RSA of 2048 to 4096 bits, public, and not set aside for anything but signatures.

    Raises Malformed.
    """
    if not isinstance(value, dict) or _PRIVATE & set(value):
        raise Malformed("is not a public key")
    shape = (value.get("kty"), value.get("crv"))
    if shape == ("EC", "P-256"):
        algorithms: tuple[str, ...] = ("ES256",)
    elif shape == ("OKP", "Ed25519"):
        algorithms = ("EdDSA", "Ed25519")
    elif shape == ("RSA", None) and _is_fit_rsa(value):
        algorithms = ("RS256",)
    else:
        raise Malformed("is a key of a kind that is not allowed")
    operations = value.get("key_ops", ["verify"])
    if value.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        raise Malformed("is a key for something else")
    if value.get("alg", algorithms[0]) not in algorithms:
        raise Malformed("is a key for another algorithm")
    needed = {name: value[name] for name in PUBLIC_MEMBERS if isinstance(value.get(name), str)}
    try:
        key = jwk.import_key(needed)
        key.get_op_key("verify")
    except (JoseError, ValueError, TypeError, KeyError):
        raise Malformed("is not a key") from None
    return PublicKey(key, algorithms)


def _is_fit_rsa(value: Mapping[str, Any]) -> bool:
    modulus, exponent = value.get("n"), value.get("e")
    if not isinstance(modulus, str) or not isinstance(exponent, str) or len(exponent) > _MAX_EXPONENT_CHARS:
        return False
    return _RSA_BITS[0] <= int.from_bytes(decoded(modulus)).bit_length() <= _RSA_BITS[1]
