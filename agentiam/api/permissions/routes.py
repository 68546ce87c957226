"""The addresses of what is allowed: the path below /api/v1/, the viewset, and the name of the address."""

from typing import Any, Final

from agentiam.api.permissions.access import DecisionViewSet, EffectiveAccessViewSet, ExplainViewSet, PlanViewSet
from agentiam.api.permissions.applications import ApplicationKeyViewSet, ApplicationViewSet
from agentiam.api.permissions.attestations import AttestationViewSet
from agentiam.api.permissions.cards import CardVerdictViewSet
from agentiam.api.permissions.guardrails import GuardrailViewSet
from agentiam.api.permissions.holdings import GrantViewSet, RoleAssignmentViewSet
from agentiam.api.permissions.issuers import TrustedIssuerViewSet
from agentiam.api.permissions.line import LineViewSet
from agentiam.api.permissions.relations import ConsentViewSet, DelegationViewSet
from agentiam.api.permissions.replacements import ReplacementViewSet
from agentiam.api.permissions.resource_types import ResourceTypeViewSet
from agentiam.api.permissions.resources import RegisteredResourceViewSet
from agentiam.api.permissions.roles import BlueprintRoleViewSet, RoleViewSet
from agentiam.api.permissions.signals import SignalViewSet
from agentiam.api.permissions.token_keys import TokenKeyViewSet
from agentiam.api.permissions.tokens import AccessTokenViewSet, AuthorizationViewSet
from agentiam.api.permissions.trusts import TrustViewSet

ROUTES: Final[tuple[tuple[str, type[Any], str], ...]] = (
    ("applications", ApplicationViewSet, "application"),
    ("application-keys", ApplicationKeyViewSet, "application-key"),
    ("resource-types", ResourceTypeViewSet, "resource-type"),
    ("resources", RegisteredResourceViewSet, "resource"),
    ("roles", RoleViewSet, "role"),
    ("blueprint-roles", BlueprintRoleViewSet, "blueprint-role"),
    ("role-assignments", RoleAssignmentViewSet, "role-assignment"),
    ("grants", GrantViewSet, "grant"),
    ("guardrails", GuardrailViewSet, "guardrail"),
    ("consents", ConsentViewSet, "consent"),
    ("delegations", DelegationViewSet, "delegation"),
    ("trusts", TrustViewSet, "trust"),
    ("trusted-issuers", TrustedIssuerViewSet, "trusted-issuer"),
    ("replacements", ReplacementViewSet, "replacement"),
    ("signals", SignalViewSet, "signal"),
    ("authorizations", AuthorizationViewSet, "authorization"),
    ("access-tokens", AccessTokenViewSet, "access-token"),
    ("token-keys", TokenKeyViewSet, "token-key"),
    ("attestations", AttestationViewSet, "attestation"),
    ("agents/<uuid:agent>/effective-access", EffectiveAccessViewSet, "effective-access"),
    ("agents/<uuid:agent>/line", LineViewSet, "line"),
    ("cards/verify", CardVerdictViewSet, "card-verdict"),
    ("explain", ExplainViewSet, "explain"),
    ("plans", PlanViewSet, "plan"),
    ("decisions", DecisionViewSet, "decision"),
)
