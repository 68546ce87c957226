"""A lease is renewed beside the work, by a thread with a connection of its own, so that work may take as long as it likes."""

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Final, Self

from django.db import connection

from agentiam.jobs import leases
from agentiam.jobs.leases import Lease

log = logging.getLogger(__name__)
_BEATS: Final = 3
_PATIENCE_SECONDS: Final = 30.0
_Asked = tuple[Callable[[], int], "Future[int]"]


class Keeper:
    """Renews one lease while the block runs, and writes for it what must be seen before its transaction ends."""

    def __init__(self, lease: Lease, *, beats: bool) -> None:
        self._lease = lease
        self._every = leases.LEASE.total_seconds() / _BEATS if beats else None
        self._asked: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"lease of {lease.job_id}", daemon=True)

    def __enter__(self) -> Self:
        """Begin to renew."""
        self._lease.elsewhere = self._write
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """Leave the lease to run out."""
        self._lease.elsewhere = None
        self._asked.put(None)
        self._thread.join(_PATIENCE_SECONDS)

    def _write(self, write: Callable[[], int]) -> int:
        answer: Future[int] = Future()
        self._asked.put((write, answer))
        return answer.result(_PATIENCE_SECONDS)

    def _run(self) -> None:
        try:
            while True:
                try:
                    asked = self._asked.get(timeout=self._every)
                except queue.Empty:
                    if not self._beat():
                        return
                    continue
                if asked is None:
                    return
                write, answer = asked
                try:
                    answer.set_result(write())
                except Exception as error:  # noqa: BLE001  (it is raised where the answer is waited for)
                    connection.close()
                    answer.set_exception(error)
        finally:
            connection.close()

    def _beat(self) -> bool:
        """Renew; what the database refuses now it may take at the next beat."""
        try:
            if self._lease.renew():
                return True
        except Exception:
            log.warning("the lease of job %s could not be renewed", self._lease.job_id, exc_info=True)
            connection.close()
            return True
        log.warning("job %s was lost to somebody else, or was cancelled", self._lease.job_id)
        return False
