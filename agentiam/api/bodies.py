"""Bodies are JSON and nothing else; what no database could store is refused before anybody looks at it."""

from collections.abc import Mapping
from typing import Any, Final

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from agentiam.kit.texts import is_storable

DEEPEST: Final = 40


class StrictJSON(JSONParser):
    """JSON of limited depth, whose texts are whole."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        """Read a body; raises ParseError."""
        try:
            value = super().parse(stream, media_type, dict(parser_context or {}))
        except RecursionError:
            raise ParseError("The body is nested too deeply.") from None
        _check(value, 0)
        return value


def _check(value: Any, depth: int) -> None:
    if depth > DEEPEST:
        raise ParseError("The body is nested too deeply.")
    if isinstance(value, str) and not is_storable(value):
        raise ParseError("A text in the body holds a character that cannot be stored (U+0000, or half of a surrogate pair).")
    if isinstance(value, dict):
        for name, item in value.items():
            _check(name, depth)
            _check(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check(item, depth + 1)
