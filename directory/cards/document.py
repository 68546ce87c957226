"""What an agent card may say (A2A 1.0), and the bytes that are signed of it: canonical, without signatures and defaults.

A card is public: nothing of the agent's file goes into it but its name and version; all else was written for the card.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from agentiam.kit.canonical import canonical_bytes
from agentiam.kit.errors import Invalid
from directory.models import Agent

PROTOCOL_BINDINGS: Final = ("JSONRPC", "GRPC", "HTTP+JSON")
SIGNATURES: Final = "signatures"
MAX_BYTES: Final = 64 * 1024
MAX_DEPTH: Final = 12

_URL: Final = re.compile(r"https://[A-Za-z0-9.\-]+(:[0-9]{1,5})?(/[\x21-\x7e]*)?")
_MEDIA_TYPE: Final = re.compile(r"[\w.+-]+/[\w.+*-]+(; ?[\w.-]+=[\w.\"-]+)*")
_EMPTY: Final[tuple[Any, ...]] = ("", [], False, 0, None)
_MAPS: Final = frozenset({"securitySchemes", "schemes"})


class BadCard(Invalid):
    """The card lacks what it must say, or says what it cannot; the message names the place."""

    field = "card"


@dataclass(frozen=True, slots=True)
class _Part:
    """One kind of object in a card: its members, which of them are required, and which keep a default that was set."""

    required: frozenset[str]
    members: Mapping[str, Callable[[Any, str], None]]
    explicit: frozenset[str] = frozenset()
    within: Mapping[str, "_Part"] = field(default_factory=dict)

    def check(self, value: Any, place: str) -> None:
        """Accept an object of this kind; raises BadCard."""
        if not isinstance(value, dict):
            raise BadCard(f"{place} must be an object.")
        for name in sorted(self.required - value.keys()):
            raise BadCard(f"{place}: {name} is missing.")
        for name, each in value.items():
            if name not in self.members:
                raise BadCard(f"{place}: {name!r} is not known.", remedy=f"Known: {', '.join(sorted(self.members))}.")
            self.members[name](each, f"{place}.{name}")


def _text(value: Any, place: str) -> None:
    if not isinstance(value, str) or not value.strip() or len(value) > 4_000:
        raise BadCard(f"{place} must be a text, and not an empty one.")


def _yes_or_no(value: Any, place: str) -> None:
    if not isinstance(value, bool):
        raise BadCard(f"{place} must be true or false.")


def _anything(value: Any, place: str) -> None:
    if not isinstance(value, dict):
        raise BadCard(f"{place} must be an object.")


def _url(value: Any, place: str) -> None:
    if not isinstance(value, str) or not _URL.fullmatch(value):
        raise BadCard(f"{place} must be an https URL.")


def _binding(value: Any, place: str) -> None:
    if value not in PROTOCOL_BINDINGS:
        raise BadCard(f"{place} must be one of {', '.join(PROTOCOL_BINDINGS)}.")


def _media_type(value: Any, place: str) -> None:
    if not isinstance(value, str) or not _MEDIA_TYPE.fullmatch(value):
        raise BadCard(f"{place} must be a media type like text/plain.")


def _list_of(check: Callable[[Any, str], None], *, least: int = 0) -> Callable[[Any, str], None]:
    def checked(value: Any, place: str) -> None:
        if not isinstance(value, list) or len(value) < least:
            raise BadCard(f"{place} must be a list{' of at least one entry' if least else ''}.")
        for number, each in enumerate(value, start=1):
            check(each, f"{place} {number}")

    return checked


_INTERFACE: Final = _Part(
    frozenset({"url", "protocolBinding", "protocolVersion"}),
    {"url": _url, "protocolBinding": _binding, "protocolVersion": _text, "tenant": _text},
)
_PROVIDER: Final = _Part(frozenset({"organization", "url"}), {"organization": _text, "url": _url})
_EXTENSION: Final = _Part(frozenset({"uri"}), {"uri": _text, "description": _text, "required": _yes_or_no, "params": _anything})
_CAPABILITIES: Final = _Part(
    frozenset(),
    {
        "streaming": _yes_or_no,
        "pushNotifications": _yes_or_no,
        "extendedAgentCard": _yes_or_no,
        "extensions": _list_of(_EXTENSION.check),
    },
    explicit=frozenset({"streaming", "pushNotifications", "extendedAgentCard"}),
    within={"extensions": _EXTENSION},
)
_SKILL: Final = _Part(
    frozenset({"id", "name", "description", "tags"}),
    {
        "id": _text,
        "name": _text,
        "description": _text,
        "tags": _list_of(_text),
        "examples": _list_of(_text),
        "inputModes": _list_of(_media_type),
        "outputModes": _list_of(_media_type),
        "securityRequirements": _list_of(_anything),
    },
)
_WRITTEN: Final[dict[str, Callable[[Any, str], None]]] = {
    "description": _text,
    "supportedInterfaces": _list_of(_INTERFACE.check, least=1),
    "provider": _PROVIDER.check,
    "documentationUrl": _url,
    "iconUrl": _url,
    "capabilities": _CAPABILITIES.check,
    "securitySchemes": _anything,
    "securityRequirements": _list_of(_anything),
    "defaultInputModes": _list_of(_media_type, least=1),
    "defaultOutputModes": _list_of(_media_type, least=1),
    "skills": _list_of(_SKILL.check, least=1),
}
_CARD: Final = _Part(
    frozenset(
        {
            "name",
            "description",
            "supportedInterfaces",
            "version",
            "capabilities",
            "defaultInputModes",
            "defaultOutputModes",
            "skills",
        }
    ),
    {**_WRITTEN, "name": _text, "version": _text},
    explicit=frozenset({"documentationUrl", "iconUrl"}),
    within={
        "supportedInterfaces": _INTERFACE,
        "provider": _PROVIDER,
        "capabilities": _CAPABILITIES,
        "skills": _SKILL,
    },
)
_ELSE: Final = _Part(frozenset(), {})
_TAKEN_FROM_THE_FILE: Final = frozenset({"name", "version"})


def check_written(card: Any) -> dict[str, Any]:
    """Accept what is written for a card: everything but name and version, which are the agent's own; raises BadCard."""
    if isinstance(card, dict) and (mistaken := sorted({*_TAKEN_FROM_THE_FILE, SIGNATURES} & card.keys())):
        raise BadCard(f"{mistaken[0]} is not written: it is added when the card is shown.")
    _Part(_CARD.required - _TAKEN_FROM_THE_FILE, _WRITTEN).check(card, "card")
    _require_bounded(card)
    return dict(card)


def card_of(agent: Agent) -> dict[str, Any]:
    """Build an agent's card, without what is as by default; raises BadCard when what was written no longer makes one."""
    written = check_written(agent.card)
    whole = {**written, "name": agent.name, "version": agent.version or f"charter {agent.purpose_version}"}
    _CARD.check(whole, "card")
    return without_defaults(whole)


def without_defaults(card: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is as by default, unless it is required or its being set says something (A2A 1.0, section 8.4.1)."""
    kept: dict[str, Any] = _stripped(dict(card), _CARD)
    return kept


def signed_bytes(card: Mapping[str, Any]) -> bytes:
    """The bytes of a card that its signatures are over (RFC 8785); raises BadCard for what is no JSON, too long or too deep."""
    _require_bounded(card)
    try:
        return canonical_bytes(without_defaults({name: value for name, value in card.items() if name != SIGNATURES}))
    except (TypeError, ValueError) as error:
        raise BadCard(f"The card has no canonical form: {error}") from error


def _stripped(value: Any, part: _Part) -> Any:
    if isinstance(value, list):
        return [_stripped(each, part) for each in value]
    if not isinstance(value, dict):
        return value
    kept = part.required | part.explicit
    return {
        # What an extension's parameters mean is known to the extension alone.
        name: each if name == "params" else _stripped(each, part.within.get(name, _ELSE))
        for name, each in value.items()
        if name in kept or not (each in _EMPTY or (each == {} and name in _MAPS))
    }


def _require_bounded(card: Any) -> None:
    waiting = [(card, 0)]
    seen = 0
    while waiting:
        value, depth = waiting.pop()
        seen += 1 + (len(value) if isinstance(value, str) else 0)
        if depth > MAX_DEPTH or seen > MAX_BYTES:
            raise BadCard("The card is too long, or nested too deep.")
        if isinstance(value, dict):
            waiting += [(each, depth + 1) for pair in value.items() for each in pair]
        elif isinstance(value, list):
            waiting += [(each, depth + 1) for each in value]
