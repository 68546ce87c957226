"""One thread of a process looks for what is due and for what the clock asks, and hands it to whoever runs it there."""

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol

from django.db import connection
from django.utils import timezone

from agentiam.jobs import schedule, waking

log = logging.getLogger(__name__)
LOOK_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 30.0


class Runner(Protocol):
    """What due jobs are handed to: threads of this process, or the broker."""

    def start(self) -> None:
        """Make ready."""

    def hand_over(self, *, now: datetime) -> None:
        """Take what is due, as much as there is room for."""

    def stop(self, grace_seconds: float) -> None:
        """End, and give back what is not finished by then."""


class Dispatcher:
    """The thread that looks; several processes may have one, they do not disturb each other."""

    def __init__(self, runner: Runner, *, entries: Sequence[schedule.Entry] | None = None) -> None:
        self._runner = runner
        self._planter = schedule.Planter(schedule.declared() if entries is None else entries)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._runner.start()
        self._thread.start()

    def stop(self, grace_seconds: float) -> None:
        """Hand nothing over any more; let what runs finish within the grace, and give the rest back.

        Nothing happens if it never started.
        """
        until = time.monotonic() + grace_seconds
        self._stopping.set()
        waking.wake()
        if self._thread.ident is not None:
            self._thread.join(grace_seconds)
            self._runner.stop(max(0.0, until - time.monotonic()))

    def _run(self) -> None:
        failures = 0
        try:
            while not self._stopping.is_set():
                try:
                    now = timezone.now()
                    self._planter.plant(now=now)
                    self._runner.hand_over(now=now)
                    failures = 0
                except Exception:
                    # The rows wait; nothing that people do depends on this thread.
                    failures += 1
                    log.warning("jobs could not be handed over", exc_info=True)
                    connection.close()
                waking.wait(min(LOOK_SECONDS * 2 ** min(failures, 8), _LONGEST_PAUSE_SECONDS))
        finally:
            connection.close()


class BesideServer:
    """A dispatcher that starts and ends with a server process."""

    def __init__(self, dispatcher: Dispatcher | None, *, grace_seconds: float) -> None:
        self._dispatcher = dispatcher
        self._grace_seconds = grace_seconds

    async def startup(self) -> None:
        """Begin, if anything is to be run here."""
        if self._dispatcher is not None:
            self._dispatcher.start()

    async def shutdown(self) -> None:
        """End in order."""
        if self._dispatcher is not None:
            await asyncio.to_thread(self._dispatcher.stop, self._grace_seconds)
