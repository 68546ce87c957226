"""The risk of an agent: the weights of the signs of the last day, 100 at most; what a stranger can cause adds little to it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Sum

from directory.models import Agent
from permissions.models import Signal

COUNTS_FOR: Final = timedelta(hours=24)
MOST: Final = 100
MOST_UNPROVEN: Final = 20
"""What all signs together can add that came without anything that only the agent should have."""


@dataclass(frozen=True, slots=True)
class Risk:
    """What the signs about an agent come to, and their kinds in the order of the alphabet."""

    proven: int = 0
    unproven: int = 0
    signs: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """The risk: from 0 to 100."""
        return min(MOST, self.proven + min(MOST_UNPROVEN, self.unproven))


NO_RISK: Final = Risk()


def risks_of(agents: Iterable[UUID], *, at: datetime | None = None) -> dict[UUID, Risk]:
    """Add up the signs about some agents, by agent; without an instant those that count now. One query for all of them.

    Now is what the clock has noted, so that all who decide at one policy revision see the same.
    """
    rows = Signal.objects.filter(agent__in=list(agents))
    rows = rows.counting() if at is None else rows.filter(at__gt=at - COUNTS_FOR, at__lte=at)
    found: dict[UUID, Risk] = {}
    sums = rows.order_by().values_list("agent_id", "sign", "proven").annotate(weight=Sum("weight"))
    for agent, sign, proven, weight in sums:
        so_far = found.get(agent, NO_RISK)
        found[agent] = Risk(
            so_far.proven + (weight if proven else 0),
            so_far.unproven + (0 if proven else weight),
            tuple(sorted({*so_far.signs, sign})),
        )
    return found


def with_ancestors(agents: Iterable[Agent], risks: Mapping[UUID, Risk]) -> dict[UUID, tuple[int, list[str]]]:
    """Answer the risk and the signs that each agent decides with: the worst and all, of its own and of its ancestors'.

    Whoever has a parent's proofs could otherwise leave its risk behind by spawning. The ancestors are among the agents.
    """
    parents = {agent.pk: agent.parent_id for agent in agents}
    found: dict[UUID, tuple[int, list[str]]] = {}
    for pk in parents if risks else ():
        worst, signs = 0, set[str]()
        current: UUID | None = pk
        while current is not None:
            own = risks.get(current, NO_RISK)
            worst, signs = max(worst, own.total), signs | set(own.signs)
            current = parents.get(current)
        found[pk] = worst, sorted(signs)
    return found
