"""A client that describes itself at an address: the row follows the description, which nobody here can change."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from agentiam.kit.actors import Actor
from audit.services import Change, Target
from directory.models import Agent
from directory.services.reports import conclude
from directory.services.revisions import agent_refs
from directory.services.transitions import lock_agent
from directory.services.versions import save_version
from permissions import events
from permissions.models import OAuthClient
from permissions.services.oauth_clients import NotAClient, check_redirect_uris


def follow_description(
    *,
    agent: Agent,
    document_url: str,
    redirect_uris: Sequence[str],
    public: bool,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> OAuthClient:
    """Note what a client says of itself; raises BadRedirectUri, and NotAClient for one that others here have said it of."""
    checked = check_redirect_uris(redirect_uris)
    with transaction.atomic():
        current = lock_agent(agent, by=by)
        row = OAuthClient.objects.select_for_update(of=("self",)).filter(agent=current).first()
        if row is not None and row.source != OAuthClient.Source.DOCUMENT:
            raise NotAClient(f"{current} is a client by somebody's word here, and not by its description's.")
        event = events.OAUTH_CLIENT_REGISTERED if row is None else events.OAUTH_CLIENT_UPDATED
        row = row or OAuthClient(organization=current.organization, agent=current)
        row.redirect_uris, row.public = checked, public
        row.source, row.document_url = OAuthClient.Source.DOCUMENT, document_url
        save_version(row, by=by, reason=reason, now=now)
        change = Change(
            event_type=event,
            organization_id=current.organization_id,
            by=by,
            target=Target(type="agent", id=current.external_id, label=current.name),
            reason=reason,
            data={"redirect_uris": checked, "public": public, "document": document_url},
            at=now,
        )
        conclude([change], touched=agent_refs([current]))
    return row
