"""An agent's life is one table: a state and an event give the next state, and any other pair is refused."""

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from agentiam.kit.errors import IllegalTransition


class State(StrEnum):
    """Where an agent stands; only an active one may do anything."""

    DISCOVERED = "discovered"
    PENDING = "pending"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    RETIRED = "retired"


class Event(StrEnum):
    """What can happen to an agent."""

    REGISTER = "register"
    ACTIVATE = "activate"
    SUSPEND = "suspend"
    RESUME = "resume"
    RETIRE = "retire"


TRANSITIONS: Final = MappingProxyType(
    {
        (State.DISCOVERED, Event.REGISTER): State.PENDING,
        (State.DISCOVERED, Event.RETIRE): State.RETIRED,
        (State.PENDING, Event.ACTIVATE): State.ACTIVE,
        (State.PENDING, Event.RETIRE): State.RETIRED,
        (State.ACTIVE, Event.SUSPEND): State.SUSPENDED,
        (State.ACTIVE, Event.RETIRE): State.RETIRED,
        (State.SUSPENDED, Event.RESUME): State.ACTIVE,
        (State.SUSPENDED, Event.RETIRE): State.RETIRED,
    }
)


_DONE: Final = MappingProxyType(
    {
        Event.REGISTER: "registered",
        Event.ACTIVATE: "activated",
        Event.SUSPEND: "suspended",
        Event.RESUME: "resumed",
        Event.RETIRE: "retired",
    }
)


def next_state(state: State, event: Event) -> State:
    """Look up where an event leads; raises IllegalTransition when the state does not know the event."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        subject = f"{'An' if state is State.ACTIVE else 'A'} {state} agent"
        possible = sorted(_DONE[known] for origin, known in TRANSITIONS if origin is state)
        remedy = f"{subject} can be: {', '.join(possible)}." if possible else f"{subject} stays so."
        raise IllegalTransition(f"{subject} cannot be {_DONE[event]}.", remedy=remedy) from None


def sources(event: Event) -> tuple[State, ...]:
    """List the states from which an event is possible."""
    return tuple(origin for origin, known in TRANSITIONS if known is event)
