from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentiam.jobs.backoff import FIRST, LONGEST, longest_pause, pause


def test_the_longest_pause_doubles_up_to_a_limit() -> None:
    seconds = [longest_pause(failures).total_seconds() for failures in range(1, 11)]
    assert seconds == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]


@given(failures=st.integers(0, 40_000), chance=st.floats(0, 1))
def test_a_pause_is_anything_up_to_the_longest(failures: int, chance: float) -> None:
    assert timedelta(0) <= pause(failures, chance=lambda: chance) <= longest_pause(failures) <= LONGEST


def test_jobs_that_failed_together_do_not_come_back_together() -> None:
    assert len({pause(8) for _ in range(100)}) > 90


@pytest.mark.parametrize(("chance", "expected"), [(0.0, timedelta(0)), (0.5, FIRST / 2), (1.0, FIRST)])
def test_the_jitter_is_full(chance: float, expected: timedelta) -> None:
    assert pause(1, chance=lambda: chance) == expected
