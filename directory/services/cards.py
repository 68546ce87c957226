"""What an agent's public card says is written by people, and shown to everybody only once somebody published it."""

from datetime import datetime
from typing import Any

from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Conflict, IllegalTransition
from audit.events import EventType
from directory import events
from directory.cards.document import BadCard, check_written
from directory.lifecycle import State
from directory.models import Agent
from directory.services.reports import conclude, report
from directory.services.revisions import agent_refs
from directory.services.transitions import lock_agent
from directory.services.versions import changes, save_version


class NoCardWritten(Conflict):
    """There is no card to show, or what was written of it is not complete."""


def set_agent_card(*, agent: Agent, card: dict[str, Any], by: Actor, reason: str = "", now: datetime) -> Agent:
    """Write what an agent's card says besides its name and version; a published card says it from now on. Raises BadCard."""
    values = {"card": check_written(card)}
    return _change(events.AGENT_CARD_CHANGED, agent, values, by=by, reason=reason, now=now)


def publish_agent_card(*, agent: Agent, by: Actor, reason: str = "", now: datetime) -> Agent:
    """Show an agent's card to everybody while the agent is active; raises NoCardWritten."""
    return _change(events.AGENT_CARD_PUBLISHED, agent, {"publishes_card": True}, by=by, reason=reason, now=now)


def withdraw_agent_card(*, agent: Agent, by: Actor, reason: str = "", now: datetime) -> Agent:
    """Show an agent's card no more."""
    return _change(events.AGENT_CARD_WITHDRAWN, agent, {"publishes_card": False}, by=by, reason=reason, now=now)


def _change(event: EventType, agent: Agent, values: dict[str, Any], *, by: Actor, reason: str, now: datetime) -> Agent:
    with transaction.atomic():
        current = lock_agent(agent, by=by)
        if current.state == State.RETIRED:
            raise IllegalTransition("A retired agent stays as it is.")
        shown = values.get("publishes_card")
        if shown is not None and current.publishes_card == shown:
            raise IllegalTransition(f"The card is {'published' if shown else 'not published'} already.")
        if shown:
            _require_written(current)
        changed = changes(current, values)
        save_version(current, by=by, reason=reason, now=now, fields=values)
        happened = report(event, current, by=by, reason=reason, now=now, data={"changed": sorted(changed)})
        conclude([happened], touched=agent_refs([current]))
    return current


def _require_written(agent: Agent) -> None:
    try:
        check_written(agent.card)
    except BadCard as error:
        raise NoCardWritten(f"The card of {agent} cannot be shown: {error.message}", remedy="Write its card first.") from None
