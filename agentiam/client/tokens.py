"""What a verified access token says: whose it is, for whom, and who acts (RFC 9068, RFC 8693 section 4.1)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from agentiam.client.errors import ScopeInsufficient, TokenInvalid
from agentiam.client.jose import is_text, number

_SUBJECT: Final = re.compile(r"(?:agent|user)/[^\s]+")
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,256}")
_THUMBPRINT: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_MAX_DETAILS: Final = 64


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token that was verified for this resource; its text is not in its repr."""

    text: str = field(repr=False)
    issuer: str
    subject: str
    """``agent/ID`` or ``user/ID``: whose authority it is."""
    audience: str
    client_id: str
    scopes: frozenset[str]
    actors: tuple[str, ...]
    """Who acts, ``agent/ID`` each; the first acts now, the others acted before it."""
    expires_at: float
    issued_at: float | None = None
    id: str = ""
    run: str = ""
    """The id of the run that the token was issued within; its task is in ``claims``."""
    thumbprint: str = ""
    """Of the key that the token is bound to; empty if it is bound to none."""
    authorization_details: tuple[Mapping[str, Any], ...] = ()
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def agent(self) -> str:
        """The id of the agent that acts, or empty if a person comes without one."""
        acting = self.actors[0] if self.actors else self.subject
        return acting.removeprefix("agent/") if acting.startswith("agent/") else ""

    @property
    def user(self) -> str:
        """The id of the person whose authority it is, or empty."""
        return self.subject.removeprefix("user/") if self.subject.startswith("user/") else ""

    def has(self, *scopes: str) -> bool:
        """Tell whether the token reaches that far."""
        return self.scopes.issuperset(scopes)

    def require(self, *scopes: str) -> None:
        """Refuse a token that does not reach that far. Raises ScopeInsufficient."""
        if not self.has(*scopes):
            raise ScopeInsufficient("the token does not have the scope that this needs", scopes=scopes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a token's claims are held against."""

    issuer: str
    audience: str
    now: float
    skew: float
    max_actors: int
    max_scopes: int


def read_claims(claims: Mapping[str, Any], expected: Expected, *, text: str, introspected: bool = False) -> AccessToken:
    """Check every claim that the token's meaning rests on, its type included. Raises TokenInvalid.

    Of an introspected token the server need not say ``iat`` and ``jti`` (RFC 7662, section 2.2).
    """
    if claims.get("iss") != expected.issuer:
        raise TokenInvalid("the token is of another issuer")
    if claims.get("aud") != expected.audience:
        raise TokenInvalid("the token is for another resource")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not is_text(subject) or not _SUBJECT.fullmatch(subject):
        raise TokenInvalid("the token's sub is not agent/ID or user/ID")
    needed = ("client_id",) if introspected else ("client_id", "jti")
    for name in ("client_id", "jti"):
        if (name in claims or name in needed) and not is_text(claims.get(name)):
            raise TokenInvalid(f"the token's {name} is missing or not a text")
    expires_at, issued_at = _times(claims, expected, introspected=introspected)
    return AccessToken(
        text=text,
        issuer=expected.issuer,
        subject=subject,
        audience=expected.audience,
        client_id=claims["client_id"],
        scopes=_scopes(claims, expected.max_scopes),
        actors=_actors(claims, expected),
        expires_at=expires_at,
        issued_at=issued_at,
        id=claims.get("jti", ""),
        run=_run(claims),
        thumbprint=_thumbprint(claims),
        authorization_details=_details(claims),
        claims=dict(claims),
    )


def _times(claims: Mapping[str, Any], expected: Expected, *, introspected: bool) -> tuple[float, float | None]:
    found = {name: number(claims[name]) for name in ("exp", "iat", "nbf") if name in claims}
    if None in found.values() or "exp" not in found or ("iat" not in found and not introspected):
        raise TokenInvalid("a time of the token is missing or not a number")
    expires_at, issued_at, not_before = found["exp"], found.get("iat"), found.get("nbf")
    if expires_at is None or expires_at + expected.skew <= expected.now:
        raise TokenInvalid("the token has expired")
    if any(time is not None and time - expected.skew > expected.now for time in (issued_at, not_before)):
        raise TokenInvalid("the token is not valid yet")
    if issued_at is not None and issued_at >= expires_at:
        raise TokenInvalid("the token ends before it begins")
    return expires_at, issued_at


def _scopes(claims: Mapping[str, Any], most: int) -> frozenset[str]:
    value = claims.get("scope", "")
    if not isinstance(value, str):
        raise TokenInvalid("the token's scope is not a text")
    names = value.split(" ") if value else []
    if len(names) > most or not all(_SCOPE.fullmatch(name) for name in names):
        raise TokenInvalid("the token's scope is not a list of scopes, or too long")
    return frozenset(names)


def _actors(claims: Mapping[str, Any], expected: Expected) -> tuple[str, ...]:
    found: list[str] = []
    holder: Mapping[str, Any] = claims
    while "act" in holder:
        act = holder["act"]
        if not isinstance(act, dict) or len(found) >= expected.max_actors:
            raise TokenInvalid(f"the token's act is not an actor, or there are more than {expected.max_actors}")
        sub = act.get("sub")
        if not isinstance(sub, str) or not is_text(sub) or not _SUBJECT.fullmatch(sub) or not sub.startswith("agent/"):
            raise TokenInvalid("an actor of the token is not agent/ID")
        if act.get("iss", expected.issuer) != expected.issuer:
            raise TokenInvalid("an actor of the token is of another issuer")
        if act.get("sub_profile", "ai_agent") != "ai_agent":
            raise TokenInvalid("an actor of the token is not an agent")
        found.append(sub)
        holder = act
    return tuple(found)


def _run(claims: Mapping[str, Any]) -> str:
    if "run" not in claims:
        return ""
    run = claims["run"]
    found = run.get("id") if isinstance(run, dict) else run
    if not isinstance(found, str) or not is_text(found):
        raise TokenInvalid("the token's run has no id")
    return found


def _thumbprint(claims: Mapping[str, Any]) -> str:
    """Read what the token is bound to; a way of binding that is not known here is not passed over."""
    if "cnf" not in claims:
        return ""
    cnf = claims["cnf"]
    if not isinstance(cnf, dict) or set(cnf) != {"jkt"}:
        raise TokenInvalid("the token is bound to its holder in a way that is not known here")
    jkt = cnf["jkt"]
    if not isinstance(jkt, str) or not _THUMBPRINT.fullmatch(jkt):
        raise TokenInvalid("the token's cnf.jkt is not a thumbprint")
    return jkt


def _details(claims: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    value = claims.get("authorization_details", [])
    if not isinstance(value, list) or len(value) > _MAX_DETAILS:
        raise TokenInvalid("the token's authorization_details are not a list, or too many")
    if not all(isinstance(each, dict) and is_text(each.get("type")) for each in value):
        raise TokenInvalid("the token's authorization_details are not objects with a type")
    return tuple(value)
