"""A client that describes itself (draft-ietf-oauth-client-id-metadata-document): its client id is where its description lies.

The description says who it would like to be; what it may do, it gets from nobody but us. One that nobody registered is noted as
discovered, with the people who have to clear up what it is, and can do nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Conflict
from agentiam.kit.fetching import Document, DocumentCache, Limits, NotFetched, fetch_json, require_fetchable
from agentiam.kit.limits import NotCounted, take
from directory.lifecycle import State
from directory.models import Agent, Organization
from directory.services.agents import AgentKnown, record_discovery
from permissions.models import OAuthClient
from permissions.services.described_clients import follow_description
from permissions.services.notices import security_administrators
from permissions.services.oauth_clients import BadRedirectUri, check_redirect_uris

MAX_URL: Final = 200
MAX_NAME: Final = 200
DISCOVERIES_A_MINUTE: Final = 10
_SEGMENTS: Final = re.compile(r"(^|/)\.{1,2}(/|$)")
_FORBIDDEN: Final = ("client_secret", "client_secret_expires_at")
_METHODS: Final = ("none", "private_key_jwt")


class BadDocument(Conflict):
    """The address leads to no description of a client, or to one that is not its own."""


class NotRegistered(Conflict):
    """Nobody has registered this client yet; that it was seen is noted."""


@dataclass(frozen=True, slots=True)
class Description:
    """What of a description counts."""

    name: str
    redirect_uris: tuple[str, ...]
    public: bool


def is_document_url(client_id: str) -> bool:
    """Tell whether a client id is the address of a description: https, with a path, nothing that could be read in two ways."""
    try:
        require_fetchable(client_id)
        parts = urlsplit(client_id)
    except (NotFetched, ValueError):
        return False
    plain = parts.scheme == "https" and not parts.query and not parts.fragment and "@" not in parts.netloc
    return plain and len(client_id) <= MAX_URL and len(parts.path) > 1 and not _SEGMENTS.search(parts.path)


def client_of_document(*, organization: Organization, url: str, by: Actor, now: datetime) -> tuple[Agent, OAuthClient]:
    """Read a client's description and answer the agent that was registered for it, with the addresses that it names now.

    Raises BadDocument, and NotRegistered after noting a client that nobody knew.
    """
    said = read_description(url, now=now)
    row = OAuthClient.objects.select_related("agent__user").filter(organization=organization, document_url=url).first()
    if row is None:
        row = _discovered(organization, url, said, by=by, now=now)
    elif (list(said.redirect_uris), said.public) != (row.redirect_uris, row.public):
        row = _set(row.agent, url, said, by=by, now=now)
    if row.agent.state in (State.DISCOVERED.value, State.PENDING.value):
        raise NotRegistered(
            f"{said.name} is not registered here. That it was seen is noted.",
            remedy="The security administrators of your organization can register it.",
        )
    return row.agent, row


def read_description(url: str, *, now: datetime) -> Description:
    """Fetch and check a description; raises BadDocument."""
    if not is_document_url(url):
        raise BadDocument("The client id is no address of a client's description.")
    try:
        found = _documents.get(url, now=now.timestamp())
    except NotFetched as error:
        raise BadDocument(f"The client's description cannot be read: {error.reason}.") from None
    return _checked(url, found)


def _checked(url: str, found: Mapping[str, Any]) -> Description:
    if found.get("client_id") != url:
        raise BadDocument("The description is not of the client that is named.")
    if any(name in found for name in _FORBIDDEN):
        raise BadDocument("A description holds no secret.")
    method = found.get("token_endpoint_auth_method", "none")
    if method not in _METHODS:
        raise BadDocument("Such a client proves itself by a key, or not at all.")
    name, uris = found.get("client_name"), found.get("redirect_uris")
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise BadDocument("The description names no client.")
    if not isinstance(uris, list) or not uris or not all(isinstance(each, str) for each in uris):
        raise BadDocument("The description names no redirect_uris.")
    try:
        return Description(name, tuple(check_redirect_uris(uris)), method == "none")
    except BadRedirectUri as error:
        raise BadDocument(error.message) from None


def _discovered(organization: Organization, url: str, said: Description, *, by: Actor, now: datetime) -> OAuthClient:
    """Note a client that nobody registered, once, and not too many a minute."""
    people = sorted(security_administrators(organization.pk).values(), key=lambda person: (person.created_at, str(person.pk)))
    try:
        counted = take(DISCOVERIES_A_MINUTE, "discoveries", str(organization.pk)).allowed
    except NotCounted:
        counted = False
    if not people or not counted:
        raise _not_registered(said)
    try:
        with transaction.atomic():
            agent = record_discovery(
                organization=organization,
                external_id=url,
                name=said.name,
                seen_in="a request for consent",
                owner=people[0],
                sponsor=people[0],
                by=by,
                now=now,
            )
            return _set(agent, url, said, by=by, now=now)
    except AgentKnown:
        known = Agent.objects.get(organization=organization, external_id=url)
        if known.state != State.DISCOVERED:
            # People made it under this name: whether its description counts is for them to say.
            raise _not_registered(said) from None
        return _set(known, url, said, by=by, now=now)


def _not_registered(said: Description) -> NotRegistered:
    return NotRegistered(f"{said.name} is not registered here.", remedy="Ask your organization's security administrators.")


def _set(agent: Agent, url: str, said: Description, *, by: Actor, now: datetime) -> OAuthClient:
    return follow_description(
        agent=agent,
        redirect_uris=said.redirect_uris,
        public=said.public,
        document_url=url,
        by=by,
        reason="as its description says",
        now=now,
    )


def _fetch(url: str) -> Document:
    # A description is on the public network, or in a network that the operator named; never on this machine.
    limits = Limits(allowed_networks=settings.FETCH_NETWORKS, seconds=3.0, max_bytes=10_240, strangers=True)
    return fetch_json(url, limits=limits)


_documents: Final = DocumentCache(_fetch)
