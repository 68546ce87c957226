"""A decision is answered only after its record is durable: the records of all who wait are committed together (group commit).

One thread a process takes whatever is queued when it becomes free, asks the fence which policy revisions are current, and
writes the batch in one transaction: one fsync for all who wait, and nobody waits for a batch to fill. A second thread keeps the
deadlines, because the first may hang in the database. Nothing is written after its caller was told that it was not.
"""

import asyncio
import atexit
import logging
import os
import secrets
import threading
import time
import weakref
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import DataError, IntegrityError, InterfaceError, OperationalError, connection, transaction

from agentiam.kit.measures import measures
from audit import services, store
from audit.encoding import Draft, Head
from audit.events import event_type
from audit.submissions import (
    RECORDED,
    Outcome,
    Plan,
    Recorded,
    RecordUnavailable,
    Result,
    Stale,
    Submission,
    answer,
    deliver,
    staleness,
)

__all__ = ["Draft", "Fence", "GroupCommitWriter", "Outcome", "RecordUnavailable", "Recorded", "Stale", "get_writer"]

log = logging.getLogger(__name__)

_WAITING: Final = measures.gauge("audit_queue_records")
_BATCHES: Final = measures.histogram("audit_batch_records", (1, 2, 5, 10, 20, 50, 100, 200, 500))
_RECORDED: Final = {effect: measures.counter("decisions", effect=effect) for effect in ("allow", "deny", "escalate")}
_UNRECORDED: Final = measures.counter("decisions_unrecorded")

Fence = Callable[[Any, set[UUID]], dict[UUID, int]]


class _GivenUp(Exception):
    """The deadline of one of the batch passed before the commit: the batch is rolled back and the rest written again."""


class GroupCommitWriter:
    """Writes decision records in batches, one transaction each; its threads start with the first submission.

    At most ``queue_limit`` drafts wait; the next is refused at once. A submission that is not committed ``deadline_seconds``
    after it was made ends in RecordUnavailable. Checkpoints are signed every ``checkpoint_seconds`` where something was
    recorded; None: never.
    """

    def __init__(
        self,
        *,
        queue_limit: int = 20_000,
        batch_limit: int = 500,
        deadline_seconds: float = 10.0,
        checkpoint_seconds: float | None = 10.0,
    ) -> None:
        self._queue_limit = queue_limit
        self._batch_limit = batch_limit
        self._deadline_seconds = deadline_seconds
        self._checkpoint_seconds = checkpoint_seconds
        self._fence: Fence | None = None
        self._reset()
        _reset_after_fork(self)

    def _reset(self) -> None:
        """Begin with nothing.

        At first, and in the child of a fork, where the parent's threads, locks and callers do not exist.
        """
        self._chain_writer = f"decisions-{secrets.token_hex(8)}"
        self._ready = threading.Condition(threading.Lock())
        self._queue: deque[Submission] = deque()
        self._queued_drafts = 0
        self._writing: Sequence[Submission] = ()
        self._committing = False
        self._idle = False
        self._closing = False
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._heads: dict[UUID, Head] = {}
        self._due: deque[UUID] = deque()
        self._next_checkpoint = float("inf")

    def install_fence(self, fence: Fence | None) -> None:
        """Ask this, inside each transaction, for the current policy revision of each organization; None: everything is current.

        It gets a cursor and the organizations' ids. To keep a policy change from committing between the question and the commit
        on PostgreSQL, it must lock the rows it reads (``FOR SHARE``); SQLite's transactions exclude each other anyway.
        """
        self._fence = fence

    def submit(self, drafts: Sequence[Draft], *, deadline_seconds: float | None = None) -> "Future[Outcome]":
        """Queue drafts that are recorded together or not at all. Raises UnknownEventType.

        The future ends in Recorded, Stale or RecordUnavailable. Cancelling it takes nothing back.
        """
        future: Future[Outcome] = Future()
        self._enqueue(Submission(drafts, self._expiry(deadline_seconds), future, None))
        return future

    def submit_soon(
        self, loop: asyncio.AbstractEventLoop, drafts: Sequence[Draft], *, deadline_seconds: float | None = None
    ) -> "asyncio.Future[Outcome]":
        """Queue drafts from an event loop, as submit does; the loop is entered once for all of a batch that wait in it."""
        future: asyncio.Future[Outcome] = loop.create_future()
        self._enqueue(Submission(drafts, self._expiry(deadline_seconds), future, loop))
        return future

    def start(self) -> None:
        """Start the threads now, so that checkpoints are signed although no decision was asked for yet."""
        with self._ready:
            self._start()

    def stop(self, *, timeout_seconds: float = 30.0) -> None:
        """Write what is queued, sign checkpoints and end the threads; what the database does not take in time is refused."""
        thread = self._thread
        if thread is None:
            return
        with self._ready:
            self._closing = True
            self._ready.notify()
        thread.join(timeout_seconds)
        self._stopped.set()
        if thread.is_alive():
            self._expire(float("inf"))
            log.error("the record writer hangs in the database and was left behind")
        else:
            self._reset()

    def _expiry(self, deadline_seconds: float | None) -> float:
        return time.monotonic() + (self._deadline_seconds if deadline_seconds is None else deadline_seconds)

    def _start(self) -> None:
        if self._thread is None:
            if self._checkpoint_seconds is not None:
                self._next_checkpoint = time.monotonic() + self._checkpoint_seconds
            self._thread = threading.Thread(target=self._run, name="audit-writer", daemon=True)
            self._thread.start()
            threading.Thread(target=self._watch, args=(self._stopped,), name="audit-deadlines", daemon=True).start()

    def _enqueue(self, submission: Submission) -> None:
        for draft in submission.drafts:
            event_type(draft.type)
        size = len(submission.drafts)
        with self._ready:
            if self._closing:
                problem = "records are not taken while the writer stops"
            elif self._queued_drafts + size > self._queue_limit:
                problem = f"more than {self._queue_limit} records are waiting"
            else:
                self._queue.append(submission)
                self._queued_drafts += size
                _WAITING.set(self._queued_drafts)
                if self._idle:
                    self._idle = False
                    self._ready.notify()
                elif self._thread is None:
                    self._start()
                return
        answer([(submission, RecordUnavailable(problem))])

    def _run(self) -> None:
        try:
            while (batch := self._next_batch()) is not None:
                if batch:
                    self._write(batch)
                self._checkpoint_step()
            if self._checkpoint_seconds is not None:
                self._next_checkpoint = 0.0
                self._checkpoint_step()
                while self._due:
                    self._checkpoint_step()
        finally:
            connection.close()

    def _next_batch(self) -> list[Submission] | None:
        """Wait for submissions; an empty list when there is only a checkpoint to sign, None when there will be no more."""
        with self._ready:
            while not self._queue:
                if self._closing:
                    return None
                wait = self._next_checkpoint - time.monotonic()
                if wait <= 0 or self._due:
                    return []
                self._idle = True
                self._ready.wait(min(wait, threading.TIMEOUT_MAX))
                self._idle = False
            batch: list[Submission] = []
            size = 0
            while self._queue and (not batch or size + len(self._queue[0].drafts) <= self._batch_limit):
                submission = self._queue.popleft()
                size += len(submission.drafts)
                if not submission.settled:
                    batch.append(submission)
            self._queued_drafts -= size
            _WAITING.set(self._queued_drafts)
            self._writing = batch
            return batch

    def _write(self, batch: Sequence[Submission]) -> None:
        """Commit a batch; on failure try once more: on a new connection, and each alone if the data was at fault."""
        error = self._attempt(batch)
        if error is None:
            return
        at_fault = isinstance(error, (IntegrityError, DataError, store.ChainMoved))
        for part in [[submission] for submission in batch] if at_fault else [batch]:
            failure = self._attempt(part)
            if failure is not None:
                self._fail(part, failure)

    def _attempt(self, batch: Sequence[Submission]) -> Exception | None:
        """Commit a batch in one transaction, or return why nothing of it can be said to be written."""
        while True:
            with self._ready:
                batch = [submission for submission in batch if not submission.settled]
            if not batch:
                return None
            try:
                plan = self._commit(batch)
            except _GivenUp:
                self._heads.clear()
                continue
            except Exception as error:  # noqa: BLE001 (the thread must outlive whatever happens, and every caller hear of it)
                log.warning("%d submissions were not recorded: %s", len(batch), error)
                if self._committing:
                    self._fail(batch, error)
                self._forget()
                return error
            self._heads.update(plan.heads)
            _count(plan)
            self._settle(plan.results)
            return None

    def _commit(self, batch: Sequence[Submission]) -> Plan:
        with transaction.atomic(durable=True):
            batch_organizations = {draft.organization_id for submission in batch for draft in submission.drafts}
            current = None
            if self._fence is not None:
                partners = {each for submission in batch for draft in submission.drafts for each in draft.partner_fences}
                with connection.cursor() as cursor:
                    current = self._fence(cursor, batch_organizations | partners)
            for organization in batch_organizations.difference(self._heads):
                # What this transaction opens, its rollback takes away: whoever catches one forgets the heads.
                self._heads[organization] = store.locked_head(organization, self._chain_writer, now=datetime.now(UTC))
            plan = Plan(self._heads)
            for submission in batch:
                stale = None if current is None else staleness(submission, current)
                if stale is None:
                    plan.add(submission)
                else:
                    plan.results.append((submission, stale))
            if plan.rows:
                store.insert_rows(plan.rows)
                store.move_heads((head, plan.former[organization]) for organization, head in plan.heads.items())
            with self._ready:
                if any(submission.settled for submission in batch):
                    raise _GivenUp
                self._committing = True
        return plan

    def _forget(self) -> None:
        """Drop what is believed of the database: the heads are read anew, on a new connection."""
        self._heads.clear()
        try:
            connection.close()
        except Exception as error:  # noqa: BLE001 (a broken connection may break in any way while it is closed)
            log.debug("the broken connection did not close: %s", error)

    def _settle(self, results: Sequence[Result]) -> None:
        with self._ready:
            late = [submission for submission, outcome in results if submission.settled and outcome is RECORDED]
            fresh = [result for result in results if not result[0].settled]
            for submission, _ in fresh:
                submission.settled = True
            self._committing = False
        for submission in late:
            log.warning("recorded, but after the deadline: %s", ", ".join(str(draft.id) for draft in submission.drafts))
        deliver(fresh)

    def _fail(self, batch: Sequence[Submission], error: Exception) -> None:
        refusal = RecordUnavailable(f"the record could not be written: {error}", perhaps_written=self._committing)
        refusal.__cause__ = error
        with self._ready:
            fresh = [submission for submission in batch if not submission.settled]
            for submission in fresh:
                submission.settled = True
            self._committing = False
        _UNRECORDED.add(len(fresh))
        deliver((submission, refusal) for submission in fresh)

    def _watch(self, stopped: threading.Event) -> None:
        """Refuse what is late. It is written later only if its commit was under way, and then the refusal says so."""
        while not stopped.wait(min(0.25, self._deadline_seconds / 4)):
            self._expire(time.monotonic())

    def _expire(self, now: float) -> None:
        results: list[Result] = []
        with self._ready:
            for submissions, perhaps in ((self._writing, self._committing), (self._queue, False)):
                for submission in submissions:
                    if not submission.settled and submission.expires_at <= now:
                        submission.settled = True
                        late = RecordUnavailable("the record was not durable in time", perhaps_written=perhaps)
                        results.append((submission, late))
            if results:
                self._queue = deque(submission for submission in self._queue if not submission.settled)
                self._queued_drafts = sum(len(submission.drafts) for submission in self._queue)
                _WAITING.set(self._queued_drafts)
                _UNRECORDED.add(len(results))
        deliver(results)

    def _checkpoint_step(self) -> None:
        """Sign one checkpoint if it is time: one between two batches, so that many do not hold up the decisions."""
        try:
            if not self._due and time.monotonic() >= self._next_checkpoint:
                self._next_checkpoint = time.monotonic() + (self._checkpoint_seconds or 0.0)
                self._due.extend(services.organizations_to_swear())
            if self._due:
                services.sign_checkpoint(self._due.popleft())
        except Exception as error:
            log.exception("a checkpoint could not be signed; the next is due in %s s", self._checkpoint_seconds)
            if isinstance(error, (OperationalError, InterfaceError)):
                # The database is gone for the others as well; one organization's trouble must not keep theirs waiting.
                self._due.clear()
            self._forget()


def _count(plan: Plan) -> None:
    """Count a batch that is durable: each decision once, whoever asked for it and however often it was made anew."""
    if not plan.rows:
        return
    _BATCHES.observe(len(plan.rows))
    for effect, number in Counter(row[12] for row in plan.rows).items():
        if effect in _RECORDED:
            _RECORDED[effect].add(number)


def _reset_after_fork(writer: GroupCommitWriter) -> None:
    """Give the child of a fork a fresh writer before it can use the parent's, without keeping the writer alive."""
    reference = weakref.WeakMethod(writer._reset)  # noqa: SLF001 (it lives here so that it does not keep the writer alive)

    def reset() -> None:
        method = reference()
        if method is not None:
            method()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=reset)


@cache
def get_writer() -> GroupCommitWriter:
    """The one writer of this process; it is stopped when the process ends in order."""
    writer = GroupCommitWriter(checkpoint_seconds=getattr(settings, "AUDIT_CHECKPOINT_SECONDS", 10.0))
    atexit.register(writer.stop)
    return writer
