"""A request for a person's yes ends once: it is open until one of four things happens, and then stays so."""

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from agentiam.kit.errors import IllegalTransition


class State(StrEnum):
    """Where a request stands, as the Access Request and Approval Profile names it; only an approved one is a yes."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Event(StrEnum):
    """What can happen to a request."""

    APPROVE = "approve"
    DENY = "deny"
    EXPIRE = "expire"
    CANCEL = "cancel"


TRANSITIONS: Final = MappingProxyType(
    {
        (State.PENDING, Event.APPROVE): State.APPROVED,
        (State.PENDING, Event.DENY): State.DENIED,
        (State.PENDING, Event.EXPIRE): State.EXPIRED,
        (State.PENDING, Event.CANCEL): State.CANCELLED,
    }
)


def next_state(state: State, event: Event) -> State:
    """Look up where an event leads; raises IllegalTransition for a request that has ended."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransition(f"The request is {state} already.", remedy="Ask again.") from None
