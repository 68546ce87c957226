"""The directory's tables."""

from directory.models.access import (
    AgentGroupPermission,
    AgentUserPermission,
    BlueprintGroupPermission,
    BlueprintUserPermission,
    TeamGroupPermission,
    TeamUserPermission,
)
from directory.models.agent import Agent, SignOff
from directory.models.blueprint import Blueprint
from directory.models.credential import Credential, CredentialRecord, OnboardingToken, PersonKey, Scope
from directory.models.invitation import Invitation
from directory.models.organization import Organization, PolicyChange
from directory.models.run import Run
from directory.models.team import Team
from directory.models.user import User

__all__ = [
    "Agent",
    "AgentGroupPermission",
    "AgentUserPermission",
    "Blueprint",
    "BlueprintGroupPermission",
    "BlueprintUserPermission",
    "Credential",
    "CredentialRecord",
    "Invitation",
    "OnboardingToken",
    "Organization",
    "PersonKey",
    "PolicyChange",
    "Run",
    "Scope",
    "SignOff",
    "Team",
    "TeamGroupPermission",
    "TeamUserPermission",
    "User",
]
