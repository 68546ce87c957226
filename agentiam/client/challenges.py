"""How a refusal is told: WWW-Authenticate (RFC 6750, RFC 9449 section 7.1, RFC 9728 section 5.1) and a small body."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agentiam.client.errors import NonceNeeded, ProofInvalid, Refused, RequestMalformed

_RETRY_SECONDS: Final = "5"


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An HTTP answer that does not come from the application."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Realm:
    """What the challenges of a resource server say of it."""

    metadata_url: str
    scopes: Sequence[str]
    algorithms: Sequence[str]
    dpop_required: bool = False


def refusal(refused: Refused, realm: Realm, *, needed: Sequence[str] = ()) -> HttpAnswer:
    """Answer somebody who is refused; what is missing is named, what is known of the token is not."""
    scopes = refused.scopes or needed or realm.scopes
    headers = [("WWW-Authenticate", each) for each in challenges(refused, realm, scopes)]
    if refused.nonce:
        headers.append(("DPoP-Nonce", refused.nonce))
    members = {"error": refused.code or "unauthorized", "error_description": refused.description}
    return _answer(refused.status, headers, {name: value for name, value in members.items() if value})


def unavailable() -> HttpAnswer:
    """Answer that nothing can be said now, and nothing is allowed."""
    body = {"error": "temporarily_unavailable", "error_description": "Access cannot be checked now; nothing was allowed."}
    return _answer(503, [("Retry-After", _RETRY_SECONDS)], body)


def challenges(refused: Refused, realm: Realm, scopes: Sequence[str]) -> list[str]:
    """Write one challenge for each way in; the error stands in that of the way that was tried."""
    if refused.code == "access_denied":
        return []
    error = {} if not refused.code else {"error": refused.code, "error_description": refused.description}
    shared = {"resource_metadata": realm.metadata_url, "scope": " ".join(scopes)}
    of_proof = isinstance(refused, ProofInvalid | NonceNeeded)
    found = []
    if not realm.dpop_required:
        # A malformed request is nobody's turn to authenticate, but the challenge says why.
        found.append(_challenge("Bearer", ({} if of_proof else error) | shared))
    if not isinstance(refused, RequestMalformed):
        said = error if of_proof or realm.dpop_required else {}
        found.append(_challenge("DPoP", said | {"algs": " ".join(realm.algorithms)} | shared))
    return found


def _challenge(scheme: str, parameters: dict[str, str]) -> str:
    return f"{scheme} " + ", ".join(f"{name}={quoted(value)}" for name, value in parameters.items() if value)


def quoted(value: str) -> str:
    """Write a quoted string of which nothing can break out (RFC 9110, section 5.6.4)."""
    safe = "".join(each if " " <= each <= "~" and each not in '"\\' else "?" for each in value)
    return f'"{safe}"'


def _answer(status: int, headers: list[tuple[str, str]], body: dict[str, str]) -> HttpAnswer:
    encoded = json.dumps(body).encode("ascii")
    fixed = [("Content-Type", "application/json"), ("Cache-Control", "no-store"), ("Content-Length", str(len(encoded)))]
    return HttpAnswer(status, (*headers, *fixed), encoded)
