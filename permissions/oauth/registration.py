"""A pipeline registers an agent as a client (RFC 7591): the initial access token says from which blueprint, and whose.

The agent is onboarded like any other: its blueprint says which proofs it may have, and who must agree before it does anything.
"""

import json
import re
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Refusal
from agentiam.kit.texts import is_storable
from directory.models import Agent, CredentialRecord, OnboardingToken
from directory.services.agents import AgentKnown, AgentProfile
from directory.services.onboarding import FirstCredential, Onboarded
from directory.services.onboarding_tokens import TokenRefused, onboard_with_token, proven_token
from permissions.models import OAuthClient
from permissions.oauth import codes, exchange, jag, own
from permissions.oauth.errors import OAuthError
from permissions.oauth.issuers import Issuer
from permissions.services.oauth_clients import BadRedirectUri, set_oauth_client

MAX_BYTES: Final = 65_536
MAX_TEXT: Final = 200
INVALID_METADATA: Final = "invalid_client_metadata"
_KINDS: Final[Mapping[str, str]] = {
    "client_secret_basic": CredentialRecord.Kind.CLIENT_SECRET.value,
    "client_secret_post": CredentialRecord.Kind.CLIENT_SECRET.value,
    "private_key_jwt": CredentialRecord.Kind.PUBLIC_KEY.value,
    "none": "",
}
_GRANTS: Final = frozenset({own.GRANT, codes.CODE_GRANT, codes.REFRESH_GRANT, exchange.GRANT, jag.BEARER_GRANT})
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,150}")


def register(
    issuer: Issuer, *, authorization: str, body: bytes, address: str, request_id: str, now: datetime
) -> dict[str, Any]:
    """Onboard an agent and answer with its client information (section 3.2.1); raises OAuthError."""
    token = _initial_access_token(issuer, authorization, address, now)
    given = _metadata(body)
    method = given["token_endpoint_auth_method"]
    if method == "none" and (token.blueprint.credential_methods or not given["redirect_uris"]):
        raise _bad("A client without a secret needs redirect_uris, and a blueprint that names no kinds of credentials.")
    try:
        with transaction.atomic():
            done = _onboard(token, given, address=address, request_id=request_id, now=now)
            if given["redirect_uris"]:
                _make_client(done.agent, given, token, address=address, request_id=request_id, now=now)
    except TokenRefused:
        raise _unauthorized(presented=True) from None
    except BadRedirectUri as error:
        raise OAuthError("invalid_redirect_uri", error.message) from None
    except Refusal as error:
        raise _bad(error.message) from None
    return _information(done, given)


def _initial_access_token(issuer: Issuer, authorization: str, address: str, now: datetime) -> OnboardingToken:
    scheme, _, text = authorization.partition(" ")
    try:
        token = proven_token(text=text.strip() if scheme.lower() == "bearer" else "", address=address, now=now)
    except TokenRefused:
        raise _unauthorized(presented=bool(authorization)) from None
    if token.organization_id != issuer.organization.pk:
        raise _unauthorized(presented=True)
    return token


def _metadata(body: bytes) -> dict[str, Any]:
    """Read client metadata (section 2); what is not known is ignored, what is known must be as it must be."""
    try:
        sent = json.loads(body) if len(body) <= MAX_BYTES else None
        sent = sent if is_storable(sent) else None
    except (ValueError, RecursionError):
        sent = None
    if not isinstance(sent, dict):
        raise _bad(f"Send client metadata as a JSON object of at most {MAX_BYTES} bytes.")
    method = sent.get("token_endpoint_auth_method", "client_secret_basic")
    if not isinstance(method, str) or method not in _KINDS:
        raise _bad(f"token_endpoint_auth_method is one of {', '.join(_KINDS)}.")
    grants = sent.get("grant_types", [codes.CODE_GRANT] if "redirect_uris" in sent else [own.GRANT])
    redirects = sent.get("redirect_uris", [])
    for member, listed in (("grant_types", grants), ("redirect_uris", redirects)):
        if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
            raise _bad(f"{member} is a list of texts.")
    if not set(grants) <= _GRANTS:
        raise _bad("There is no such grant here.")
    if codes.CODE_GRANT in grants and not redirects:
        raise OAuthError("invalid_redirect_uri", "Who gets codes says where: redirect_uris.")
    if "jwks_uri" in sent:
        raise _bad("Send the keys themselves, as jwks.")
    name: Any = sent.get("client_name", sent.get("software_id", ""))
    if not isinstance(name, str) or not 0 < len(name) <= MAX_TEXT or not name.isprintable():
        raise _bad(f"client_name is a text of 1 to {MAX_TEXT} characters.")
    return {
        "client_name": name,
        "token_endpoint_auth_method": method,
        "grant_types": grants,
        "redirect_uris": redirects,
        "response_types": ["code"] if codes.CODE_GRANT in grants else [],
        "jwk": _key(sent, method),
        "software_id": sent.get("software_id") if isinstance(sent.get("software_id"), str) else "",
        "purpose": str(sent.get("purpose") or f"Registered itself as {name}.")[:1_000],
    }


def _key(sent: Mapping[str, Any], method: str) -> dict[str, Any] | None:
    if method != "private_key_jwt":
        return None
    jwks = sent.get("jwks")
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(keys, list) or len(keys) != 1 or not isinstance(keys[0], dict):
        raise _bad("private_key_jwt needs jwks with one key; more are registered later.")
    return dict(keys[0])


def _onboard(token: OnboardingToken, given: dict[str, Any], *, address: str, request_id: str, now: datetime) -> Onboarded:
    kind = _KINDS[given["token_endpoint_auth_method"]]
    credential = FirstCredential(kind=kind, label="registered", jwk=given["jwk"]) if kind else None
    environment = token.environments[0] if token.environments else Agent.Environment.PRODUCTION.value
    return onboard_with_token(
        token=token,
        external_id=_external_id(token, given),
        profile=AgentProfile(name=given["client_name"], purpose=given["purpose"], environment=environment),
        credential=credential,
        address=address,
        request_id=request_id,
        reason="registered as an OAuth client",
        now=now,
    )


def _external_id(token: OnboardingToken, given: Mapping[str, Any]) -> str:
    """Name the agent by its software, or by its name and a few letters that nobody else has."""
    software = str(given["software_id"])
    if _ID.fullmatch(software):
        if Agent.objects.filter(organization=token.organization, external_id=software).exists():
            raise AgentKnown(f"{software} is registered already.")
        return software
    plain = re.sub(r"[^a-z0-9]+", "-", str(given["client_name"]).lower()).strip("-")[:100] or "agent"
    return f"{plain}-{secrets.token_hex(4)}"


def _make_client(
    agent: Agent, given: Mapping[str, Any], token: OnboardingToken, *, address: str, request_id: str, now: datetime
) -> None:
    by = Actor(
        kind="application",
        id=f"onboarding-token/{token.pk}",
        label=token.label or f"onboarding token {token.public_id}",
        organization_id=token.organization_id,
        address=address,
        request_id=request_id,
    )
    set_oauth_client(
        agent=agent,
        redirect_uris=given["redirect_uris"],
        public=not _KINDS[given["token_endpoint_auth_method"]],
        source=OAuthClient.Source.REGISTRATION,
        by=by,
        now=now,
    )


def _information(done: Onboarded, given: Mapping[str, Any]) -> dict[str, Any]:
    told = ("client_name", "token_endpoint_auth_method", "grant_types", "redirect_uris", "response_types")
    found: dict[str, Any] = {
        "client_id": done.agent.external_id,
        "client_id_issued_at": int(done.agent.created_at.timestamp()),
        **{name: given[name] for name in told},
        # Of a pending agent nothing is answered until people have agreed to it.
        "agent_state": done.agent.state,
    }
    if done.token is not None and done.credential is not None:
        found["client_secret"] = done.token.text
        found["client_secret_expires_at"] = int(done.credential.expires_at.timestamp())
    if given["jwk"] is not None:
        found["jwks"] = {"keys": [given["jwk"]]}
    return found


def _bad(description: str) -> OAuthError:
    return OAuthError(INVALID_METADATA, description)


def _unauthorized(*, presented: bool) -> OAuthError:
    """Refuse a registration; who showed no token is told no error code (RFC 6750, section 3.1)."""
    challenge = 'Bearer realm="agentiam"' + (', error="invalid_token"' if presented else "")
    return OAuthError("invalid_token", "Registration needs an initial access token.", 401, {"WWW-Authenticate": challenge})
