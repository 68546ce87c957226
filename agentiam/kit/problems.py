"""Problem details for every HTTP error (RFC 9457): what went wrong, where, and what to do about it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

CONTENT_TYPE: Final = "application/problem+json"


@dataclass(eq=False)
class Problem(Exception):
    """An error as a client sees it; ``kind`` is the last part of its type URN.

    Not frozen, although nobody changes it: Python writes the traceback onto an exception on its way.
    """

    status: int
    kind: str
    detail: str
    extra: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """The members of the problem document."""
        return {
            "type": f"urn:agentiam:problem:{self.kind}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **self.extra,
        }

    def encode(self) -> bytes:
        """The problem document as UTF-8 JSON."""
        return json.dumps(self.body(), ensure_ascii=False).encode("utf-8")
