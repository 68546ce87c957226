"""An export is recorded before its first byte leaves; if that cannot be recorded, nothing leaves.

That it was given out to its end is recorded before it ends, with the count and the last id. What fails on the way, or cannot be
recorded, raises: whoever passes the bytes on breaks off, so that no part is taken for the whole.
What it holds is settled at that moment: read by its ids in one direction, so that whoever goes on after the last id that they
have gets exactly the rest.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from itertools import chain
from typing import Any, Final
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import transaction

from agentiam.kit.actors import Actor
from audit import events, services
from audit.export.cef import cef_lines
from audit.export.filters import Filters
from audit.export.ocsf.classes import Schema
from audit.export.ocsf.events import ocsf_lines
from audit.export.plain import csv_header, csv_rows, json_lines
from audit.export.reading import ExportedEvent, last_settled_id, pages


class Format(StrEnum):
    """In which form events leave; ``ocsf`` is OCSF 1.9 as it is developed, ``ocsf-1.8`` the stable version."""

    JSONL = "jsonl"
    CSV = "csv"
    OCSF = "ocsf"
    OCSF_STABLE = "ocsf-1.8"
    CEF = "cef"


@dataclass(frozen=True, slots=True)
class _Form:
    content_type: str
    suffix: str
    write: Callable[[Sequence[ExportedEvent]], bytes]
    header: Callable[[], bytes] = bytes


_FORMS: Final[Mapping[Format, _Form]] = {
    Format.JSONL: _Form("application/x-ndjson", "jsonl", json_lines),
    Format.CSV: _Form("text/csv; charset=utf-8", "csv", csv_rows, csv_header),
    Format.OCSF: _Form("application/x-ndjson", "ocsf.jsonl", partial(ocsf_lines, schema=Schema.NEXT)),
    Format.OCSF_STABLE: _Form("application/x-ndjson", "ocsf.jsonl", partial(ocsf_lines, schema=Schema.STABLE)),
    Format.CEF: _Form("text/plain; charset=utf-8", "cef", cef_lines),
}

CONTENT_TYPES: Final[Mapping[Format, str]] = {name: form.content_type for name, form in _FORMS.items()}
SUFFIXES: Final[Mapping[Format, str]] = {name: form.suffix for name, form in _FORMS.items()}


class Export(Iterator[bytes]):
    """The bytes of an export, one page of events at a time; ``cursor`` is the id of the last event given out.

    ``id`` is that of the event ``log.exported``. Iterating queries the database; in an event loop iterate over
    ``asynchronously()``.
    """

    def __init__(
        self,
        chunks: Iterator[tuple[bytes, Sequence[ExportedEvent]]],
        *,
        after: UUID | None,
        recorded: UUID,
        conclude: Callable[[dict[str, Any]], None],
    ) -> None:
        self._chunks = chunks
        self._conclude: Callable[[dict[str, Any]], None] | None = conclude
        self.id = recorded
        self.cursor = after
        self.count = 0

    def __iter__(self) -> "Export":
        return self

    def __next__(self) -> bytes:
        try:
            written, page = next(self._chunks)
        except StopIteration:
            self._end()
            raise
        except BaseException:
            # A generator that has failed stops at the next try; that is no end of the export.
            self._conclude = None
            raise
        if page:
            self.cursor = page[-1].id
            self.count += len(page)
        return written

    def _end(self) -> None:
        """Record once that everything was given out."""
        conclude, self._conclude = self._conclude, None
        if conclude is not None:
            last = None if self.cursor is None else str(self.cursor)
            conclude({"export": str(self.id), "count": self.count, "last": last})

    async def asynchronously(self) -> AsyncIterator[bytes]:
        """Give the same to an event loop, each page read in a thread, so that others are answered meanwhile.

        StreamingHttpResponse under ASGI would read a plain iterator to its end, and keep all of it in memory.
        """
        following = sync_to_async(self._following)
        while (written := await following()) is not None:
            yield written

    def _following(self) -> bytes | None:
        return next(self, None)


def export(
    *,
    organization_id: UUID,
    format: Format | str,  # noqa: A002  (what it is)
    filters: Filters | None = None,
    after: UUID | None = None,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> Export:
    """Record that an organization's log is exported, then give it in a format; whoever calls has checked ``export_event``.

    ``after`` is the id of the last event that the receiver has. What is younger than ``reading.SETTLING`` waits for the next
    export. Memory stays that of one page. Raises BadFilter, and ValueError for an unknown format; then nothing is recorded.
    """
    form, chosen = _FORMS[Format(format)], filters or Filters()
    chosen.check()
    settled = last_settled_id(now)
    data: dict[str, Any] = {
        "format": str(Format(format)),
        "filters": chosen.as_json(),
        "after": None if after is None else str(after),
        "before": str(settled),
    }
    with transaction.atomic():
        recorded = services.record(
            events.LOG_EXPORTED, organization_id=organization_id, by=by, reason=reason, data=data, at=now
        )
    linked = Format(format) is Format.OCSF
    read = pages(organization_id, chosen, after=after, settled=settled, linked=linked)
    written = ((form.write(page), page) for page in read)
    # What goes on has its header already: both parts together are the whole.
    header = form.header() if after is None else b""
    start: list[tuple[bytes, Sequence[ExportedEvent]]] = [(header, ())] if header else []
    conclude = partial(_record_end, organization_id, by)
    return Export(chain(start, written), after=after, recorded=recorded.id, conclude=conclude)


def _record_end(organization_id: UUID, by: Actor, data: dict[str, Any]) -> None:
    with transaction.atomic():
        services.record(events.LOG_EXPORT_COMPLETED, organization_id=organization_id, by=by, data=data)
