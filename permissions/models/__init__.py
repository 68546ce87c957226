"""The tables of what is allowed."""

from permissions.models.access import (
    ApplicationGroupPermission,
    ApplicationUserPermission,
    RoleGroupPermission,
    RoleUserPermission,
)
from permissions.models.application import Application, ApplicationKey
from permissions.models.client import OAuthClient
from permissions.models.entitlement import EntitlementTerms, Held
from permissions.models.grant import Grant, RoleAssignment
from permissions.models.guardrail import Guardrail, GuardrailVersion
from permissions.models.issuer import TrustedIssuer
from permissions.models.relation import Consent, Delegation, Trust
from permissions.models.replacement import Replacement
from permissions.models.resource import DataClass, Resource, ResourceType
from permissions.models.role import BlueprintRole, Entitlement, Role, RoleInclusion
from permissions.models.signal import LastAddress, Signal
from permissions.models.token import AccessToken, Authorization, AuthorizationCode, RefreshToken, UsedProof
from permissions.models.token_key import TokenKey

__all__ = [
    "AccessToken",
    "Application",
    "ApplicationGroupPermission",
    "ApplicationKey",
    "ApplicationUserPermission",
    "Authorization",
    "AuthorizationCode",
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
    "LastAddress",
    "OAuthClient",
    "RefreshToken",
    "Replacement",
    "Resource",
    "ResourceType",
    "Role",
    "RoleAssignment",
    "RoleGroupPermission",
    "RoleInclusion",
    "RoleUserPermission",
    "Signal",
    "TokenKey",
    "Trust",
    "TrustedIssuer",
    "UsedProof",
]
