"""An event as an OCSF event: what it says, who says so, and how it can be shown that nobody touched it.

The fingerprint is that of our own record, whose canonical bytes (RFC 8785) stand in ``raw_data``: hashing those gives it, and
the record names the one before it. So what leaves as OCSF still proves itself against the chain.
"""

from collections.abc import Sequence
from typing import Any, Final

from audit import events
from audit.chain import GENESIS
from audit.events import EventType, Severity
from audit.export.cef import milliseconds
from audit.export.ocsf import objects
from audit.export.ocsf.classes import API_ACTIVITY, DETECTION_FINDING, Schema
from audit.export.ocsf.mapping import Place, place_of
from audit.export.plain import json_text
from audit.export.product import NAME
from audit.export.reading import ExportedEvent

Json = dict[str, Any]

_SUCCESS: Final = (1, "Success")
_FAILURE: Final = (2, "Failure")
# action_id and disposition_id of the profile security_control.
_ACTIONS: Final = {
    "allow": (1, "Allowed", 1, "Allowed"),
    "deny": (2, "Denied", 26, "Unauthorized"),
    "escalate": (2, "Denied", 14, "Delayed"),
}
_FAILED: Final = ("refused", "failed")


def ocsf_lines(page: Sequence[ExportedEvent], schema: Schema) -> bytes:
    """Write one OCSF event a line."""
    return b"".join(json_text(ocsf_event(event, schema)) + b"\n" for event in page)


def ocsf_event(event: ExportedEvent, schema: Schema) -> Json:
    """Give one event as OCSF has it."""
    record = event.record
    place = place_of(record, schema)
    profiles: list[str] = []
    found: Json = {
        "class_uid": place.ocsf.uid,
        "class_name": place.ocsf.name,
        "category_uid": place.ocsf.category_uid,
        "category_name": place.ocsf.category_name,
        "activity_id": place.activity_id,
        "activity_name": place.activity_name,
        "type_uid": place.type_uid,
        "type_name": f"{place.ocsf.name}: {place.activity_name}",
        "time": milliseconds(record.get("at")),
        "message": _message(record),
        "raw_data": event.stored,
        "raw_data_hash": _fingerprint(event.hash, schema, "Flat", 1),
        "unmapped": record.get("data") or {},
        **_severity(str(record.get("type", ""))),
        **_status(place, record),
        **objects.subject(place, record),
    }
    if place.ocsf is not DETECTION_FINDING:
        found |= _who(record, place, schema, profiles)
    if record.get("effect"):
        found |= _control(str(record["effect"]), profiles)
    if schema is Schema.NEXT:
        profiles.append("record_integrity")
        found["attestation_list"] = [_attestation(event)]
    found["metadata"] = _metadata(event, schema, profiles)
    return found


def _metadata(event: ExportedEvent, schema: Schema, profiles: list[str]) -> Json:
    record = event.record
    found: Json = {
        "version": schema.value,
        "product": objects.product(),
        "profiles": sorted(profiles),
        "uid": str(event.id),
        "original_event_uid": str(event.id),
        "original_time": str(record.get("at", "")),
        "event_code": str(record.get("type", "")),
        "sequence": event.sequence,
        "tenant_uid": str(record.get("organization", "")),
        "log_name": f"{NAME} event log",
    }
    if record.get("request_id"):
        found["correlation_uid"] = str(record["request_id"])
    return found


def _registered(name: str) -> EventType | None:
    try:
        return events.event_type(name)
    except events.UnknownEventType:
        return None


def _severity(name: str) -> Json:
    found = _registered(name)
    severity = Severity.INFORMATIONAL if found is None else found.severity
    return {"severity_id": int(severity), "severity": severity.name.capitalize()}


def _message(record: Json) -> str:
    found = _registered(str(record.get("type", "")))
    actor, target = record.get("actor") or {}, record.get("target") or {}
    label = str(record.get("type", "")) if found is None else found.label
    about = f": {target['label']}" if target.get("label") else ""
    return f"{label}{about} (by {actor.get('label') or actor.get('id', '')})"


def _status(place: Place, record: Json) -> Json:
    if place.ocsf is DETECTION_FINDING:
        return {"status_id": 1, "status": "New"}
    effect = str(record.get("effect", ""))
    failed = effect not in {"", "allow"} or place.verb in _FAILED
    number, caption = _FAILURE if failed else _SUCCESS
    found: Json = {"status_id": number, "status": caption}
    if effect:
        found["status_code"] = effect
    if record.get("reason"):
        found["status_detail"] = str(record["reason"])
    return found


def _who(record: Json, place: Place, schema: Schema, profiles: list[str]) -> Json:
    actor, agent = objects.initiator(record, schema)
    found: Json = {}
    if agent is not None:
        profiles.append("ai_operation")
        found["ai_agent"] = agent
    if place.ocsf is API_ACTIVITY:
        # Required here, also where an agent asks in its own name and with a key of its own.
        actor = actor or {"app_uid": NAME, "app_name": NAME}
        if record.get("effect"):
            actor["authorizations"] = objects.authorizations(record)
    if place.ocsf.subject != "app":
        found["src_endpoint"] = objects.endpoint(record)
        if actor:
            found["actor"] = actor
    return found


def _control(effect: str, profiles: list[str]) -> Json:
    action_id, action, disposition_id, disposition = _ACTIONS.get(effect, (0, "Unknown", 0, "Unknown"))
    profiles.append("security_control")
    return {"action_id": action_id, "action": action, "disposition_id": disposition_id, "disposition": disposition}


def _fingerprint(value: str, schema: Schema, serialization: str, serialization_id: int) -> Json:
    found: Json = {"algorithm_id": 3, "algorithm": "SHA-256", "value": value}
    if schema is Schema.NEXT:
        found |= {"encoding_id": 1, "encoding": "Hex", "serialization_id": serialization_id, "serialization": serialization}
    return found


def _attestation(event: ExportedEvent) -> Json:
    record, source = event.record, "RFC 8785 of the source record in raw_data"
    found: Json = {
        "uid": str(event.id),
        "authority_uid": str(record.get("organization", "")),
        "chain_uid": str(event.chain_id),
        "fingerprint": _fingerprint(event.hash, Schema.NEXT, source, 99),
    }
    former = record.get("previous")
    if former and former != GENESIS:
        previous: Json = {"fingerprint": _fingerprint(str(former), Schema.NEXT, source, 99)}
        if event.previous is None:
            # It is not there any more: its place in the chain still says which one it was.
            previous["uid"] = f"{event.chain_id}/{event.sequence - 1}"
        else:
            previous |= {
                "uid": event.previous.id,
                "type_uid": place_of(event.previous.record, Schema.NEXT).type_uid,
            }
        found["prev_event"] = previous
    return found
