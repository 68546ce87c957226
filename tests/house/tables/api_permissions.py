"""The management API of what is allowed; who gets what there, tests/api/permissions/test_addresses.py asks."""

from typing import Final

from agentiam.api.permissions.routes import ROUTES
from tests.house.tables.expected import Table

TABLE: Table = {}

_VERSIONED: Final = (
    "application",
    "application-key",
    "resource-type",
    "resource",
    "role",
    "role-assignment",
    "grant",
    "guardrail",
    "consent",
    "delegation",
    "trust",
    "trusted-issuer",
    "replacement",
    "blueprint-role",
)
_BY_ID: Final = {
    "application": ("suspend", "resume"),
    "application-key": ("rotate", "revoke"),
    "resource-type": ("remove",),
    "resource": ("remove",),
    "role": ("entitlements", "includes", "remove"),
    "role-assignment": ("end",),
    "grant": ("end",),
    "guardrail": ("draft", "publish", "withdraw"),
    "consent": ("end",),
    "delegation": ("end",),
    "trust": ("agree", "end"),
    "trusted-issuer": ("end",),
    "access-token": ("revoke",),
    "authorization": ("end",),
    "token-key": ("withdraw",),
    "replacement": ("compare", "review", "complete", "abandon"),
}
_READ_BY_ID: Final = {
    "attestation": ("verify", "proof"),
    **dict.fromkeys(_VERSIONED, ("versions",)),
    "role": ("versions", "entitlements/versions", "includes/versions"),
    "guardrail": ("versions", "wordings/versions"),
}
_COLLECTED: Final = {"resource": ("sync",), "grant": ("bulk",), "token-key": ("rotate",)}
_SINGLE: Final = ("effective-access", "line", "card-verdict", "explain", "plan")

LISTS: Final = {name: prefix for prefix, _, name in ROUTES if name not in (*_SINGLE, "decision")}
"""Lists and the rows in them: name to path."""
CHANGES: Final = {f"{name}-{verb}": (LISTS[name], verb) for name, verbs in _BY_ID.items() for verb in verbs}
"""POST to a row."""
READS: Final = {f"{name}-{verb}": (LISTS[name], verb) for name, verbs in _READ_BY_ID.items() for verb in verbs}
"""GET of a row's part."""
AT_ONCE: Final = {f"{name}-{verb}": f"{LISTS[name]}/{verb}" for name, verbs in _COLLECTED.items() for verb in verbs}
"""POST to a list."""

ELSEWHERE: Final = [
    f"api:{name}"
    for name in (
        *(f"{each}-list" for each in (*LISTS, *_SINGLE)),
        *(f"{each}-detail" for each in (*LISTS, "decision")),
        *CHANGES,
        *READS,
        *AT_ONCE,
    )
]
