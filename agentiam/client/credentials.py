"""How an agent says at the authorization server who it is (RFC 6749 section 2.3.1, RFC 7523 section 2.2)."""

import secrets
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from joserfc import jwk

from agentiam.client.jose import read_public_key, sign
from agentiam.client.keys import basic

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class ClientCredential(Protocol):
    """What is added to a request for a token."""

    @property
    def client_id(self) -> str:
        """The agent's own name at the authorization server."""
        ...

    def add(self, form: MutableMapping[str, str], headers: MutableMapping[str, str], *, issuer: str, now: float) -> None:
        """Add what shows who asks."""
        ...


@dataclass(frozen=True, slots=True)
class ClientSecretBasic:
    """A secret in the Authorization header."""

    client_id: str
    secret: str = field(repr=False)

    def add(self, form: MutableMapping[str, str], headers: MutableMapping[str, str], *, issuer: str, now: float) -> None:
        """Add the header."""
        headers["Authorization"] = basic(self.client_id, self.secret)


@dataclass(frozen=True, slots=True)
class ClientSecretPost:
    """A secret in the form, for where a header is in the way."""

    client_id: str
    secret: str = field(repr=False)

    def add(self, form: MutableMapping[str, str], headers: MutableMapping[str, str], *, issuer: str, now: float) -> None:
        """Add the members of the form."""
        form["client_id"] = self.client_id
        form["client_secret"] = self.secret


class PrivateKeyJwt:
    """A signed assertion for each request, of a key of which the server knows the public part; the best of the three."""

    def __init__(
        self, client_id: str, key: jwk.ECKey | jwk.OKPKey | jwk.RSAKey, *, kid: str = "", lifetime: float = 60.0
    ) -> None:
        if not key.is_private:
            raise ValueError("an assertion is signed with a private key")
        self.client_id = client_id
        self._key, self._kid, self._lifetime = key, kid or key.kid or "", lifetime
        self._algorithm = read_public_key(key.as_dict(private=False)).algorithms[0]

    def __repr__(self) -> str:
        return f"PrivateKeyJwt({self.client_id!r})"

    def add(self, form: MutableMapping[str, str], headers: MutableMapping[str, str], *, issuer: str, now: float) -> None:
        """Add an assertion for this issuer alone, good once and for a minute."""
        header = {"typ": "JWT", "alg": self._algorithm} | ({"kid": self._kid} if self._kid else {})
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": issuer,
            "iat": int(now),
            "exp": int(now + self._lifetime),
            "jti": secrets.token_urlsafe(16),
        }
        form["client_id"] = self.client_id
        form["client_assertion_type"] = ASSERTION_TYPE
        form["client_assertion"] = sign(header, claims, self._key)
