"""The resource server: who comes with which request, by the token alone, and what agentiam says of what they want."""

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import httpx

from agentiam.client import metadata
from agentiam.client.challenges import Realm
from agentiam.client.decisions import Decision, DecisionPoint, question
from agentiam.client.dpop import CheckedProof, ProofRules, check_proof
from agentiam.client.errors import ProofInvalid, TokenInvalid
from agentiam.client.jose import ALGORITHMS, Malformed, PublicKey, Unverified, is_text, read_token, verify
from agentiam.client.keys import ApplicationKey, Issuer, Limits
from agentiam.client.obligations import Obligations
from agentiam.client.presented import Presented, read_presented
from agentiam.client.replay import MemoryReplayGuard, Nonces, ReplayGuard
from agentiam.client.tokens import AccessToken, Expected, read_claims
from agentiam.client.wire import Wire, safe_url

_REFERENCE: Final = re.compile(r"aat_[A-Za-z0-9_-]{16,512}")
_SAME: Final = ("iss", "sub", "aud", "client_id", "jti", "cnf", "act")


class ResourceServer:
    """Verifies the tokens of one resource, from one issuer; for threads and for event loops, one object for all of them.

    ``resource`` is the URL that tokens are for (their ``aud``), ``issuer`` the authorization server: agentiam's address, or
    ``…/o/ORGANIZATION``. ``application`` and ``key`` are this resource server's own at agentiam: for reference tokens and for
    decisions. ``scopes`` are all that there are here; what one request needs is said where it is verified. ``introspect``:
    ``references`` asks about opaque tokens only, ``always`` about every token, so that a revocation holds at once.
    """

    def __init__(
        self,
        resource: str,
        issuer: str,
        *,
        application: str = "",
        key: str = "",
        scopes: Sequence[str] = (),
        algorithms: Sequence[str] = ALGORITHMS,
        introspect: Literal["references", "always"] = "references",
        dpop: Literal["optional", "required"] = "optional",
        nonces: Nonces | None = None,
        replay: ReplayGuard | None = None,
        obligations: Obligations | None = None,
        decisions_url: str = "",
        limits: Limits | None = None,
        name: str = "",
        documentation: str = "",
        allow_http: bool = False,
        client: httpx.Client | None = None,
        async_client: httpx.AsyncClient | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        _check_options(algorithms, introspect, dpop)
        if bool(application) != bool(key) or (introspect == "always" and not key):
            raise ValueError("an application comes with its key, and introspection needs both")
        self.resource = safe_url(resource, allow_http=allow_http)
        self.issuer = safe_url(issuer, allow_http=allow_http)
        self.scopes = tuple(scopes)
        self.limits = limits or Limits()
        self._algorithms, self._always, self._dpop_required = tuple(algorithms), introspect == "always", dpop == "required"
        self._replay, self._clock = replay or MemoryReplayGuard(), clock
        self._proof_rules = ProofRules(skew=self.limits.skew, algorithms=self._algorithms, nonces=nonces)
        self._name, self._documentation = name, documentation
        own = ApplicationKey(application, key) if application else None
        self._wire = Wire(
            timeout=self.limits.timeout, max_bytes=self.limits.max_answer_bytes, client=client, async_client=async_client
        )
        self._issuer = Issuer(issuer, limits=self.limits, clock=clock, wire=self._wire, own=own, allow_http=allow_http)
        url = decisions_url and safe_url(decisions_url, allow_http=allow_http)
        self._decisions = DecisionPoint(issuer, own=own, wire=self._wire, obligations=obligations or Obligations(), url=url)

    def __repr__(self) -> str:
        return f"ResourceServer({self.resource!r}, {self.issuer!r})"

    @property
    def origin(self) -> str:
        """Scheme, host and port under which this resource is known outside; proofs are for addresses of it."""
        parts = urlsplit(self.resource)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def realm(self) -> Realm:
        """What challenges say of this resource."""
        return Realm(
            metadata_url=metadata.protected_resource_metadata_url(self.resource),
            scopes=self.scopes,
            algorithms=self._algorithms,
            dpop_required=self._dpop_required,
        )

    @property
    def metadata_path(self) -> str:
        """The path of this resource's metadata."""
        return urlsplit(self.realm.metadata_url).path

    def metadata(self) -> dict[str, Any]:
        """Give this resource's metadata (RFC 9728)."""
        return metadata.protected_resource_metadata(
            self.resource,
            authorization_servers=[self.issuer],
            scopes=self.scopes,
            algorithms=self._algorithms,
            dpop_required=self._dpop_required,
            name=self._name,
            documentation=self._documentation,
        )

    def verify(self, method: str, url: str, headers: Iterable[tuple[str, str]], *, scopes: Sequence[str] = ()) -> AccessToken:
        """Verify who sends a request. ``url`` is the address as the caller knows it, never one made from a Host header.

        Raises Refused with the status and code for the caller; Unavailable if it cannot be told, which is not a yes.
        """
        presented = read_presented(method, url, headers)
        unverified = self._unverified(presented.token)
        token = None
        if unverified is not None:
            token = self._signed(unverified, self._issuer.key(unverified.header["kid"]))
        if token is None or self._always:
            token = self._introspected(presented, token, self._issuer.introspected(presented.token))
        proof = self._proof(presented, token)
        if proof is not None and not self._replay.first_use(proof.key, until=proof.until, now=self._clock()):
            raise ProofInvalid("the proof was used before")
        token.require(*scopes)
        return token

    async def averify(
        self, method: str, url: str, headers: Iterable[tuple[str, str]], *, scopes: Sequence[str] = ()
    ) -> AccessToken:
        """Do what ``verify`` does, in an event loop."""
        presented = read_presented(method, url, headers)
        unverified = self._unverified(presented.token)
        token = None
        if unverified is not None:
            token = self._signed(unverified, await self._issuer.akey(unverified.header["kid"]))
        if token is None or self._always:
            token = self._introspected(presented, token, await self._issuer.aintrospected(presented.token))
        proof = self._proof(presented, token)
        if proof is not None and not await self._replay.afirst_use(proof.key, until=proof.until, now=self._clock()):
            raise ProofInvalid("the proof was used before")
        token.require(*scopes)
        return token

    def ask(
        self,
        token: AccessToken,
        action: str,
        resource: tuple[str, str],
        *,
        masks: bool = False,
        action_properties: Mapping[str, Any] | None = None,
        resource_properties: Mapping[str, Any] | None = None,
        context: Mapping[str, Any] | None = None,
        fields: Sequence[str] = (),
    ) -> Decision:
        """Ask whether the one who holds this token may do this to an object, given as its type and id.

        ``masks`` says that the caller will pass the object through ``Decision.mask``; without it an answer that asks for
        masking is a no. Never raises for want of an answer: that is a no which says so.
        """
        body = question(
            token,
            action,
            resource,
            action_properties=action_properties,
            resource_properties=resource_properties,
            context=context,
            fields=fields,
        )
        return self._decisions.ask(token, body, masks=masks)

    async def aask(
        self,
        token: AccessToken,
        action: str,
        resource: tuple[str, str],
        *,
        masks: bool = False,
        action_properties: Mapping[str, Any] | None = None,
        resource_properties: Mapping[str, Any] | None = None,
        context: Mapping[str, Any] | None = None,
        fields: Sequence[str] = (),
    ) -> Decision:
        """Do what ``ask`` does, in an event loop."""
        body = question(
            token,
            action,
            resource,
            action_properties=action_properties,
            resource_properties=resource_properties,
            context=context,
            fields=fields,
        )
        return await self._decisions.aask(token, body, masks=masks)

    def close(self) -> None:
        """Close the connections of threads."""
        self._wire.close()

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        await self._wire.aclose()

    def _unverified(self, token: str) -> Unverified | None:
        """Take a signed token apart; of a reference there is nothing to take apart."""
        if _REFERENCE.fullmatch(token):
            return None
        try:
            found = read_token(token, typ="at+jwt", members=("typ", "alg", "kid"), algorithms=self._algorithms)
        except Malformed as error:
            raise TokenInvalid(f"the token {error}") from None
        if not is_text(found.header.get("kid")):
            raise TokenInvalid("the token does not name its key")
        return found

    def _signed(self, token: Unverified, key: PublicKey) -> AccessToken:
        try:
            verify(token, key)
        except Malformed as error:
            raise TokenInvalid(f"the token {error}") from None
        return read_claims(token.claims, self._expected(), text=token.text)

    def _introspected(self, presented: Presented, signed: AccessToken | None, said: Mapping[str, Any]) -> AccessToken:
        """Believe what the issuer says of a reference; of a signed token it may say nothing else than the token does."""
        if signed is None:
            token = read_claims(said, self._expected(), text=presented.token, introspected=True)
            if "token_type" in said and (said["token_type"] == "DPoP") != bool(token.thumbprint):  # noqa: S105  (a scheme)
                raise TokenInvalid("the issuer does not say what the token is bound to")
            return token
        if any(name in said and said[name] != signed.claims.get(name) for name in _SAME):
            raise TokenInvalid("the issuer says something else of the token than it says itself")
        return signed

    def _expected(self) -> Expected:
        return Expected(
            issuer=self.issuer,
            audience=self.resource,
            now=self._clock(),
            skew=self.limits.skew,
            max_actors=self.limits.max_actors,
            max_scopes=self.limits.max_scopes,
        )

    def _proof(self, presented: Presented, token: AccessToken) -> CheckedProof | None:
        """Hold the way a token came against what it is bound to: neither may be more than the other (RFC 9449, section 7.1)."""
        if not token.thumbprint:
            if presented.bound or self._dpop_required:
                raise TokenInvalid("the token is bound to no key")
            return None
        if not presented.bound:
            raise TokenInvalid("the token is bound to a key, and comes without a proof")
        return check_proof(
            presented.proof,
            method=presented.method,
            url=presented.url,
            token=presented.token,
            thumbprint=token.thumbprint,
            rules=self._proof_rules,
            now=self._clock(),
        )


def _check_options(algorithms: Sequence[str], introspect: str, dpop: str) -> None:
    if not algorithms or not set(algorithms) <= set(ALGORITHMS):
        raise ValueError(f"the algorithms are some of {', '.join(ALGORITHMS)}")
    if introspect not in {"references", "always"} or dpop not in {"optional", "required"}:
        raise ValueError("introspect is references or always, dpop is optional or required")
