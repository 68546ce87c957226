"""A job that was just added need not wait for the next look: whoever looks in this process is told."""

import os
import threading
from typing import Final


class Bell:
    """Wakes the one who waits."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def renew(self) -> None:
        """Begin anew in a forked process: the lock inside may have been held by a thread that it does not have."""
        self._event = threading.Event()

    def ring(self) -> None:
        """Let the one who waits look at once."""
        self._event.set()

    def wait(self, seconds: float) -> None:
        """Wait until it rings, so long at most."""
        self._event.wait(seconds)
        self._event.clear()


_bell: Final = Bell()
wake: Final = _bell.ring
wait: Final = _bell.wait

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_bell.renew)
