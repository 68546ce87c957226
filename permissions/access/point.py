"""The decision point: answers on the world in memory, and gives the answer only when its record is durable.

The record states the revision that the answer rests on; when the organization has moved on meanwhile the record is refused,
the world is brought up to date, and the whole request is decided anew, the caller's own key included.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID

import structlog
from django.conf import settings
from django.db import DatabaseError, close_old_connections

from agentiam.kit.problems import Problem
from agentiam.kit.tokens import MalformedToken, Peppers, Token, split_token
from audit.writer import Draft, RecordUnavailable, Stale, get_writer
from directory.services.credentials import note_use
from permissions.selectors.keys import KeyFacts, key_facts
from permissions.worlds import Known, Needs, OrganizationGone, Worlds, fence

PATIENCE_SECONDS: Final = 5.0
_MAX_KEYS: Final = 100_000
_NOTE_EVERY_SECONDS: Final = 60.0
_log = structlog.get_logger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sender:
    """Where a request came from, and how its sender wants to be known."""

    token: Token
    address: str
    request_id: str


def unavailable(detail: str) -> Problem:
    """Say that no decision can be given now; the caller must treat it as a no."""
    return Problem(503, "decision-unavailable", detail, headers={"Retry-After": "1"})


def unauthorized(detail: str) -> Problem:
    """Say that the caller did not prove who it is, without a word about why a real key failed."""
    return Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": 'Bearer realm="agentiam"'})


def refused_key() -> Problem:
    """Say that a key is not taken: unknown, ended, revoked, from elsewhere, or mistyped, which is not told apart."""
    return unauthorized("The key is not valid here and now.")


class Work(Protocol[T]):
    """One request's part of an answer; it may be done several times over."""

    long: bool
    """Whether answering takes long enough to leave the event loop to others."""

    def needs(self, caller: KeyFacts, known: Known, now: datetime) -> Needs:
        """Say what must be in the world."""

    def answer(self, known: Known, now: datetime) -> T:
        """Answer on the world."""

    def drafts(self, result: T, caller: KeyFacts, known: Known, sender: Sender) -> Sequence[Draft]:
        """Make the records that must be durable before the answer leaves."""


class DecisionPoint:
    """Everything that the decision endpoints of one process share."""

    def __init__(self) -> None:
        self.worlds = Worlds()
        self.writer = get_writer()
        self.writer.install_fence(fence)
        self.peppers = Peppers(settings.CREDENTIAL_PEPPERS)
        self._readers = ThreadPoolExecutor(max_workers=4, thread_name_prefix="worlds")
        # What takes long has threads of its own, so that it is in nobody's way but its own.
        self._long = ThreadPoolExecutor(max_workers=2, thread_name_prefix="searches")
        self._turns: dict[UUID, asyncio.Semaphore] = {}
        self._keys: dict[str, tuple[KeyFacts, int]] = {}
        self._noted: dict[str, float] = {}
        self._background: set[asyncio.Future[Any]] = set()

    async def in_thread(self, work: Callable[..., T], *args: Any, executor: ThreadPoolExecutor | None = None) -> T:
        """Run something that queries the database outside the event loop; a database that fails is a 503."""

        def guarded() -> T:
            close_old_connections()
            return work(*args)

        try:
            return await asyncio.get_running_loop().run_in_executor(executor or self._readers, guarded)
        except DatabaseError as error:
            _log.error("the database did not answer a decision", error=type(error).__name__)
            raise unavailable("The database does not answer.") from None

    async def authenticate(self, sender: Sender) -> tuple[KeyFacts, Known]:
        """Find who the caller is and the world it asks about; raises a 401 problem."""
        token = sender.token
        remembered = self._remembered(token)
        facts, known = remembered if remembered is not None else await self.in_thread(self._read_key, token)
        credential = facts.credential
        proved = self.peppers.matches(token.secret, credential.digest, credential.pepper)
        now = datetime.now(UTC)
        if not proved or facts.suspended or not credential.live(now) or not credential.admits(sender.address):
            raise refused_key()
        self._note(facts, now)
        return facts, known

    def _remembered(self, token: Token) -> tuple[KeyFacts, Known] | None:
        """Give a key that was read at the revision of the world in memory."""
        cached = self._keys.get(token.public_id)
        if cached is None:
            return None
        known = self.worlds.peek(cached[0].organization_id)
        return None if known is None or known.world.revision != cached[1] else (cached[0], known)

    def _read_key(self, token: Token) -> tuple[KeyFacts, Known]:
        """Read a key and its world; the key after the revision, so that it is never older than the revision says."""
        facts = key_facts(token)
        if facts is None:
            raise refused_key()
        try:
            known = self.worlds.current(facts.organization_id)
        except OrganizationGone:
            raise refused_key() from None
        facts = key_facts(token)
        if facts is None:
            raise refused_key()
        if len(self._keys) > _MAX_KEYS:
            self._keys.clear()
        self._keys[token.public_id] = (facts, known.world.revision)
        return facts, known

    def _note(self, facts: KeyFacts, now: datetime) -> None:
        """Note the use of a key, at most once a minute and never in the way of the answer."""
        moment = time.monotonic()
        public_id = facts.credential.public_id
        if moment - self._noted.get(public_id, -_NOTE_EVERY_SECONDS) < _NOTE_EVERY_SECONDS:
            return
        self._noted[public_id] = moment
        task = asyncio.ensure_future(self.in_thread(self._write_use, facts, now))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _write_use(self, facts: KeyFacts, now: datetime) -> None:
        try:
            note_use(credential=facts.record(), now=now)
        except DatabaseError as error:
            _log.warning("the use of a key could not be noted", error=type(error).__name__)

    async def ready(self, known: Known, needs: Needs) -> Known:
        """Read what the questions name, unless it is here already."""
        if known.lacking(needs) is None:
            return known
        return await self.in_thread(self.worlds.with_needs, known, needs)

    async def settle(self, sender: Sender, work_of: Callable[[], Work[T]]) -> T:
        """Authenticate, read what is needed, answer and record; again from the start while the organization moves on.

        ``work_of`` reads the request, after the caller is known: what is wrong with it is told to nobody else.
        """
        work: Work[T] | None = None
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < give_up_at:
            caller, known = await self.authenticate(sender)
            work = work or work_of()
            if work.long:
                # An organization waits for its own, so that it never takes all threads from the others.
                async with self._turns.setdefault(caller.organization_id, asyncio.Semaphore(1)):
                    result, known = await self._answered(work, caller, known)
            else:
                result, known = await self._answered(work, caller, known)
            drafts = work.drafts(result, caller, known, sender)
            if not drafts or not await self._is_stale(drafts):
                return result
            await self.in_thread(self._renew, caller.organization_id)
        raise unavailable("The organization's rules are changing faster than the decision can be made.")

    async def _answered(self, work: Work[T], caller: KeyFacts, known: Known) -> tuple[T, Known]:
        """Answer by the clock as it is now, whatever was waited for before; gives the answer and the world it rests on."""
        now = datetime.now(UTC)
        known = await self.ready(known, work.needs(caller, known, now))
        if work.long:
            return await self.in_thread(work.answer, known, now, executor=self._long), known
        return work.answer(known, now), known

    async def _is_stale(self, drafts: Sequence[Draft]) -> bool:
        try:
            outcome = await self.writer.submit_soon(asyncio.get_running_loop(), drafts)
        except RecordUnavailable:
            raise unavailable("The decision could not be recorded, so it is not given.") from None
        return isinstance(outcome, Stale)

    def _renew(self, organization_id: UUID) -> None:
        try:
            self.worlds.current(organization_id)
        except OrganizationGone:
            raise refused_key() from None

    def close(self) -> None:
        """Stop the readers; the writer is stopped by whoever serves."""
        self._readers.shutdown(wait=True)
        self._long.shutdown(wait=True)


def sender_of(authorization: str, address: str, request_id: str) -> Sender:
    """Read the Authorization header (RFC 6750, section 2.1); raises a 401 problem."""
    scheme, _, text = authorization.partition(" ")
    if scheme.lower() != "bearer" or not text:
        raise unauthorized("Send the key as Authorization: Bearer KEY.")
    try:
        return Sender(split_token(text.strip()), address, request_id)
    except MalformedToken:
        raise refused_key() from None
