"""The authorization server as a resource server sees it: its metadata, its keys, and what it says of a token."""

import base64
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote_plus

import httpx

from agentiam.client.documents import KeptDocument
from agentiam.client.errors import TokenInvalid, Unavailable
from agentiam.client.jose import Malformed, PublicKey, is_text, read_public_key
from agentiam.client.loops import PerLoop, TaskLocks
from agentiam.client.metadata import ServerMetadata, fetch_server_metadata
from agentiam.client.wire import Flow, Wire

MAX_KEYS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Every bound of a resource server, in seconds where nothing else is said."""

    skew: float = 60.0
    """How far clocks may differ, for the times of tokens and of proofs."""
    timeout: float = 5.0
    """How long one request to agentiam may take."""
    max_answer_bytes: int = 1_048_576
    """How large an answer of agentiam may be."""
    keys_fresh_for: float = 300.0
    """How long metadata and keys are used without asking again."""
    keys_stale_for: float = 3_600.0
    """How long they are used while the authorization server cannot be reached."""
    keys_pause: float = 5.0
    """How much time passes at least between two requests for them, unknown key ids and failures included."""
    max_actors: int = 5
    """How many actors a token may name."""
    max_scopes: int = 256
    """How many scopes a token may have."""


@dataclass(frozen=True, slots=True)
class ApplicationKey:
    """Who the resource server is at agentiam: the slug and the key of its application."""

    application: str
    key: str = field(repr=False)


def basic(name: str, secret: str) -> str:
    """Write an Authorization header of a client's name and secret (RFC 6749, section 2.3.1; RFC 7617)."""
    pair = f"{quote_plus(name)}:{quote_plus(secret)}"
    return "Basic " + base64.b64encode(pair.encode("ascii")).decode("ascii")


def read_keys(document: Mapping[str, Any]) -> dict[str, PublicKey]:
    """Read a key set (RFC 7517, section 5); keys that cannot be used here, or share an id, are left out."""
    values = document.get("keys")
    if not isinstance(values, list) or len(values) > MAX_KEYS:
        raise Unavailable(f"the authorization server's keys are not a list of at most {MAX_KEYS}")
    found: dict[str, PublicKey] = {}
    seen: set[str] = set()
    for value in values:
        kid = value.get("kid") if isinstance(value, dict) else None
        if not isinstance(kid, str) or not is_text(kid):
            continue
        if kid in seen:
            found.pop(kid, None)
            continue
        seen.add(kid)
        try:
            found[kid] = read_public_key(value)
        except Malformed:
            continue
    if not found:
        raise Unavailable("the authorization server has no key that can be used")
    return found


class Issuer:
    """An authorization server's documents, kept; one request at a time for each, whoever waits."""

    def __init__(
        self,
        issuer: str,
        *,
        limits: Limits,
        clock: Callable[[], float],
        wire: Wire,
        own: ApplicationKey | None,
        allow_http: bool,
    ) -> None:
        self.issuer = issuer
        self._wire, self._own, self._allow_http = wire, own, allow_http
        times = {"fresh_for": limits.keys_fresh_for, "stale_for": limits.keys_stale_for, "pause": limits.keys_pause}
        self._metadata = KeptDocument(self._fetch_metadata, clock=clock, **times)
        self._keys = KeptDocument(self._fetch_keys, clock=clock, **times)
        self._lock = threading.Lock()
        self._locks = PerLoop(TaskLocks)

    def key(self, kid: str) -> PublicKey:
        """Find a key by its id; fetch the keys if it is not among those kept. Raises TokenInvalid, Unavailable."""
        keys = self._keys.fresh(holds=lambda known: kid in known)
        if keys is None:
            with self._lock:
                keys = self._wire.run(self._keys.current(holds=lambda known: kid in known))
        return _found(keys, kid)

    async def akey(self, kid: str) -> PublicKey:
        """Do what ``key`` does, in an event loop."""
        keys = self._keys.fresh(holds=lambda known: kid in known)
        if keys is None:
            async with self._locks.get().of("documents"):
                keys = await self._wire.arun(self._keys.current(holds=lambda known: kid in known))
        return _found(keys, kid)

    def introspected(self, token: str) -> dict[str, Any]:
        """Ask what a token is (RFC 7662). Raises TokenInvalid if it is not active, Unavailable."""
        if self._metadata.fresh() is None:
            with self._lock:
                self._wire.run(self._metadata.current())
        return self._wire.run(self._introspect(token))

    async def aintrospected(self, token: str) -> dict[str, Any]:
        """Do what ``introspected`` does, in an event loop."""
        if self._metadata.fresh() is None:
            async with self._locks.get().of("documents"):
                await self._wire.arun(self._metadata.current())
        return await self._wire.arun(self._introspect(token))

    def _fetch_metadata(self) -> Flow[ServerMetadata]:
        return (yield from fetch_server_metadata(self.issuer, allow_http=self._allow_http))

    def _fetch_keys(self) -> Flow[dict[str, PublicKey]]:
        metadata = yield from self._metadata.current()
        answer = yield httpx.Request("GET", metadata.endpoint("jwks_uri"), headers={"Accept": "application/json"})
        if answer.status != 200:
            raise Unavailable(f"the authorization server's keys were answered with {answer.status}")
        if answer.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/jwk-set+json":
            answer.headers["content-type"] = "application/json"
        return read_keys(answer.json_object())

    def _introspect(self, token: str) -> Flow[dict[str, Any]]:
        if self._own is None:
            raise Unavailable("a reference token came, and this resource server has no key of its own to introspect it with")
        metadata = yield from self._metadata.current()
        answer = yield httpx.Request(
            "POST",
            metadata.endpoint("introspection_endpoint"),
            data={"token": token, "token_type_hint": "access_token"},
            headers={"Authorization": basic(self._own.application, self._own.key), "Accept": "application/json"},
        )
        if answer.status != 200:
            # Of ours, not of the caller: our key is wrong, or there is no answer.
            raise Unavailable(f"introspection was answered with {answer.status}")
        found = answer.json_object()
        if found.get("active") is True:
            return found
        if found.get("active") is False:
            raise TokenInvalid("the token is not active")
        raise Unavailable("introspection did not say whether the token is active")


def _found(keys: Mapping[str, PublicKey], kid: str) -> PublicKey:
    key = keys.get(kid)
    if key is None:
        raise TokenInvalid("the token is signed with a key that the issuer does not have")
    return key
