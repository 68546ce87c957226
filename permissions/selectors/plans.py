"""The rows that somebody may touch, as a condition that travels: as SQL, or as JSON for whoever holds the rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from agentiam.kit.ids import uuid7
from directory.models import Agent, User
from permissions.answers import reason_for_user
from permissions.engine.conditions import FALSE, Node, to_json
from permissions.engine.effective import access
from permissions.engine.plan import plan
from permissions.engine.types import Decision, Effect, Lost
from permissions.plans.dialects import DialectName
from permissions.plans.sql import to_sql
from permissions.questions import LOOKING, Asked, Entity, Posed, needs, pose
from permissions.worlds import Known, worlds_here


@dataclass(frozen=True, slots=True)
class FieldRows:
    """The rows on which some fields may be read, and those of them on which they must be masked."""

    fields: tuple[str, ...]
    rows: Node
    masked: Node


@dataclass(frozen=True, slots=True)
class RowPlan:
    """A condition on the rows of one type; ``lost`` says what stands in the way where no row meets it."""

    plan_id: UUID
    at: datetime
    revision: int
    type: str
    attributes: Mapping[str, str]
    rows: Node
    fields: tuple[FieldRows, ...]
    lost: Lost | None

    def as_json(self) -> dict[str, Any]:
        """Write it down for the wire; conditions as trees (permissions.engine.conditions.portable)."""
        return {
            "plan_id": str(self.plan_id),
            "planned_at": self.at.isoformat(),
            "revision": self.revision,
            "type": self.type,
            "none": self.rows == FALSE,
            "rows": to_json(self.rows),
            "fields": [
                {"fields": list(each.fields), "rows": to_json(each.rows), "masked": to_json(each.masked)}
                for each in self.fields
            ],
            "lost": None if self.lost is None else {**self.lost._asdict(), "reason_user": _for_the_user(self.lost)},
        }

    def as_sql(self, columns: Mapping[str, str], *, dialect: DialectName) -> dict[str, Any]:
        """Write the condition on the rows for a WHERE clause; no value is in the text.

        ``columns`` maps ``id`` and attributes to columns. Raises Unplannable where the database would select other rows.
        """
        text, params = to_sql(self.rows, columns, dialect=dialect, types={"id": "string", **self.attributes})
        return {"dialect": dialect, "text": text, "params": params}


def row_plan(posed: Posed, known: Known, now: datetime) -> RowPlan:
    """Plan one posed question; what it says of a resource besides its type is not looked at."""
    question, world = posed.question, known.world
    facts = world.types.get(question.type)
    attributes = {} if facts is None or posed.refused is not None else facts.attributes
    if posed.refused is not None:
        return RowPlan(uuid7(), now, world.revision, question.type, attributes, FALSE, (), posed.refused)
    rows, lost = plan(world, question)
    reckoned = access(world, question, left_open=()).fields if lost is None else ()
    fields = tuple(
        FieldRows(names, each.allowed, each.masked)
        for each in reckoned
        if (names := tuple(name for name in each.fields if not question.fields or name in question.fields)) or not each.fields
    )
    return RowPlan(uuid7(), now, world.revision, question.type, attributes, rows, fields, lost)


def plan_access(
    agent: Agent,
    *,
    action: str,
    resource_type: str,
    context: Mapping[str, Any] | None = None,
    action_properties: Mapping[str, Any] | None = None,
    fields: tuple[str, ...] = (),
    acting_for: User | None = None,
    at: datetime,
) -> RowPlan:
    """Look at the rows that an agent would be allowed at an instant, by the rules of now; looking is not recorded.

    Who gives rows away by it asks ``permissions.services.decisions.plan_rows``.
    """
    asked = Asked(
        subject=Entity("agent", agent.external_id),
        action=action,
        resource=Entity(resource_type, ""),
        action_properties=action_properties or {},
        context=context or {},
        fields=fields,
        on_behalf_of=None if acting_for is None else Entity("user", acting_for.external_id),
    )
    worlds = worlds_here()
    known = worlds.current(agent.organization_id)
    posed = pose(asked, LOOKING, known, at)
    return row_plan(posed, worlds.with_needs(known, needs(posed.question)), at)


def _for_the_user(lost: Lost) -> str:
    return reason_for_user(Decision(Effect.DENY, lost))
