"""What is allowed, in the admin."""

from permissions.admin import (
    access,
    applications,
    catalogue,
    guardrails,
    holdings,
    issuers,
    oauth_clients,
    offboarding,
    relations,
    replacements,
    roles,
    signals,
    tokens,
)

__all__ = [
    "access",
    "applications",
    "catalogue",
    "guardrails",
    "holdings",
    "issuers",
    "oauth_clients",
    "offboarding",
    "relations",
    "replacements",
    "roles",
    "signals",
    "tokens",
]
