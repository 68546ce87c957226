"""The whole product of states and events: what is open can end in four ways, and what has ended stays."""

from itertools import product

import pytest

from agentiam.kit.errors import IllegalTransition
from approvals.lifecycle import TRANSITIONS, Event, State, next_state


@pytest.mark.parametrize(("state", "event"), list(product(State, Event)))
def test_every_pair_of_state_and_event(state: State, event: Event) -> None:
    if state is State.PENDING:
        assert next_state(state, event) is TRANSITIONS[state, event]
        assert next_state(state, event) is not State.PENDING
    else:
        with pytest.raises(IllegalTransition, match=state):
            next_state(state, event)
