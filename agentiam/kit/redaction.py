"""What looks like a secret does not leave the process as text: not in a log line, and not in a stored error."""

import re
from typing import Any, Final

HIDDEN: Final = "[hidden]"
SECRET_NAMES: Final = re.compile(
    r"(?i)pass(word|wd|phrase)|secret|token|authori[sz]ation|cookie|pepper|digest|api_?key|private|signing_?key|credential_key|session_?(id|key)"
)
_SECRET_VALUES: Final = (
    # Our own keys: the public id stays, since it is what an administrator looks for.
    (re.compile(r"\b((?:ai[aopu]|aa[trc])_[0-9A-Za-z]{4,32})_[0-9A-Za-z]{8,}"), rf"\1_{HIDDEN}"),
    # A link that lets somebody in is as good as a password, wherever a path is named.
    (re.compile(r"(/invitations/|/login/forgotten/)[^/\s?#\"'<>]+"), rf"\1{HIDDEN}"),
    (re.compile(r"(?i)\b(bearer|basic|dpop)\s+[A-Za-z0-9._~+/=-]{8,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"), HIDDEN),
    (re.compile(r"(\b[a-z][a-z0-9+]*://[^/\s:@]*):[^@\s/]+@"), rf"\1:{HIDDEN}@"),
)


def without_secrets(value: Any) -> Any:
    """Replace what looks like a secret, in text and anywhere within dictionaries and lists."""
    if isinstance(value, str):
        for pattern, replacement in _SECRET_VALUES:
            value = pattern.sub(replacement, value)
        return value
    if isinstance(value, dict):
        return {
            key: HIDDEN if isinstance(key, str) and SECRET_NAMES.search(key) else without_secrets(item)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        return [without_secrets(item) for item in value]
    if isinstance(value, bytes):
        return without_secrets(value.decode("utf-8", "replace"))
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return without_secrets(str(value))
