"""Records become canonical bytes (RFC 8785) here, once, and those bytes are what is stored, hashed and exported.

msgspec writes a record in about two microseconds. Its bytes are those of RFC 8785 where every key is text, no integer is beyond
2^53, no float is integral or beyond the range in which both write plain decimals, and no character is beyond the Basic
Multilingual Plane (RFC 8785 sorts keys by UTF-16 code units, msgspec by code points). All else goes through rfc8785, ten times
slower.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

import msgspec

from agentiam.kit.canonical import MAX_EXACT_INTEGER, canonical_bytes
from audit.chain import MAX_DEPTH, VERSION, digest, instant, parse_canonical

_encode: Final = msgspec.json.Encoder(order="deterministic").encode
_decode: Final = msgspec.json.Decoder().decode


class Unencodable(ValueError):
    """The data is not JSON, or holds what a database cannot."""


class Draft(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is to be recorded, before it has its place in a chain.

    ``actor`` has the members kind, id, label and address, ``target`` (or None) type, id and label. ``fence`` is the
    organization's policy revision that a decision was made on; a change leaves it 0. ``partner_fences`` are the revisions of
    other organizations that the decision rests on as well. ``effect`` is empty unless this is a decision.
    """

    organization_id: UUID
    id: UUID
    type: str
    at: datetime
    actor: dict[str, str]
    target: dict[str, str] | None = None
    reason: str = ""
    request_id: str = ""
    effect: str = ""
    data: dict[str, Any] = {}
    fence: int = 0
    partner_fences: dict[UUID, int] = {}


class Head(msgspec.Struct, gc=False):
    """Where a chain ends: the record that the next one follows."""

    chain_id: UUID
    organization_id: UUID
    chain: str
    organization: str
    sequence: int
    hash: str


class Body(msgspec.Struct, gc=False):
    """A record as it is written; members stand in the order of RFC 8785, so that they need no sorting."""

    actor: dict[str, str]
    at: str
    chain: str
    data: dict[str, Any]
    effect: str
    id: str
    organization: str
    previous: str
    reason: str
    request_id: str
    sequence: int
    target: dict[str, str] | None
    type: str
    v: int = VERSION


def _is_plain_number(value: object) -> bool:
    if type(value) is int:
        return -MAX_EXACT_INTEGER <= value <= MAX_EXACT_INTEGER
    if type(value) is float:
        return 1e-4 <= abs(value) < 1e15 and not value.is_integer()
    return False


def _is_plain(items: Iterable[object], levels: int = MAX_DEPTH) -> bool:
    """Whether msgspec writes these values as RFC 8785 does, characters aside; it refuses keys that are not text itself."""
    for item in items:
        kind = type(item)
        if kind is str or item is None or kind is bool:
            continue
        if kind is dict or kind is list or kind is tuple:
            if not levels:
                raise Unencodable(f"data is nested more than {MAX_DEPTH} levels deep")
            if not _is_plain(item.values() if isinstance(item, dict) else cast("Iterable[object]", item), levels - 1):
                return False
        elif not _is_plain_number(item):
            return False
    return True


def _without_points(value: Any) -> Any:
    """Turn integral floats into the integers that RFC 8785 writes for them: 1000.0 is 1000."""
    if type(value) is float and value.is_integer() and abs(value) <= MAX_EXACT_INTEGER:
        return int(value)
    if type(value) is dict:
        return {key: _without_points(item) for key, item in value.items()}
    if type(value) is list or type(value) is tuple:
        return [_without_points(item) for item in value]
    return value


def _check_depth(items: Iterable[object], levels: int = MAX_DEPTH) -> None:
    """Refuse what a reader's parser could not follow; _is_plain stops before it has seen everything."""
    for item in items:
        if isinstance(item, (dict, list, tuple)):
            if not levels:
                raise Unencodable(f"data is nested more than {MAX_DEPTH} levels deep")
            _check_depth(item.values() if isinstance(item, dict) else item, levels - 1)


def _is_basic(raw: bytes) -> bool:
    """Whether UTF-8 holds no character beyond the Basic Multilingual Plane, that is no byte from F0 on."""
    return raw.isascii() or max(raw) < 0xF0


def encode(value: dict[str, Any]) -> bytes:
    """Write JSON data canonically. Raises Unencodable for anything that is not JSON."""
    try:
        if _is_plain(value.values()) and _is_basic(raw := _encode(value)):
            return raw
        _check_depth(value.values())
        whole = _without_points(value)
        if _is_plain(whole.values()) and _is_basic(raw := _encode(whole)):
            return raw
        return canonical_bytes(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise Unencodable(str(error)) from error


def parse(stored: bytes) -> dict[str, Any]:
    """Read an object from its canonical bytes; raises NotCanonical.

    Four times faster than parse_canonical, which has the last word on whatever is not plain.
    """
    try:
        value = _decode(stored)
        if type(value) is dict and _is_plain(value.values()) and _is_basic(stored) and _encode(value) == stored:
            return value
    except (ValueError, TypeError, RecursionError):
        return parse_canonical(stored)
    return parse_canonical(stored)


def encode_body(body: Body) -> bytes:
    """Write a record canonically. Raises Unencodable for data that is not JSON."""
    values = (body.data, body.actor, body.target, body.reason, body.request_id, body.type, body.effect)
    try:
        if _is_plain(values) and _is_basic(raw := _encode(body)):
            return raw
        _check_depth(values)
        body.data = _without_points(body.data)
        if _is_plain((body.data, *values[1:])) and _is_basic(raw := _encode(body)):
            return raw
        return canonical_bytes(msgspec.structs.asdict(body))
    except (TypeError, ValueError, RecursionError) as error:
        raise Unencodable(str(error)) from error


# id, organization, chain, sequence, type, at, actor kind, id and label, target type, id and label, effect, request id,
# reason, body, hash
Row = tuple[str, str, str, int, str, str, str, str, str, str, str, str, str, str, str, str, str]


def append(head: Head, draft: Draft) -> Row:
    """Make the draft the next record of the chain: move the head, return the columns.

    Raises Unencodable, and then the head stays.
    """
    sequence, at, record_id = head.sequence + 1, instant(draft.at), str(draft.id)
    actor, target = draft.actor, draft.target
    columns = (
        draft.type,
        at,
        actor["kind"],
        actor["id"],
        actor["label"],
        *((target["type"], target["id"], target["label"]) if target is not None else ("", "", "")),
        draft.effect,
        draft.request_id,
        draft.reason,
    )
    try:
        if "\0" in "".join(columns):
            raise Unencodable("a column cannot hold the character U+0000")
    except TypeError as error:
        raise Unencodable(f"a column holds text only: {error}") from error
    stored = encode_body(
        Body(
            actor=actor,
            at=at,
            chain=head.chain,
            data=draft.data,
            effect=draft.effect,
            id=record_id,
            organization=head.organization,
            previous=head.hash,
            reason=draft.reason,
            request_id=draft.request_id,
            sequence=sequence,
            target=target,
            type=draft.type,
        )
    )
    record_hash = digest(stored)
    head.sequence, head.hash = sequence, record_hash
    return (record_id, head.organization, head.chain, sequence, *columns, stored.decode("utf-8"), record_hash)
