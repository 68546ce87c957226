"""The tables of what is allowed."""

from permissions.models.access import (
    ApplicationGroupPermission,
    ApplicationUserPermission,
    RoleGroupPermission,
    RoleUserPermission,
)
from permissions.models.application import Application, ApplicationKey
from permissions.models.entitlement import EntitlementTerms, Held
from permissions.models.grant import Grant, RoleAssignment
from permissions.models.guardrail import Guardrail, GuardrailVersion
from permissions.models.relation import Consent, Delegation, Trust
from permissions.models.resource import DataClass, Resource, ResourceType
from permissions.models.role import BlueprintRole, Entitlement, Role, RoleInclusion

__all__ = [
    "Application",
    "ApplicationGroupPermission",
    "ApplicationKey",
    "ApplicationUserPermission",
    "BlueprintRole",
    "Consent",
    "DataClass",
    "Delegation",
    "Entitlement",
    "EntitlementTerms",
    "Grant",
    "Guardrail",
    "GuardrailVersion",
    "Held",
    "Resource",
    "ResourceType",
    "Role",
    "RoleAssignment",
    "RoleGroupPermission",
    "RoleInclusion",
    "RoleUserPermission",
    "Trust",
]
