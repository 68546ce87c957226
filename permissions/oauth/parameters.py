"""The form of a request: every parameter once, but ``resource``; none too long, none that is no text (RFC 6749, 3.2)."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl, unquote_plus

from agentiam.kit.actors import Actor
from permissions.oauth.errors import INVALID_REQUEST, OAuthError, not_the_client
from permissions.oauth.issuers import Issuer

FORM: Final = "application/x-www-form-urlencoded"
MAX_BYTES: Final = 65_536
MAX_PARAMETERS: Final = 50
MAX_VALUE: Final = 20_000
_MANY: Final = frozenset({"resource"})


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of one request; an empty one counts as left out (RFC 6749, section 3.2)."""

    values: Mapping[str, Sequence[str]] = field(repr=False)

    def get(self, name: str) -> str:
        """Answer a parameter's value, empty where it is not there."""
        return next(iter(self.values.get(name, ())), "")

    def all(self, name: str) -> Sequence[str]:
        """Answer all values of a parameter that may be there more than once."""
        return self.values.get(name, ())

    def need(self, name: str) -> str:
        """Answer a parameter's value; raises OAuthError where it is not there."""
        value = self.get(name)
        if not value:
            raise OAuthError(INVALID_REQUEST, f"{name} is required.", cause=f"{name} is missing")
        return value


def parameters_of(text: str) -> Parameters:
    """Read a form or a query; raises OAuthError (invalid_request)."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, encoding="utf-8", errors="strict", max_num_fields=MAX_PARAMETERS)
    except (ValueError, UnicodeDecodeError):
        raise _malformed(f"The parameters are not a form of at most {MAX_PARAMETERS} texts.") from None
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        if name in found and name not in _MANY:
            raise _malformed("A parameter is there twice.")
        if len(value) > MAX_VALUE or "\0" in value:
            raise _malformed("A parameter is too long, or no text.")
        found.setdefault(name, []).append(value)
    return Parameters({name: [each for each in values if each] for name, values in found.items()})


def form_of(body: bytes, content_type: str) -> Parameters:
    """Read the body of a POST; raises OAuthError."""
    if not body and not content_type:
        raise _malformed(f"Nothing was sent: send the parameters as {FORM}.")
    if content_type.partition(";")[0].strip().lower() != FORM:
        raise _malformed(f"Send the parameters as Content-Type: {FORM}.")
    if len(body) > MAX_BYTES:
        raise _malformed(f"The body may have at most {MAX_BYTES} bytes.")
    try:
        return parameters_of(body.decode("ascii"))
    except UnicodeDecodeError:
        raise _malformed("The body is not a form.") from None


def _malformed(description: str) -> OAuthError:
    return OAuthError(INVALID_REQUEST, description, cause="the request is malformed")


@dataclass(frozen=True, slots=True)
class Asking:
    """One request at an endpoint of an issuer: what was sent, from where, and when."""

    issuer: Issuer
    parameters: Parameters
    authorization: str = field(repr=False)
    dpop: str = field(repr=False)
    method: str
    endpoint: str
    address: str
    request_id: str
    now: datetime

    @property
    def url(self) -> str:
        """The address of the endpoint, as clients know it."""
        return self.issuer.endpoint(self.endpoint)

    def by(self, actor: Actor) -> Actor:
        """Name an actor with where the request came from."""
        return Actor(
            kind=actor.kind,
            id=actor.id,
            label=actor.label,
            organization_id=actor.organization_id,
            user_id=actor.user_id,
            address=self.address,
            request_id=self.request_id,
        )


def basic_credentials(authorization: str) -> tuple[str, str] | None:
    """Read HTTP Basic with the form encoding of RFC 6749, section 2.3.1; None for another scheme. Raises OAuthError."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except ValueError:
        raise not_the_client("the Authorization header is malformed") from None
    name, colon, secret = text.partition(":")
    name, secret = unquote_plus(name), unquote_plus(secret)
    if not colon or not name or "\0" in name:
        raise not_the_client("the Authorization header is malformed")
    return name, secret
