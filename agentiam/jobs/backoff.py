"""A failed job waits longer each time, and for another time than those that failed with it: backoff with full jitter."""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Final

FIRST: Final = timedelta(seconds=5)
LONGEST: Final = timedelta(minutes=15)
_MOST_DOUBLINGS: Final = 30


def longest_pause(failures: int) -> timedelta:
    """Answer the most that a job waits after so many failures: 5 s, 10 s, 20 s … 15 min."""
    doublings = min(max(failures, 1) - 1, _MOST_DOUBLINGS)
    return min(LONGEST, FIRST * (1 << doublings))


def pause(failures: int, *, chance: Callable[[], float] = random.random) -> timedelta:
    """Choose how long a job waits after so many failures: anything from nothing to ``longest_pause``, evenly.

    Jobs that failed together, on something that was down, then do not come back together. ``chance`` answers from 0 to 1.
    """
    return longest_pause(failures) * chance()
