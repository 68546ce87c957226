"""An agent as an OAuth client: to which addresses people's browsers may be sent back, and whether it has a secret.

Whoever receives what is sent there gets a code, so an address is given like a credential: by whoever manages the agent.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Conflict, Invalid
from audit.services import Change, Target
from directory.models import Agent
from directory.services.reports import conclude
from directory.services.revisions import agent_refs, lock_organization, require_same_organization
from directory.services.versions import save_version
from permissions import events
from permissions.models import Authorization, OAuthClient
from permissions.services.authorizations import end_authorization
from permissions.services.holders import require_unretired
from permissions.services.rows import read_anew, remove

MAX_REDIRECTS: Final = 10
MAX_LENGTH: Final = 2_000
LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})
_LOCAL: Final = LOOPBACK | {"localhost"}
_TEXT: Final = re.compile(r"[\x21\x23-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]+")
_HOST: Final = re.compile(r"[a-z0-9.-]+|[0-9a-f:.]+")
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")


class BadRedirectUri(Invalid):
    """A browser may be sent to https, to a program on the same device, or to an app by a scheme of its own."""

    field = "redirect_uris"


class NotAClient(Conflict):
    """The agent is no OAuth client, or one that describes itself elsewhere."""


def set_oauth_client(
    *,
    agent: Agent,
    redirect_uris: Sequence[str],
    public: bool = False,
    source: OAuthClient.Source = OAuthClient.Source.ADMINISTRATOR,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> OAuthClient:
    """Make an agent a client that may ask people for their consent, or change where their browsers are sent back to.

    Raises BadRedirectUri, RetiredAgent, and NotAClient for one whose own document says so.
    """
    checked = check_redirect_uris(redirect_uris)
    with transaction.atomic():
        organization = lock_organization(agent.organization_id, by=by)
        require_same_organization(organization, agent)
        require_unretired(agent)
        row = OAuthClient.objects.select_for_update(of=("self",)).filter(agent=agent).first()
        if row is not None and row.source == OAuthClient.Source.DOCUMENT:
            raise NotAClient(f"{agent} describes itself at {row.document_url}.", remedy="Change that document.")
        known = row is not None
        row = row or OAuthClient(organization=organization, agent=agent, source=source)
        former = {"redirect_uris": row.redirect_uris, "public": row.public}
        row.redirect_uris, row.public = checked, public
        save_version(row, by=by, reason=reason, now=now)
        data = {"redirect_uris": checked, "public": public, **({"former": former} if known else {})}
        event = events.OAUTH_CLIENT_UPDATED if known else events.OAUTH_CLIENT_REGISTERED
        _conclude(event, row, data, by=by, reason=reason, now=now)
    return row


def remove_oauth_client(*, client: OAuthClient, by: Actor, reason: str = "", now: datetime) -> None:
    """Make an agent a client no more: nobody is asked for consent any longer, and what people agreed to ends."""
    with transaction.atomic():
        lock_organization(client.organization_id, by=by)
        current = read_anew(client, "agent")
        for each in Authorization.objects.filter(agent=current.agent, ended_at__isnull=True).order_by("pk"):
            end_authorization(authorization=each, because=reason or "the agent is a client no more", by=by, now=now)
        data = {"redirect_uris": current.redirect_uris, "public": current.public, "removed": True}
        _conclude(events.OAUTH_CLIENT_UPDATED, current, data, by=by, reason=reason, now=now)
        remove([current], by=by, reason=reason, now=now)


def check_redirect_uris(redirect_uris: Sequence[str]) -> list[str]:
    """Accept 1 to 10 different addresses, each as ``check_redirect_uri``; raises BadRedirectUri."""
    given = list(redirect_uris)
    if not 0 < len(given) <= MAX_REDIRECTS or len(set(given)) != len(given):
        raise BadRedirectUri(f"A client has 1 to {MAX_REDIRECTS} redirect URIs, each once.")
    for each in given:
        check_redirect_uri(each)
    return given


def check_redirect_uri(uri: str) -> SplitResult:
    """Accept https, http on the loopback interface, and a scheme with a dot (RFC 8252, section 7); raises BadRedirectUri."""
    if not isinstance(uri, str) or not 0 < len(uri) <= MAX_LENGTH or not _TEXT.fullmatch(uri):
        raise BadRedirectUri(f"A redirect URI has 1 to {MAX_LENGTH} characters, those of URIs.")
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise BadRedirectUri(f"{uri} is not a URI.") from None
    if "#" in uri:
        raise BadRedirectUri(f"{uri} has a fragment, which no client would get.")
    if "@" in parts.netloc:
        raise BadRedirectUri(f"{uri} names a user.")
    # Of a host nothing else is taken: it becomes part of the header that says where forms may lead.
    if parts.scheme == "https" and host and _HOST.fullmatch(host):
        return parts
    if parts.scheme == "http" and host in _LOCAL:
        return parts
    if _SCHEME.fullmatch(parts.scheme) and uri.startswith(f"{parts.scheme}:"):
        return parts
    raise BadRedirectUri(
        f"{uri} is not https, nor http on this device, nor an app's own scheme.",
        remedy="An app's own scheme is a domain of its maker's in reverse: com.example.app:/callback.",
    )


def is_loopback(uri: str) -> bool:
    """Tell whether an address is that of a program on the same device, which gets its port only when it runs."""
    parts = urlsplit(uri)
    return parts.scheme == "http" and parts.hostname in LOOPBACK


def _conclude(event: Any, row: OAuthClient, data: dict[str, Any], *, by: Actor, reason: str, now: datetime) -> None:
    change = Change(
        event_type=event,
        organization_id=row.organization_id,
        by=by,
        target=Target(type="agent", id=row.agent.external_id, label=row.agent.name),
        reason=reason,
        data=data,
        at=now,
    )
    conclude([change], touched=agent_refs([row.agent]))
