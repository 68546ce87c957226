"""A key may be for reading only, or not for making other keys; a session is for everything that its person may do."""

from typing import Any, Final

from rest_framework.permissions import SAFE_METHODS, BasePermission

from agentiam.api.callers import Proof
from agentiam.kit.problems import Problem
from directory.models import Scope

WAYS_IN: Final = (Scope.CREDENTIALS.value,)
"""For what lets somebody in who was not in before: whoever steals a script's key must not make one that outlives it."""


class WithinScopes(BasePermission):
    """Let in who is known, as far as the scopes of their key go."""

    def has_permission(self, request: Any, view: Any) -> bool:
        """Refuse the anonymous; raises a 403 problem that names the missing scope (RFC 6750, section 3.1)."""
        if not request.user or not request.user.is_authenticated:
            return False
        require_scope(request, scopes_of(view, request.method))
        return True


def scopes_of(view: Any, method: str) -> tuple[str, ...]:
    """Name the scopes of which each is enough for a view's operation.

    A view that reads by POST, or is for those who ask for decisions, names others in ``scopes``, and for single operations,
    by their actions, in ``scopes_for``.
    """
    usual = (Scope.READ.value,) if method in SAFE_METHODS else (Scope.WRITE.value,)
    single: dict[str, tuple[str, ...]] = getattr(view, "scopes_for", {})
    every: tuple[str, ...] = getattr(view, "scopes", usual)
    return single.get(getattr(view, "action", None) or "", every)


def require_scope(request: Any, enough: tuple[str, ...]) -> None:
    """Demand one of the scopes of a key; a session has them all. Raises a 403 problem."""
    if isinstance(request.auth, Proof) and not request.auth.scopes.intersection(enough):
        header = f'Bearer realm="agentiam", error="insufficient_scope", scope="{enough[0]}"'
        raise Problem(
            403,
            "insufficient-scope",
            f"The key is not for this: it lacks the scope {enough[0]}.",
            {"remedy": f"Use a key that was issued with the scope {enough[0]}; a session of the pages has them all."},
            {"WWW-Authenticate": header},
        )
