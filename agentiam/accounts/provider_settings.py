"""Which identity providers people may come from, as the operator says; what cannot be read stops the start and is named."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from agentiam.environment import Unreadable

_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_DOMAIN: Final = re.compile(r"[a-z0-9][a-z0-9.-]*\.[a-z0-9-]+")
_TEXTS: Final = ("id", "name", "organization", "client_id", "client_secret", "issuer", "claim", "matches")
_KNOWN: Final = frozenset({*_TEXTS, "email_domains", "auto_create", "console_roles", "settings"})
MATCHES: Final = ("email", "username", "external_id")
# A provider's administrators do not make ours.
ROLES_OF_THE_CREATED: Final = frozenset({"approver", "owner", "developer"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One identity provider of one organization."""

    id: str
    name: str
    organization: str
    """The slug."""
    client_id: str
    client_secret: str = field(default="", repr=False)
    issuer: str = ""
    claim: str = "email"
    """What the provider says of a person; an address must be one that it has verified."""
    matches: str = "email"
    """What the directory knows of the same person."""
    email_domains: tuple[str, ...] = ()
    auto_create: bool = False
    console_roles: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Further settings of SAML, as django-allauth knows them."""


def providers_from(name: str, text: str, *, needs_issuer: bool) -> tuple[Provider, ...]:
    """Read a JSON list of providers; raises Unreadable, which names the variable and the member, and no value."""
    if not text:
        return ()
    try:
        given = json.loads(text)
    except ValueError:
        raise Unreadable(f"{name} is not JSON.") from None
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise Unreadable(f"{name} is not a list of objects.")
    found = tuple(_provider(name, each, needs_issuer=needs_issuer) for each in given)
    if len({provider.id for provider in found}) < len(found):
        raise Unreadable(f"{name}: two providers have the same id.")
    return found


def oidc_apps(providers: Iterable[Provider]) -> list[dict[str, Any]]:
    """Say for django-allauth which OpenID Connect providers there are."""
    return [
        {
            "provider_id": provider.id,
            "name": provider.name,
            "client_id": provider.client_id,
            "secret": provider.client_secret,
            "settings": {"server_url": provider.issuer, "oauth_pkce_enabled": True},
        }
        for provider in providers
    ]


def saml_apps(providers: Iterable[Provider]) -> list[dict[str, Any]]:
    """Say for django-allauth which SAML providers there are; ``client_id`` is the last part of their addresses."""
    return [
        {
            "provider_id": provider.id,
            "name": provider.name,
            "client_id": provider.client_id,
            "settings": {
                **provider.settings,
                "advanced": {**provider.settings.get("advanced", {}), "reject_idp_initiated_sso": True, "strict": True},
            },
        }
        for provider in providers
    ]


def _provider(name: str, given: dict[str, Any], *, needs_issuer: bool) -> Provider:
    unknown = sorted(given.keys() - _KNOWN)
    if unknown:
        raise Unreadable(f"{name}: {unknown[0]!r} is no member of a provider.")
    needed = ("id", "name", "organization", "client_id", *(("issuer", "client_secret") if needs_issuer else ()))
    for member in _TEXTS:
        if not isinstance(given.get(member, ""), str) or (member in needed and not given.get(member)):
            raise Unreadable(f"{name}: {member} is missing or is not text.")
    if not _ID.fullmatch(given["id"]):
        raise Unreadable(f"{name}: an id is not of small letters, digits and hyphens.")
    if needs_issuer and not _is_issuer(given["issuer"]):
        raise Unreadable(f"{name}: an issuer is not an https address without query and fragment.")
    if given.get("matches", "email") not in MATCHES:
        raise Unreadable(f"{name}: matches is none of: {', '.join(MATCHES)}.")
    if not isinstance(given.get("auto_create", False), bool) or not isinstance(given.get("settings", {}), dict):
        raise Unreadable(f"{name}: auto_create is not true or false, or settings is not an object.")
    domains = _words(name, given, "email_domains")
    if not all(_DOMAIN.fullmatch(domain) for domain in domains):
        raise Unreadable(f"{name}: email_domains are not domains like example.com.")
    roles = _words(name, given, "console_roles")
    if not set(roles) <= ROLES_OF_THE_CREATED:
        raise Unreadable(f"{name}: console_roles are only given from: {', '.join(sorted(ROLES_OF_THE_CREATED))}.")
    return Provider(**{**given, "email_domains": domains, "console_roles": roles})


def _words(name: str, given: dict[str, Any], member: str) -> tuple[str, ...]:
    words = given.get(member, [])
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise Unreadable(f"{name}: {member} is not a list of texts.")
    return tuple(word.lower() for word in words)


def _is_issuer(text: str) -> bool:
    parts = urlsplit(text)
    here = parts.scheme == "http" and parts.hostname in {"localhost", "127.0.0.1"}
    return bool((parts.scheme == "https" or here) and parts.hostname and not parts.query and not parts.fragment)
