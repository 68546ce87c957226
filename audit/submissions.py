"""Who waits for which records, and how each of them is told what became of them."""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, InvalidStateError
from copy import copy
from typing import Final
from uuid import UUID

import msgspec

from agentiam.kit.errors import Refusal
from audit.encoding import Draft, Head, Row, append

log = logging.getLogger(__name__)


class RecordUnavailable(Refusal):
    """The record could not be made durable, so the decision must not be given.

    ``perhaps_written`` is True only if the commit itself was under way when the connection or the deadline broke: then the
    record may exist, of a decision that was not given. In every other case it does not exist and never will.
    """

    def __init__(self, message: str, *, perhaps_written: bool = False) -> None:
        super().__init__(message, remedy="Ask again.")
        self.perhaps_written = perhaps_written


class Recorded(msgspec.Struct, frozen=True):
    """The drafts are durable."""


class Stale(msgspec.Struct, frozen=True):
    """The drafts rest on a policy revision that is not the current one; none was written. -1: the organization is gone."""

    revision: int


Outcome = Recorded | Stale
RECORDED: Final = Recorded()


class Submission:
    """Drafts that are written together or not at all, and the future of the one who waits."""

    __slots__ = ("drafts", "expires_at", "future", "loop", "settled")

    def __init__(
        self,
        drafts: Sequence[Draft],
        expires_at: float,
        future: "Future[Outcome] | asyncio.Future[Outcome]",
        loop: asyncio.AbstractEventLoop | None,
    ) -> None:
        self.drafts = drafts
        self.expires_at = expires_at
        self.future = future
        self.loop = loop
        self.settled = False


Result = tuple[Submission, Outcome | Exception]


def answer(results: Iterable[Result]) -> None:
    """Resolve futures, in the thread they belong to. A future that its owner cancelled stays so; the record stays too."""
    for submission, outcome in results:
        if submission.future.done():
            continue
        try:
            if isinstance(outcome, Exception):
                submission.future.set_exception(outcome)
            else:
                submission.future.set_result(outcome)
        except (InvalidStateError, asyncio.InvalidStateError):
            log.debug("a caller stopped waiting for its record")


def deliver(results: Iterable[Result]) -> None:
    """Hand results over: threads' futures here, each event loop's in one call into that loop."""
    here: list[Result] = []
    loops: dict[asyncio.AbstractEventLoop, list[Result]] = {}
    for result in results:
        loop = result[0].loop
        if loop is None:
            here.append(result)
        else:
            loops.setdefault(loop, []).append(result)
    for loop, theirs in loops.items():
        try:
            loop.call_soon_threadsafe(answer, theirs)
        except RuntimeError:
            log.warning("an event loop closed before %d of its records were answered", len(theirs))
    answer(here)


class Plan:
    """What one transaction writes: rows, the heads they move, and how each submission ends."""

    __slots__ = ("_heads", "former", "heads", "results", "rows")

    def __init__(self, heads: dict[UUID, Head]) -> None:
        self._heads = heads
        self.heads: dict[UUID, Head] = {}
        self.former: dict[UUID, int] = {}
        self.rows: list[Row] = []
        self.results: list[Result] = []

    def add(self, submission: Submission) -> None:
        """Chain a submission's drafts; one that cannot be encoded fails alone and leaves the heads as they were."""
        moved: dict[UUID, Head] = {}
        rows: list[Row] = []
        try:
            for draft in submission.drafts:
                organization = draft.organization_id
                head = moved.get(organization)
                if head is None:
                    head = moved[organization] = copy(self.heads.get(organization) or self._heads[organization])
                rows.append(append(head, draft))
        except Exception as error:  # noqa: BLE001 (whatever is wrong with one caller's data must not fail the others)
            refusal = RecordUnavailable(f"the record cannot be written: {error}")
            refusal.__cause__ = error
            self.results.append((submission, refusal))
            return
        for organization in moved:
            self.former.setdefault(organization, self._heads[organization].sequence)
        self.heads.update(moved)
        self.rows += rows
        self.results.append((submission, RECORDED))


def staleness(submission: Submission, current: dict[UUID, int]) -> Stale | None:
    """The answer to drafts that rest on another policy revision than the current one; None when all are current."""
    for draft in submission.drafts:
        revision = current.get(draft.organization_id, -1)
        if draft.fence != revision or any(current.get(each, -1) != made_on for each, made_on in draft.partner_fences.items()):
            return Stale(revision)
    return None
