"""Events for programs and for spreadsheets: one JSON object a line, or one row of CSV (RFC 4180) that no spreadsheet runs."""

import csv
import io
import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from audit.export.reading import ExportedEvent

COLUMNS: Final = (
    "id",
    "at",
    "type",
    "actor_kind",
    "actor_id",
    "actor_label",
    "actor_address",
    "target_type",
    "target_id",
    "target_label",
    "effect",
    "reason",
    "request_id",
    "data",
    "chain",
    "sequence",
    "hash",
)

_encode: Final = msgspec.json.Encoder(order="deterministic").encode
# A spreadsheet takes these for the beginning of a formula, the wide forms too, or skips them and finds one behind.
_FORMULA: Final = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_LONE: Final = re.compile("[\ud800-\udfff]")


def json_text(value: Any) -> bytes:
    """Write JSON; a lone surrogate, which only a changed record can hold, is replaced."""
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return _encode(_without_surrogates(value))


def _without_surrogates(value: Any) -> Any:
    match value:
        case str():
            return _LONE.sub("\ufffd", value)
        case dict():
            return {_without_surrogates(name): _without_surrogates(item) for name, item in value.items()}
        case list():
            return [_without_surrogates(item) for item in value]
    return value


def json_lines(page: Sequence[ExportedEvent]) -> bytes:
    """Write a record a line, with its hash."""
    return b"".join(json_text({**event.record, "hash": event.hash}) + b"\n" for event in page)


def csv_header() -> bytes:
    """Name the columns."""
    return _rows([COLUMNS])


def csv_rows(page: Sequence[ExportedEvent]) -> bytes:
    """Write a row for each event; what was done stands in the column ``data`` as JSON."""
    return _rows([_cells(event) for event in page])


def _cells(event: ExportedEvent) -> list[str]:
    record = event.record
    actor, target = record.get("actor") or {}, record.get("target") or {}
    values = (
        event.id,
        record.get("at", ""),
        record.get("type", ""),
        *(actor.get(name, "") for name in ("kind", "id", "label", "address")),
        *(target.get(name, "") for name in ("type", "id", "label")),
        record.get("effect", ""),
        record.get("reason", ""),
        record.get("request_id", ""),
        json_text(record.get("data", {})).decode("utf-8"),
        event.chain_id,
        event.sequence,
        event.hash,
    )
    return [safe_cell(str(value)) for value in values]


def safe_cell(text: str) -> str:
    """Put an apostrophe before what a spreadsheet would run as a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def _rows(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode("utf-8", "replace")
