"""What must be done with an answer (AuthZEN obligations profile): an obligation that nobody here can meet makes a yes a no."""

import inspect
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from agentiam.client.tokens import AccessToken

MASK: Final = "***"
_EVERYTHING: Final = "*"
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Obligation:
    """One thing that must be done."""

    id: str
    type: str
    properties: Mapping[str, Any]

    @property
    def kind(self) -> tuple[str, str, str]:
        """What a handler is registered for: the type, and of ``custom`` the vendor and the action."""
        if self.type != "custom":
            return self.type, "", ""
        vendor, action = self.properties.get("vendor"), self.properties.get("action")
        return self.type, vendor if isinstance(vendor, str) else "", action if isinstance(action, str) else ""

    @property
    def masks(self) -> bool:
        """Tell whether it is agentiam's own: fields must be masked."""
        return self.kind == ("custom", "agentiam", "mask")


Handler = Callable[[Obligation, AccessToken], Awaitable[None] | None]
"""Meets an obligation, or raises; with a coroutine it can be asked for in an event loop only."""


class Obligations:
    """What this application can meet, besides masking."""

    def __init__(self) -> None:
        self._handlers: dict[tuple[str, str, str], Handler] = {}
        self._lock = threading.Lock()

    def register(self, type: str, handler: Handler, *, vendor: str = "", action: str = "") -> None:  # noqa: A002  (the word of the standard)
        """Say what meets obligations of a type; of ``custom`` ones of a vendor's action."""
        if (type == "custom") != bool(vendor and action) or bool(vendor) != bool(action):
            raise ValueError("a custom obligation has a vendor and an action, and no other has")
        with self._lock:
            if (type, vendor, action) in self._handlers:
                raise ValueError(f"there is a handler of {type} already")
            self._handlers[type, vendor, action] = handler

    def meet(self, obligations: Sequence[Obligation], token: AccessToken, *, masks: bool) -> list[str]:
        """Meet all that can be met, whatever the answer was; give the ids of those that could not be."""
        return [each.id for each in obligations if not self._met(each, token, masks=masks)]

    async def ameet(self, obligations: Sequence[Obligation], token: AccessToken, *, masks: bool) -> list[str]:
        """Do the same in an event loop."""
        return [each.id for each in obligations if not await self._amet(each, token, masks=masks)]

    def _met(self, obligation: Obligation, token: AccessToken, *, masks: bool) -> bool:
        handler = self._handlers.get(obligation.kind)
        if handler is None:
            return obligation.masks and masks
        try:
            waiting = handler(obligation, token)
        except Exception:  # noqa: BLE001  (whatever a handler raises, the obligation was not met)
            _log.exception("an obligation of type %s was not met", obligation.type)
            return False
        if inspect.isawaitable(waiting):
            if inspect.iscoroutine(waiting):
                waiting.close()
            return False
        return True

    async def _amet(self, obligation: Obligation, token: AccessToken, *, masks: bool) -> bool:
        handler = self._handlers.get(obligation.kind)
        if handler is None:
            return obligation.masks and masks
        try:
            waiting = handler(obligation, token)
            if inspect.isawaitable(waiting):
                await waiting
        except Exception:  # noqa: BLE001  (whatever a handler raises, the obligation was not met)
            _log.exception("an obligation of type %s was not met", obligation.type)
            return False
        return True


@dataclass(frozen=True, slots=True)
class Fields:
    """What becomes of an object's fields."""

    allowed: frozenset[str] = frozenset()
    masked: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()

    def masking(self, obligations: Sequence[Obligation]) -> "Fields":
        """Add what obligations say must be masked."""
        named: set[str] = set()
        for each in obligations:
            if each.masks:
                named |= set(each.properties["fields"])
        return Fields(self.allowed - named, self.masked | named, self.denied)

    def apply(self, data: Mapping[str, Any], *, mask: Any = MASK) -> dict[str, Any]:
        """Give the data with what is masked replaced, and what is denied or unknown left out.

        Of a type without fields nothing is named, and all of the data passes, unless everything is masked.
        """
        if _EVERYTHING in self.masked:
            return {name: mask for name in data if name not in self.denied}
        if not (self.allowed or self.masked or self.denied):
            return dict(data)
        shown = {}
        for name, value in data.items():
            if name in self.denied or name not in self.allowed | self.masked:
                continue
            shown[name] = mask if name in self.masked else value
        return shown
