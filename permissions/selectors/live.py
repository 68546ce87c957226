"""What of an agent or a person is live: whatever nobody ended, also what has not begun yet, or is over by the clock alone.

Offboarding ends what is listed here, and afterwards asks again: a kind that is missing here is missing in both.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeAlias
from uuid import UUID

from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.db.models import Q

from directory.lifecycle import State
from directory.models import (
    Agent,
    AgentGroupPermission,
    AgentUserPermission,
    BlueprintUserPermission,
    Credential,
    Invitation,
    OnboardingToken,
    PersonKey,
    Run,
    Team,
    TeamUserPermission,
    User,
)
from directory.selectors import factor_name, second_factors_of, sessions_of
from permissions.models import (
    AccessToken,
    ApplicationUserPermission,
    Authorization,
    Consent,
    Delegation,
    Grant,
    OAuthClient,
    RefreshToken,
    Replacement,
    RoleAssignment,
    RoleUserPermission,
    Trust,
)

_OBJECT_RIGHTS: Final[tuple[Any, ...]] = (
    AgentUserPermission,
    BlueprintUserPermission,
    TeamUserPermission,
    ApplicationUserPermission,
    RoleUserPermission,
)
_FLAGS: Final = ("is_staff", "is_superuser")


@dataclass(frozen=True, slots=True)
class Live:
    """One thing that is live: its id, its label, what it is, and the row that says so."""

    id: str
    label: str
    what: str
    row: Any = field(repr=False, compare=False)

    def words(self) -> list[str]:
        """Say it as JSON, for a proof."""
        return [self.id, self.label, self.what]


Inventory: TypeAlias = dict[str, list[Live]]


def what_is_live(who: Agent | User, at: datetime) -> Inventory:
    """List what of an agent with all that descend from it, or of a person, is live, by kind; about a dozen queries.

    A person's sessions, and what was issued by an authorization or as a token, are those that are not over at the instant.
    """
    if isinstance(who, Agent):
        return _of_agent(who, at)
    return _of_person(who, at) if who.is_person else _of_agent(Agent.objects.get(user=who), at)


def partners_of(agent: Agent) -> list[UUID]:
    """List the partners in which an agent, or one that descends from it, holds something that nobody ended.

    Whoever trusts without the agent's own organization ever having agreed is no partner, and is told nothing.
    """
    accounts = Agent.objects.filter(pk=agent.pk).and_below().values("user")
    held = (rows.objects.filter(user__in=accounts, ended_at__isnull=True) for rows in (Grant, RoleAssignment))
    agreed = Trust.objects.agreed().filter(partner=agent.organization_id).values("organization")
    found = (rows.filter(organization__in=agreed).values_list("organization_id", flat=True) for rows in held)
    return sorted({pk for rows in found for pk in rows.order_by().distinct()})


def _of_agent(agent: Agent, at: datetime) -> Inventory:
    family = Agent.objects.filter(pk=agent.pk).and_below().select_related("user").order_by("-depth", "id")
    members = list(family)
    agents = [member.pk for member in members]
    accounts = [member.user_id for member in members]
    here = agent.organization_id
    return {
        "grants": _grants(Q(user__in=accounts, organization=here)),
        "roles": _roles(Q(user__in=accounts, organization=here)),
        "delegations": [
            Live(str(row.pk), str(row), _what(row), row)
            for row in Delegation.objects.filter(Q(delegator__in=agents) | Q(delegate__in=agents), ended_at__isnull=True)
            .select_related("delegator", "delegate", "resource_type")
            .order_by("pk")
        ],
        "consents": _consents(Q(agent__in=agents)),
        **_issued(Q(agent__in=agents), at),
        "oauth_clients": [
            Live(row.agent.external_id, row.agent.name, "OAuth client", row)
            for row in OAuthClient.objects.filter(agent__in=agents).select_related("agent").order_by("pk")
        ],
        "replacements": [
            Live(str(row.pk), str(row), row.state, row)
            for row in Replacement.objects.filter(Q(predecessor__in=agents) | Q(successor__in=agents), ended_at__isnull=True)
            .select_related("predecessor", "successor__user", "organization")
            .order_by("pk")
        ],
        "cards": [Live(m.external_id, m.name, "published agent card", m) for m in members if m.publishes_card],
        "rights": _rights_of(accounts) + _rights_on(agents),
        "credentials": [
            Live(row.public_id or str(row.pk), str(row), row.kind, row)
            for row in Credential.objects.filter(agent__in=agents, revoked_at__isnull=True).order_by("pk")
        ],
        "runs": _runs(Q(agent__in=agents)),
        "accounts": [Live(m.external_id, m.name, "account", m.user) for m in members if m.user.is_active],
        "agents": [Live(m.external_id, m.name, m.state, m) for m in members if m.state != State.RETIRED],
    }


def _of_person(person: User, at: datetime) -> Inventory:
    current: User = User.objects.get(pk=person.pk)
    flags = [name for name in _FLAGS if getattr(current, name)]
    answering = Q(owner=current) | Q(sponsor=current)
    return {
        "grants": _grants(Q(user=current)),
        "roles": _roles(Q(user=current)),
        "consents": _consents(Q(user=current)),
        **_issued(Q(user=current), at),
        "runs": _runs(Q(on_behalf_of=current)),
        "rights": _rights_of([current.pk]),
        "groups": _groups(current),
        "teams": [
            Live(row.external_id, row.name, "membership", row)
            for row in Team.objects.filter(members=current).select_related("organization").order_by("external_id")
        ],
        "invitations": [
            Live(str(row.pk), row.external_id, "invitation sent", row)
            for row in Invitation.objects.filter(
                invited_by=current, accepted_at__isnull=True, withdrawn_at__isnull=True
            ).order_by("pk")
        ],
        "onboarding_tokens": [
            Live(row.public_id or str(row.pk), row.label, "onboarding token that they issued or answer for", row)
            for row in OnboardingToken.objects.filter(answering | Q(issued_by=current), revoked_at__isnull=True).order_by("pk")
        ],
        "console_roles": [Live(name, name, "console role", current) for name in [*current.console_roles, *flags]],
        "keys": [
            Live(row.public_id or str(row.pk), str(row), row.kind, row)
            for row in PersonKey.objects.filter(user=current, revoked_at__isnull=True).select_related("user").order_by("pk")
        ],
        **_ways_in(current),
        "sessions": _sessions(current, at),
        "session_records": [
            Live(str(number), current.external_id, "record of a session", row)
            for number, row in enumerate(UserSession.objects.filter(user=current).order_by("pk"), start=1)
        ],
        "accounts": [Live(current.external_id, current.name, "account", current)] if current.is_active else [],
    }


def _grants(held: Q) -> list[Live]:
    rows = Grant.objects.filter(held, ended_at__isnull=True).select_related("resource_type", "user__agent").order_by("pk")
    return [Live(str(row.pk), row.reason, f"{_what(row)} to {row.user}", row) for row in rows]


def _roles(held: Q) -> list[Live]:
    rows = RoleAssignment.objects.filter(held, ended_at__isnull=True).select_related("role", "user__agent").order_by("pk")
    return [Live(str(row.pk), row.role.external_id, f"role to {row.user}", row) for row in rows]


def _consents(given: Q) -> list[Live]:
    rows = Consent.objects.filter(given, ended_at__isnull=True).select_related("user", "agent", "resource_type").order_by("pk")
    return [Live(str(row.pk), str(row), _what(row), row) for row in rows]


def _issued(whose: Q, at: datetime) -> Inventory:
    """List what people agreed to, and the tokens; of none of them the text."""
    agreed = Authorization.objects.filter(whose)
    again = RefreshToken.objects.filter(authorization__in=agreed, used_at__isnull=True, expires_at__gt=at)
    tokens = AccessToken.objects.filter(whose).live(at)
    return {
        "authorizations": [
            Live(str(row.pk), str(row), "authorization", row)
            for row in agreed.live(at).select_related("user__agent", "agent").order_by("pk")
        ],
        "refresh_tokens": [
            Live(str(row.pk), str(row), "refresh token", row) for row in again.select_related("authorization").order_by("pk")
        ],
        "access_tokens": [
            Live(str(row.pk), row.audience, f"access token of {row.agent.external_id}", row)
            for row in tokens.select_related("agent").order_by("pk")
        ],
    }


def _what(row: Grant | Consent | Delegation) -> str:
    return f"{', '.join(row.actions)} on {row.resource_type}"


def _runs(at_work: Q) -> list[Live]:
    rows = Run.objects.filter(at_work, ended_at__isnull=True).select_related("agent").order_by("pk")
    return [Live(str(row.pk), row.task_id, f"run of {row.agent.external_id}", row) for row in rows]


def _rights_of(accounts: Iterable[UUID]) -> list[Live]:
    """List what accounts may do with single objects, and over the organization by Django's own permissions."""
    found = [_right(row) for model in _OBJECT_RIGHTS for row in _with_names(model, Q(user__in=accounts), "user")]
    given = User.user_permissions.through.objects.filter(user__in=accounts).select_related("permission", "user")
    return found + [
        Live(str(row.pk), str(row.user), f"{row.permission.codename} everywhere", row) for row in given.order_by("pk")
    ]


def _rights_on(agents: Iterable[UUID]) -> list[Live]:
    """List what others may do with agents; what the agents may do with each other is listed as theirs."""
    on = Q(content_object__in=agents)
    own = User.objects.filter(agent__in=agents).values("pk")
    people = _with_names(AgentUserPermission, on & ~Q(user__in=own), "user")
    return [_right(row) for row in [*people, *_with_names(AgentGroupPermission, on, "group__team")]]


def _with_names(model: Any, wanted: Q, holder: str) -> Any:
    return model.objects.filter(wanted).select_related("permission", "content_object", holder).order_by("pk")


def _right(row: Any) -> Live:
    holder = row.user if hasattr(row, "user") else row.group
    thing = row.content_object
    name = getattr(thing, "slug", None) or thing.external_id
    return Live(str(row.pk), str(holder), f"{row.permission.codename} on {type(thing).__name__.lower()} {name}", row)


def _groups(person: User) -> list[Live]:
    """List the groups that a person is in other than by being in a team."""
    around = Team.objects.filter(members=person).and_around()
    rows = User.groups.through.objects.filter(user=person).exclude(group__team__in=around).select_related("group", "user")
    return [Live(str(row.pk), row.group.name, "member of the group", row) for row in rows.order_by("pk")]


def _ways_in(person: User) -> Inventory:
    """List by what a person proves who they are; of none of it the secret."""
    linked = SocialAccount.objects.filter(user=person).order_by("pk")
    known = EmailAddress.objects.filter(user=person).order_by("pk")
    named = Live(person.external_id, person.name, "password", person)
    return {
        # Whoever used up a one-time password may still set another.
        "passwords": [named] if person.has_usable_password() or person.password_is_temporary else [],
        "second_factors": [Live(str(row.pk), factor_name(row), row.type, row) for row in second_factors_of(person)],
        "identities": [Live(str(row.pk), row.uid, f"identity at {row.provider}", row) for row in linked],
        "addresses": [Live(str(row.pk), row.email, "address to sign in with", row) for row in known],
    }


def _sessions(person: User, at: datetime) -> list[Live]:
    """List a person's sessions by number: the key of a session is a secret."""
    mine = sessions_of(person, at)
    return [Live(str(number), person.external_id, "session", session) for number, session in enumerate(mine, start=1)]
