"""The addresses of the directory's resources."""

from typing import Any, Final

from agentiam.api.directory.agents import AgentViewSet
from agentiam.api.directory.blueprints import BlueprintViewSet
from agentiam.api.directory.credentials import CredentialViewSet
from agentiam.api.directory.invitations import InvitationViewSet
from agentiam.api.directory.keys import PersonKeyViewSet
from agentiam.api.directory.organizations import OrganizationViewSet
from agentiam.api.directory.people import PersonViewSet
from agentiam.api.directory.runs import RunViewSet
from agentiam.api.directory.teams import TeamViewSet
from agentiam.api.directory.tokens import OnboardingTokenViewSet, OnboardingViewSet

ROUTES: Final[tuple[tuple[str, type[Any], str], ...]] = (
    ("organizations", OrganizationViewSet, "organization"),
    ("people", PersonViewSet, "person"),
    ("person-keys", PersonKeyViewSet, "person-key"),
    ("invitations", InvitationViewSet, "invitation"),
    ("teams", TeamViewSet, "team"),
    ("blueprints", BlueprintViewSet, "blueprint"),
    ("onboarding-tokens", OnboardingTokenViewSet, "onboarding-token"),
    ("onboarding", OnboardingViewSet, "onboarding"),
    ("agents", AgentViewSet, "agent"),
    ("credentials", CredentialViewSet, "credential"),
    ("runs", RunViewSet, "run"),
)
