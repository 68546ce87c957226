"""What people are here for: each console role is a set of rights over its organization, and nothing else gives them.

The rights are Django's permission names, so that ``user.has_perm`` and ``visible_to`` answer alike in every entrance. What a
person may do with single objects is guardian's and comes on top.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from django.apps import apps
from django.contrib.auth.backends import BaseBackend
from django.db import models

from directory.models import User

_APPS: Final = ("audit", "directory", "permissions", "jobs")
_READABLE: Final = ("directory.view_user", "directory.view_team", "directory.view_agent", "directory.view_blueprint")
_CATALOGUE: Final = (
    "permissions.view_application",
    "permissions.view_resourcetype",
    "permissions.view_resource",
    "permissions.view_role",
    "directory.view_blueprint",
)


@cache
def rights_of_roles() -> Mapping[str, frozenset[str]]:
    """Answer the rights that come with each console role."""
    every = frozenset(name for label in _APPS for model in apps.get_app_config(label).get_models() for name in _names(model))
    role = User.ConsoleRole
    return MappingProxyType(
        {
            role.SECURITY_ADMINISTRATOR.value: every,
            role.AUDITOR.value: frozenset(name for name in every if name.partition(".")[2].startswith("view_"))
            | {"audit.export_event"},
            role.APPROVER.value: frozenset({*_READABLE, *_CATALOGUE, "directory.approve_agent"}),
            role.OWNER.value: frozenset({"directory.view_blueprint"}),
            role.DEVELOPER.value: frozenset(_CATALOGUE),
        }
    )


def rights_of(user: User) -> frozenset[str]:
    """Answer the rights that an account has through its console roles; an inactive one has none."""
    if not user.is_active:
        return frozenset()
    known = rights_of_roles()
    return frozenset().union(*(known.get(role, frozenset()) for role in user.console_roles))


class ConsoleRoleBackend(BaseBackend):
    """Answer ``has_perm`` from console roles; for single objects others answer."""

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """Give the rights of a person's console roles."""
        if obj is not None or not isinstance(user_obj, User):
            return set()
        return set(rights_of(user_obj))

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        """Tell whether a person's console roles give a right over the organization."""
        return obj is None and isinstance(user_obj, User) and perm in rights_of(user_obj)

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        """Tell whether a person's console roles give any right in an app."""
        return isinstance(user_obj, User) and any(name.startswith(f"{app_label}.") for name in rights_of(user_obj))


def _names(model: type[models.Model]) -> list[str]:
    options = model._meta  # noqa: SLF001  (Django's documented name)
    codenames = [f"{action}_{options.model_name}" for action in options.default_permissions]
    return [f"{options.app_label}.{name}" for name in (*codenames, *(name for name, _ in options.permissions))]
