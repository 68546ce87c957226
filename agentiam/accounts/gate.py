"""First things first: a temporary password is changed, and a second factor that is required set up, before anything else opens.

The gate stands before every page and every call with a session, the API's and the admin's among them.
"""

from collections.abc import Callable
from typing import Any, Final

from allauth.account.authentication import get_authentication_records
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils.deprecation import MiddlewareMixin

from agentiam.accounts.adapters import has_second_factor
from agentiam.accounts.stepup import SECOND_FACTORS, means
from agentiam.kit.problems import CONTENT_TYPE, Problem
from directory.models import User

ALWAYS: Final = frozenset({"logout", "account_logout", "healthz", "readyz"})
CHANGING: Final = ALWAYS | {"account_change_password"}
ENROLLING: Final = ALWAYS | {
    "account_page",
    "account_change_password",
    "account_reauthenticate",
    "mfa_reauthenticate",
    "mfa_reauthenticate_webauthn",
    "mfa_index",
    "mfa_activate_totp",
    "mfa_add_webauthn",
    "mfa_list_webauthn",
    "mfa_view_recovery_codes",
    "openid_connect_login",
    "openid_connect_callback",
    "saml_acs",
    "saml_finish_acs",
}
PRIVILEGED: Final = frozenset({User.ConsoleRole.SECURITY_ADMINISTRATOR.value, User.ConsoleRole.APPROVER.value})


class AccountGate(MiddlewareMixin):
    """Hold back whoever has something to do first."""

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        """Let pass, or send to what must be done."""
        user = request.user
        if not isinstance(user, User) or request.resolver_match is None:
            return None
        name = request.resolver_match.view_name
        if user.password_is_temporary:
            if name in CHANGING:
                return None
            return _held_back(request, "account_change_password", "The temporary password must be changed first.")
        if name in ENROLLING or not second_factor_missing(request, user):
            return None
        return _held_back(request, "account_page", "A second factor must be set up first.")


def second_factor_required(user: User) -> bool:
    """Tell whether the rule of the installation asks this person for a second factor."""
    return bool(settings.REQUIRE_SECOND_FACTOR and (PRIVILEGED & set(user.console_roles) or user.is_superuser))


def second_factor_missing(request: HttpRequest, user: User) -> bool:
    """Tell whether a second factor is required that the person neither used in this session nor has; one query at most."""
    if not second_factor_required(user):
        return False
    used = {means(record) for record in get_authentication_records(request, user)}
    return not used & SECOND_FACTORS and not has_second_factor(user)


def _held_back(request: HttpRequest, page: str, sentence: str) -> HttpResponse:
    if request.path.startswith("/api/"):
        problem = Problem(status=403, kind="account-not-ready", detail=f"{sentence} Sign in at {settings.BASE_URL}/ for that.")
        return HttpResponse(problem.encode(), status=problem.status, content_type=CONTENT_TYPE)
    return HttpResponseRedirect(reverse(page))
