"""Events as Common Event Format lines (CEF:0), each value escaped so that nobody can add a field or a line."""

import ipaddress
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from audit import events
from audit.events import Severity
from audit.export.plain import json_text
from audit.export.product import version
from audit.export.reading import ExportedEvent

_SEVERITIES: Final = {
    Severity.INFORMATIONAL: 1,
    Severity.LOW: 3,
    Severity.MEDIUM: 5,
    Severity.HIGH: 8,
    Severity.CRITICAL: 10,
}
_OUTCOMES: Final = {"allow": "success", "deny": "failure", "escalate": "failure"}
_MOST: Final = {"externalId": 40, "act": 63, "outcome": 63, "cs6": 4000}
_MOST_TEXT: Final = 1023


def header_value(text: str) -> str:
    """Escape a value of the header: backslash and pipe; a line cannot go on in another."""
    return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").splitlines())


def extension_value(text: str) -> str:
    """Escape a value of the extension: backslash, equals sign, and the ends of lines."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").translate(_LINE_ENDS)
    return lines.replace("\\", "\\\\").replace("=", "\\=").replace("\n", "\\n").replace("\0", "")


# What some readers take for the end of a line as well.
_LINE_ENDS: Final = dict.fromkeys(map(ord, "\v\f\x1c\x1d\x1e\x85\u2028\u2029"), "\n")


def cef_lines(page: Sequence[ExportedEvent]) -> bytes:
    """Write a line for each event."""
    return "".join(f"{_line(event)}\n" for event in page).encode("utf-8", "replace")


def _line(event: ExportedEvent) -> str:
    name = str(event.record.get("type", ""))
    label, severity = _known(name)
    header = ("agentiam", "agentiam", version(), name, label, str(_SEVERITIES[severity]))
    extension = " ".join(
        f"{key}={extension_value(value[: _MOST.get(key, _MOST_TEXT)])}" for key, value in _extension(event) if value
    )
    return "CEF:0|" + "|".join(map(header_value, header)) + "|" + extension


def _known(name: str) -> tuple[str, Severity]:
    """Label and severity of a type; one that is not registered any more keeps its name."""
    try:
        found = events.event_type(name)
    except events.UnknownEventType:
        return name, Severity.INFORMATIONAL
    return found.label, found.severity


def _extension(event: ExportedEvent) -> Iterator[tuple[str, str]]:
    record = event.record
    actor, target = record.get("actor") or {}, record.get("target") or {}
    effect = str(record.get("effect", ""))
    yield "rt", str(milliseconds(str(record.get("at", ""))))
    yield "externalId", str(event.id)
    yield "act", effect or str(record.get("type", ""))
    yield "outcome", _OUTCOMES.get(effect, "")
    yield "suid", str(actor.get("id", ""))
    yield "suser", str(actor.get("label", ""))
    yield "duid", str(target.get("id", ""))
    yield "duser", str(target.get("label", ""))
    yield from _source(str(actor.get("address", "")))
    yield "reason", str(record.get("reason", ""))
    yield from _custom("cs1", "organization", str(record.get("organization", "")))
    yield from _custom("cs2", "actorKind", str(actor.get("kind", "")))
    yield from _custom("cs3", "targetType", str(target.get("type", "")))
    yield from _custom("cs4", "requestId", str(record.get("request_id", "")))
    yield from _custom("cs5", "recordHash", event.hash)
    yield from _custom("cs6", "data", json_text(record.get("data", {})).decode("utf-8"))
    yield from _custom("cn1", "sequence", str(event.sequence))


def _custom(key: str, label: str, value: str) -> Iterator[tuple[str, str]]:
    if value:
        yield f"{key}Label", label
        yield key, value


def _source(address: str) -> Iterator[tuple[str, str]]:
    try:
        number = ipaddress.ip_address(address).version
    except ValueError:
        yield "shost", address
        return
    if number == 4:
        yield "src", address
    else:
        yield from _custom("c6a2", "Source IPv6 Address", address)


def milliseconds(at: Any) -> int:
    """Give the milliseconds since 1970 of an instant as records write it; 0 for what is none."""
    try:
        return int(datetime.fromisoformat(at).timestamp() * 1000)
    except (TypeError, ValueError, OverflowError):
        return 0
