"""A plan as people read it: what is added, changed and ended, each with the values before and after."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from agentiam.manifest.planning.changes import Change

_SIGNS: Final = {"create": "+", "update": "~", "end": "-", "remove": "-"}
_LONGEST: Final = 200


def change_lines(changes: Iterable[Change]) -> Iterator[str]:
    """Show changes, one paragraph each."""
    for change in changes:
        yield f"{_SIGNS[change.action]} {change.kind} {change.id}"
        for name, (old, new) in change.fields.items():
            if change.action == "create":
                yield f"    {name}: {_shown(new)}"
            else:
                yield f"    {name}: {_shown(old)} → {_shown(new)}"


def summary(changes: Iterable[Change]) -> str:
    """Count changes: ``3 to create, 1 to update``."""
    counts: dict[str, int] = {}
    for change in changes:
        counts[change.action] = counts.get(change.action, 0) + 1
    if not counts:
        return "Nothing to change."
    return ", ".join(f"{counts[action]} to {action}" for action in _SIGNS if action in counts) + "."


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
