"""Time arithmetic moved to the side of the constant: ``now - created > 1h`` is ``created < now - 1h``.

Databases add times in their own ways; comparing a column with a constant they all do alike. What CEL calls an overflow
stays one: it is said as a range that the column must lie in for the comparison to have an answer.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from permissions.engine.conditions import Field, Node, Op, Value
from permissions.engine.conditions.tree import MIRRORED
from permissions.engine.conditions.values import LONGEST

EARLIEST, LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


class Moved(NamedTuple):
    """A comparison of a column with a moment, answered only between two others; a moment may be an infinite float."""

    op: str
    field: Field
    moment: datetime | float
    earliest: datetime | float
    latest: datetime | float


def moved(op: str, left: Node, right: Node) -> Moved | None:
    """Move time arithmetic to the constant's side; None if the comparison has no such form."""
    if isinstance(left, Value):
        op, left, right = MIRRORED[op], right, left
    match left, right:
        case Op("sub", (Value(datetime() as start), Field() as field)), Value(timedelta() as span):
            return Moved(MIRRORED[op], field, _shifted(start, -span), _shifted(start, -LONGEST), _shifted(start, LONGEST))
        case Op("sub", (Field() as field, Value(datetime() as start))), Value(timedelta() as span):
            return Moved(op, field, _shifted(start, span), _shifted(start, -LONGEST), _shifted(start, LONGEST))
        case Op("add", (Field() as field, Value(timedelta() as span))), Value(datetime() as moment):
            pass
        case Op("add", (Value(timedelta() as span), Field() as field)), Value(datetime() as moment):
            pass
        case Op("sub", (Field() as field, Value(timedelta() as back))), Value(datetime() as moment):
            span = -back
        case _:
            return None
    return Moved(op, field, _shifted(moment, -span), _shifted(EARLIEST, -span), _shifted(LATEST, -span))


def _shifted(moment: Any, span: timedelta) -> datetime | float:
    try:
        return moment + span  # type: ignore[no-any-return]
    except OverflowError:
        return float("inf") if span > timedelta(0) else float("-inf")
