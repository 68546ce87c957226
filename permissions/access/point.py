"""The decision point: answers on the world in memory, and gives the answer only when its record is durable.

The record states the revision that the answer rests on; when the organization has moved on meanwhile the record is refused,
the world is brought up to date, and the whole request is decided anew, the caller's own key and tokens included.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID

import structlog
from django.conf import settings
from django.db import DatabaseError, close_old_connections

from agentiam.kit.problems import Problem
from agentiam.kit.tokens import Peppers, Token
from audit.writer import Draft, RecordUnavailable, Stale, get_writer
from directory.models import CredentialRecord, Scope
from permissions.access.callers import (
    Party,
    Sender,
    party_with_key,
    party_with_token,
    refused_key,
    refused_subject_token,
)
from permissions.access.tokens import Tokens
from permissions.oauth.facts import TokenFacts
from permissions.oauth.presented import (
    Presented,
    check_presented,
    insufficient,
    note_elsewhere,
    refused_token,
    spend_presented,
)
from permissions.selectors.keys import KeyFacts, key_facts
from permissions.services.uses import note_key_use, note_refused_network
from permissions.worlds import Known, Needs, OrganizationGone, fence, worlds_of_process

PATIENCE_SECONDS: Final = 5.0
_KEY: Final = CredentialRecord.Kind.API_KEY.value
_MAX_KEYS: Final = 100_000
_NOTE_EVERY_SECONDS: Final = 60.0
_log = structlog.get_logger(__name__)

_INSUFFICIENT_SCOPE: Final = {"WWW-Authenticate": 'Bearer realm="agentiam", error="insufficient_scope", scope="decide"'}

T = TypeVar("T")


def unavailable(detail: str) -> Problem:
    """Say that no decision can be given now; the caller must treat it as a no."""
    return Problem(503, "decision-unavailable", detail, headers={"Retry-After": "1"})


class Work(Protocol[T]):
    """One request's part of an answer; it may be done several times over."""

    long: bool
    """Whether answering takes long enough to leave the event loop to others."""

    def needs(self, caller: Party, known: Known, now: datetime) -> Needs:
        """Say what must be in the world."""

    def answer(self, known: Known, now: datetime) -> T:
        """Answer on the world."""

    def drafts(self, result: T, caller: Party, known: Known, sender: Sender) -> Sequence[Draft]:
        """Make the records that must be durable before the answer leaves."""


class DecisionPoint:
    """Everything that the decision endpoints of one process share."""

    def __init__(self) -> None:
        self.worlds = worlds_of_process()
        self.writer = get_writer()
        self.writer.install_fence(fence)
        self.peppers = Peppers(settings.CREDENTIAL_PEPPERS)
        self._readers = ThreadPoolExecutor(max_workers=4, thread_name_prefix="worlds")
        # What takes long has threads of its own, so that it is in nobody's way but its own.
        self._long = ThreadPoolExecutor(max_workers=2, thread_name_prefix="searches")
        self._turns: dict[UUID, asyncio.Semaphore] = {}
        self._keys: dict[str, tuple[KeyFacts, int]] = {}
        self._tokens = Tokens(self.worlds)
        self._noted: dict[tuple[str, bool], float] = {}
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

    async def authenticate(self, sender: Sender) -> tuple[Party, Known]:
        """Find who the caller is and the world it asks about; raises a 401 or 403 problem."""
        if isinstance(sender.shown, Presented):
            return await self._by_token(sender, sender.shown)
        facts, known = await self._by_key(sender.shown, sender.address)
        if not sender.subject_token:
            return party_with_key(facts), known
        return party_with_key(facts, (await self._passed_on(sender.subject_token, facts, known)).proven), known

    async def _by_key(self, token: Token, address: str) -> tuple[KeyFacts, Known]:
        remembered = self._remembered(token)
        facts, known = remembered if remembered is not None else await self.in_thread(self._read_key, token)
        credential = facts.credential
        proved = self.peppers.matches(token.secret, credential.digest, credential.pepper)
        now = datetime.now(UTC)
        # A client secret is for getting tokens: as a key it would go round the proof that it may demand.
        if not proved or facts.suspended or credential.kind != _KEY or not credential.live(now):
            raise refused_key()
        if not credential.admits(address):
            self._note(facts, address, now, refused=True)
            raise refused_key()
        if Scope.DECIDE.value not in credential.scopes:
            raise Problem(403, "insufficient-scope", "The key is not for decisions.", headers=_INSUFFICIENT_SCOPE)
        self._note(facts, address, now)
        return facts, known

    async def _by_token(self, sender: Sender, shown: Presented) -> tuple[Party, Known]:
        """Prove an agent by its token for agentiam itself; its DPoP proof is used up once for a request."""
        now = datetime.now(UTC)
        found = self._tokens.remembered(shown.text) or await self.in_thread(self._tokens.read, shown.text, now)
        if found is None or not found[0].own or found[0].proven.fault(now):
            raise refused_token(shown, now=now)
        facts, known = found
        if not sender.proof_spent:
            proof = check_presented(facts, shown, now=now)
            if not facts.admits(sender.address):
                await self.in_thread(partial(note_elsewhere, facts, shown, now=now))
                raise refused_token(shown, now=now)
            if proof is not None:
                await self.in_thread(partial(spend_presented, facts, proof, shown, now=now))
                sender.proof_spent = True
        if Scope.DECIDE.value not in facts.scopes:
            raise insufficient(shown, Scope.DECIDE.value)
        return party_with_token(facts), known

    async def _passed_on(self, text: str, caller: KeyFacts, known: Known) -> TokenFacts:
        """Verify a token that an application was given; one that has ended is taken, and loses in the decision."""
        if caller.kind != "application" or not caller.audience:
            raise refused_subject_token()
        facts = self._tokens.remembered_in(text, known)
        if facts is None:
            facts = await self.in_thread(self._tokens.read_in, text, known, datetime.now(UTC))
        if facts is None or facts.audience != caller.audience:
            raise refused_subject_token()
        return facts

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

    def _note(self, facts: KeyFacts, address: str, now: datetime, *, refused: bool = False) -> None:
        """Note the use of a key, or its use from elsewhere: at most once a minute, and never in the way of the answer."""
        moment = time.monotonic()
        key = facts.credential.public_id, refused
        if moment - self._noted.get(key, -_NOTE_EVERY_SECONDS) < _NOTE_EVERY_SECONDS:
            return
        self._noted[key] = moment
        task = asyncio.ensure_future(self.in_thread(self._write_use, facts, address, now, refused))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _write_use(self, facts: KeyFacts, address: str, now: datetime, refused: bool) -> None:  # noqa: FBT001
        note = note_refused_network if refused else note_key_use
        try:
            note(record=facts.record(), address=address, now=now)
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

    async def _answered(self, work: Work[T], caller: Party, known: Known) -> tuple[T, Known]:
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
