"""Time windows are the organization's: a part of a timestamp that is read without a zone is read in the organization's zone.

CEL says UTC. A rule like ``now.getHours() < 18`` is written by somebody who looks at the clock on the wall, and a rule that
is off by an hour or two opens or closes the wrong door; who wants UTC writes ``now.getHours("UTC")``.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from permissions.engine.conditions.clocks import CALENDAR
from permissions.engine.conditions.tree import Field, Node, Op, Quantifier, Reference, Value


def in_zone(node: Node, zone: str) -> Node:
    """Give every reading of a timestamp's part that names no zone this one."""
    if isinstance(node, Quantifier):
        return replace(node, over=in_zone(node.over, zone), body=in_zone(node.body, zone))
    if not isinstance(node, Op):
        return node
    args = tuple(in_zone(each, zone) for each in node.args)
    if node.op in CALENDAR and len(args) == 1 and _is_timestamp(args[0]):
        args = (*args, Value(zone))
    return replace(node, args=args)


def _is_timestamp(node: Node) -> bool:
    """Tell a timestamp from a duration, whose parts have no zone, where the text alone tells."""
    match node:
        case Reference("now", ()) | Field(_, "timestamp") | Op("timestamp", _):
            return True
        case Value(value):
            return isinstance(value, datetime)
        case Op("add", (left, right)):
            return _is_timestamp(left) or _is_timestamp(right)
        case Op("sub", (left, right)):
            return _is_timestamp(left) and _is_duration(right)
    return False


def _is_duration(node: Node) -> bool:
    match node:
        case Field(_, "duration") | Op("duration", _) | Value(timedelta()):
            return True
        case Op("add" | "sub", (left, right)):
            return _is_duration(left) and _is_duration(right)
    return False
