"""Requests to the token endpoint, whoever carries them out: grants, proofs with the server's nonces, what comes back."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import httpx

from agentiam.client.credentials import ClientCredential
from agentiam.client.documents import KeptDocument
from agentiam.client.dpop import MAX_NONCE, DpopKey
from agentiam.client.errors import TokenRefused, Unavailable
from agentiam.client.jose import is_text, number
from agentiam.client.metadata import ServerMetadata, fetch_server_metadata
from agentiam.client.wire import Answer, Flow

ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  (the name of a kind)
TOKEN_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105  (the name of a grant)
JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
MAX_ISSUED_CHARS: Final = 16_384
METADATA_FRESH_FOR: Final = 3_600.0
METADATA_STALE_FOR: Final = 86_400.0
_MAX_SERVERS: Final = 64


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token that was issued to an agent; no secret is in its repr."""

    access_token: str = field(repr=False)
    token_type: str
    """``Bearer`` or ``DPoP``."""
    resource: str
    scopes: frozenset[str]
    expires_at: float | None = None
    issued_at: float = 0.0
    refresh_token: str = field(default="", repr=False)

    def is_good(self, now: float, *, margin: float) -> bool:
        """Tell whether it can still be sent: not in the last seconds before its end, and of short ones the last quarter."""
        if self.expires_at is None:
            return False
        lifetime = self.expires_at - self.issued_at
        return self.issued_at - margin <= now < self.expires_at - min(margin, lifetime / 4)


def scope_names(scopes: str | Iterable[str]) -> frozenset[str]:
    """Give scopes as a set, however they were named."""
    return frozenset(scopes.split() if isinstance(scopes, str) else scopes)


class NonceMemory:
    """The last nonce of each server, as they come with its answers (RFC 9449, sections 8.2 and 9)."""

    def __init__(self) -> None:
        self._nonces: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, url: str) -> str:
        """Give the last nonce of a URL's server, or empty."""
        with self._lock:
            return self._nonces.get(_origin(url), "")

    def note(self, url: str, headers: httpx.Headers) -> bool:
        """Remember the nonce of an answer; tell whether there was one."""
        nonce = headers.get("dpop-nonce", "")
        if not is_text(nonce, limit=MAX_NONCE) or not nonce.isascii():
            return False
        with self._lock:
            self._nonces[_origin(url)] = nonce
            self._nonces.move_to_end(_origin(url))
            while len(self._nonces) > _MAX_SERVERS:
                self._nonces.popitem(last=False)
        return True


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


class TokenEndpoint:
    """Asks one authorization server for tokens as one client; knows nothing of threads, loops and caches."""

    def __init__(
        self,
        issuer: str,
        credential: ClientCredential,
        *,
        dpop: DpopKey | None,
        clock: Callable[[], float] = time.time,
        allow_http: bool = False,
    ) -> None:
        self._issuer, self._credential, self._dpop, self._clock = issuer, credential, dpop, clock
        self.nonces = NonceMemory()
        self._metadata: KeptDocument[ServerMetadata] = KeptDocument(
            lambda: fetch_server_metadata(issuer, allow_http=allow_http),
            fresh_for=3_600.0,
            stale_for=86_400.0,
            pause=1.0,
            clock=clock,
        )

    def grant(self, form: Mapping[str, str], *, resource: str, scopes: Iterable[str]) -> Flow[IssuedToken]:
        """Ask for a token. Raises TokenRefused with the server's error code, Unavailable."""
        metadata = yield from self._metadata.current()
        asked = dict(form)
        if resource:
            asked["resource"] = resource
        wanted = frozenset(scopes)
        if wanted:
            asked["scope"] = " ".join(sorted(wanted))
        answer = yield from self._post(metadata.endpoint("token_endpoint"), asked, proven=True)
        return self._issued(answer, resource=resource, wanted=wanted)

    def revoke(self, token: str, *, hint: str) -> Flow[None]:
        """Take a token back (RFC 7009). Raises TokenRefused, Unavailable."""
        metadata = yield from self._metadata.current()
        form = {"token": token, "token_type_hint": hint}
        answer = yield from self._post(metadata.endpoint("revocation_endpoint"), form, proven=False)
        if answer.status != 200:
            raise _refusal(answer)

    def _post(self, url: str, form: Mapping[str, str], *, proven: bool) -> Flow[Answer]:
        """Send a form; once more if the server wants its nonce in the proof, with a new proof and a new assertion."""
        answer = yield self._request(url, form, proven=proven)
        if self.nonces.note(url, answer.headers) and proven and self._dpop is not None and _wants_nonce(answer):
            answer = yield self._request(url, form, proven=proven)
            self.nonces.note(url, answer.headers)
        return answer

    def _request(self, url: str, form: Mapping[str, str], *, proven: bool) -> httpx.Request:
        now = self._clock()
        sent, headers = dict(form), {"Accept": "application/json"}
        self._credential.add(sent, headers, issuer=self._issuer, now=now)
        if proven and self._dpop is not None:
            headers["DPoP"] = self._dpop.proof("POST", url, now=now, nonce=self.nonces.of(url))
        return httpx.Request("POST", url, data=sent, headers=headers)

    def _issued(self, answer: Answer, *, resource: str, wanted: frozenset[str]) -> IssuedToken:
        if answer.status != 200:
            raise _refusal(answer)
        body = answer.json_object()
        text, scheme, refresh = body.get("access_token"), body.get("token_type"), body.get("refresh_token", "")
        if not isinstance(text, str) or not is_text(text, limit=MAX_ISSUED_CHARS) or not text.isascii() or " " in text:
            raise Unavailable("the token endpoint issued no token")
        expected = "Bearer" if self._dpop is None else "DPoP"
        if not isinstance(scheme, str) or scheme.lower() != expected.lower():
            # A token that is bound to no key is not what was asked for: whoever finds it can use it.
            raise Unavailable(f"the token endpoint issued a token that is not of type {expected}")
        scope = body.get("scope")
        if (refresh and not is_text(refresh, limit=MAX_ISSUED_CHARS)) or not isinstance(scope, str | None):
            raise Unavailable("the token endpoint's answer is not one")
        now, seconds = self._clock(), number(body.get("expires_in"))
        return IssuedToken(
            access_token=text,
            token_type=expected,
            resource=resource,
            scopes=wanted if scope is None else scope_names(scope),
            expires_at=now + seconds if seconds is not None and seconds > 0 else None,
            issued_at=now,
            refresh_token=refresh,
        )


def _wants_nonce(answer: Answer) -> bool:
    return answer.status in {400, 401} and _refusal(answer).error == "use_dpop_nonce"


def _refusal(answer: Answer) -> TokenRefused:
    """Read why a token was not issued. Raises Unavailable if the answer says nothing of the kind."""
    if answer.status not in {400, 401, 403}:
        raise Unavailable(f"the authorization server answered with {answer.status}")
    body = answer.json_object()
    error, description = body.get("error"), body.get("error_description", "")
    if not is_text(error) or not isinstance(error, str):
        raise Unavailable(f"the authorization server answered with {answer.status} and no error code")
    said = description if isinstance(description, str) and is_text(description) else ""
    return TokenRefused(error, said, status=answer.status)
