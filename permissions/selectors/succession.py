"""Who answered for an agent's work, from the first that did it to the last, each with owners and sponsors in time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from directory.models import Agent, Team, User


@dataclass(frozen=True, slots=True)
class Tenure:
    """Who answered for an agent, from when until when; None while it lasts."""

    owner: str
    sponsor: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Successive:
    """One agent in a line of successors, and those who answered for it, in time."""

    agent: Agent
    tenures: tuple[Tenure, ...]


def succession(agent: Agent) -> list[Successive]:
    """List an agent, its predecessor, and so on back to the first; four queries for each."""
    found: list[Successive] = []
    seen: set[UUID] = set()
    current: Agent | None = agent
    while current is not None and current.pk not in seen:
        seen.add(current.pk)
        found.append(Successive(current, _tenures(current)))
        current = current.predecessor
    return found


def succeeded_by(agent: Agent) -> list[Successive]:
    """List those that took an agent's place, those that took theirs, and so on, the nearest first; five queries for each."""
    found: list[Successive] = []
    seen, waiting = {agent.pk}, [agent]
    while waiting:
        following = Agent.objects.filter(predecessor=waiting.pop(0)).order_by("created_at", "pk")
        for successor in [each for each in following if each.pk not in seen]:
            seen.add(successor.pk)
            found.append(Successive(successor, _tenures(successor)))
            waiting.append(successor)
    return found


def _tenures(agent: Agent) -> tuple[Tenure, ...]:
    """Read from the versions who answered when; versions in which nobody changed are one tenure."""
    columns = ("owner_id", "sponsor_id", "sponsor_team_id", "history_date")
    versions: Any = agent.history
    rows = list(versions.order_by("history_date", "history_id").values_list(*columns))
    changes = [row for number, row in enumerate(rows) if number == 0 or row[:3] != rows[number - 1][:3]]
    people = User.objects.in_bulk({key for row in changes for key in row[:2] if key is not None})
    teams = Team.objects.in_bulk({row[2] for row in changes if row[2] is not None})
    ends = [row[3] for row in changes[1:]] + [None]
    return tuple(
        Tenure(
            owner=people[owner].external_id,
            sponsor=people[sponsor].external_id if sponsor else f"team/{teams[team].external_id}",
            since=since,
            until=until,
        )
        for (owner, sponsor, team, since), until in zip(changes, ends, strict=True)
    )
