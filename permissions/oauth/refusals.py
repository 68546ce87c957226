"""Refusals that concern a known agent are events with their cause; a flood of them fills counters, and not the log."""

import logging
from typing import Final

from django.db import transaction

from agentiam.kit.actors import Actor, system
from agentiam.kit.measures import measures
from audit.services import Change, Target, record_all
from directory.models import Agent
from permissions import events
from permissions.oauth.clients import ProvenClient, find_agent
from permissions.oauth.errors import OAuthError
from permissions.oauth.parameters import Asking, basic_credentials
from permissions.services.floods import within_a_minute

log = logging.getLogger(__name__)
MOST_A_MINUTE: Final = 20
_REFUSED: Final = measures.counter("tokens_refused")


def note_refusal(asking: Asking, client: ProvenClient | None, error: OAuthError) -> None:
    """Record that an agent, or somebody who named it, was refused."""
    _REFUSED.add()
    agent = client.agent if client is not None else _named(asking)
    if agent is None or not _within_limit(agent):
        log.info("a token request was refused: %s (%s)", error.code, error.cause)
        return
    by: Actor = client.actor(asking) if client is not None else asking.by(system("oauth"))
    with transaction.atomic():
        record_all(
            [
                Change(
                    event_type=events.TOKEN_REFUSED,
                    organization_id=agent.organization_id,
                    by=by,
                    target=Target(type="agent", id=agent.external_id, label=agent.name),
                    reason=error.cause,
                    data={
                        "error": error.code,
                        "endpoint": asking.endpoint,
                        "grant": asking.parameters.get("grant_type")[:100],
                        "proved": client is not None,
                    },
                    at=asking.now,
                )
            ]
        )


def _named(asking: Asking) -> Agent | None:
    name = asking.parameters.get("client_id")
    try:
        basic = basic_credentials(asking.authorization) if asking.authorization else None
    except OAuthError:
        basic = None
    found = find_agent(asking, basic[0] if basic is not None else name) if basic is not None or name else None
    return None if found is None else found[0]


def _within_limit(agent: Agent) -> bool:
    return within_a_minute(f"oauth/refused/{agent.pk}", most=MOST_A_MINUTE)
