"""What a condition is asked about: the eight things that it may name."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

Attributes = Mapping[str, Any]


class Situation:
    """Hold what a condition may look at; what is absent is None.

    Values are JSON-like, with aware ``datetime`` for timestamps and ``timedelta`` for durations. A plain slotted class,
    since one is made for each decision.
    """

    __slots__ = ("action", "agent", "context", "now", "resource", "subject", "task", "user")

    def __init__(  # noqa: PLR0917 - positional, since one is made for each decision
        self,
        subject: Attributes | None = None,
        agent: Attributes | None = None,
        user: Attributes | None = None,
        resource: Attributes | None = None,
        action: Attributes | None = None,
        context: Attributes | None = None,
        task: Attributes | None = None,
        now: datetime | None = None,
    ) -> None:
        self.subject = subject
        self.agent = agent
        self.user = user
        self.resource = resource
        self.action = action
        self.context = context
        self.task = task
        self.now = now
