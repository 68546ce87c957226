"""A change says which version it is of: ``If-Match`` with the ETag that was read (RFC 9110, section 13.1.1)."""

import re
from typing import Any, Final

from agentiam.kit.canonical import fingerprint
from agentiam.kit.problems import Problem

_TAG: Final = re.compile(r'(?:W/)?"([\x21\x23-\x7e]*)"')

_LIST: Final = re.compile(rf"{_TAG.pattern}(?:\s*,\s*{_TAG.pattern})*")


def etag_of(data: Any) -> str:
    """Name a representation by what it says."""
    return f'"{fingerprint(_plain(data))[:32]}"'


def matches(header: str, etag: str) -> bool:
    """Tell whether a list of entity tags names this one; ``*`` names any."""
    return header.strip() == "*" or etag.strip('"') in _TAG.findall(header)


def require_match(request: Any, etag: str) -> None:
    """Refuse a change of another version than the present one; raises a 428, 412 or 400 problem."""
    header = request.headers.get("If-Match")
    if header is None:
        raise Problem(
            428,
            "precondition-required",
            "Say which version you change.",
            {"remedy": "Send the ETag that you read as If-Match, or If-Match: * to change whatever is there."},
        )
    if header.strip() != "*" and not _LIST.fullmatch(header.strip()):
        shown = {"remedy": f'Send it as it was read, with its quotation marks, like "{etag[1:9]}…", or If-Match: *.'}
        raise Problem(400, "malformed-header", "If-Match holds no ETag.", shown)
    if not matches(header, etag):
        remedy = {"remedy": "Read it again, and decide on what it says now."}
        raise Problem(412, "precondition-failed", "Somebody changed it meanwhile.", remedy, {"ETag": etag})


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)
