"""How the event log names what a change was made to: by the id that the organization uses, and by its label."""

from typing import TypeAlias

from audit.services import Target
from directory.models import Agent, Blueprint, CredentialRecord, Invitation, OnboardingToken, Organization, Run, Team, User

Thing: TypeAlias = Agent | Blueprint | CredentialRecord | Invitation | Organization | Run | Team | User


def target_of(thing: Thing) -> Target:
    """Name a row by the id that the organization uses; of a credential, only its primary key and its label."""
    match thing:
        case Organization():
            return Target(type="organization", id=thing.slug, label=thing.name)
        case User():
            return Target(type="person" if thing.is_person else "agent", id=thing.external_id, label=thing.name)
        case OnboardingToken():
            return Target(type="onboarding_token", id=str(thing.pk), label=thing.label)
        case CredentialRecord():
            return Target(type="credential", id=str(thing.pk), label=thing.label)
        case Invitation():
            return Target(type="invitation", id=str(thing.pk), label=thing.external_id)
        case Run():
            return Target(type="run", id=str(thing.pk), label=thing.task_id)
        case _:
            return Target(type=type(thing).__name__.lower(), id=thing.external_id, label=thing.name)
