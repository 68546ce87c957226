"""Four eyes: whoever owns an agent, or made it what it is, does not judge it, whatever else they may.

An agent that acts stands for the people who answer for it: what its key did, they can have done.
"""

from collections.abc import Collection, Iterable
from typing import Any, Final
from uuid import UUID

from django.db.models import Q

from agentiam.kit.errors import NotAllowed
from directory.lifecycle import State
from directory.models import Agent, User
from directory.services.answering import who_answers_for

_RIGHT: Final = "approve_agent"
_NAMED: Final = 5
_PROFILE: Final = (
    *("name", "purpose", "environment", "framework", "model", "version", "model_hash", "charter_hash", "tools_hash"),
    *("capabilities", "risk_tier", "team", "expires_at", "blueprint"),
)


def owners_of(agent: Agent) -> set[UUID]:
    """Find who owns an agent, and who owned it since it was registered: they may have its keys still."""
    return {agent.owner_id, *_versions(agent).values_list("owner_id", flat=True)}


def makers_of(agent: Agent, *, since_review: bool = False) -> set[UUID]:
    """Find who registered or changed an agent, themselves or through an agent of theirs; reviewing it changes nothing.

    ``since_review`` leaves out what was done before it waited for the review that it waits for now.
    """
    versions = _versions(agent).order_by("history_id")
    reviewed = versions.filter(review_needed=False).last() if since_review else None
    if reviewed is not None:
        versions = versions.filter(history_id__gt=reviewed.history_id)
    authors, waited = {None if since_review else agent.registered_by_id}, False
    for author, waits in versions.values_list("history_user_id", "review_needed"):
        if waits or not waited:
            authors.add(author)
        waited = waits
    return people_behind(authors)


def shapers_of(agent: Agent) -> set[UUID]:
    """Find who registered an agent or changed its profile, themselves or through an agent of theirs; not who only ran it."""
    authors, before = {agent.registered_by_id}, None
    for author, *profile in _versions(agent).order_by("history_id").values_list("history_user_id", *_PROFILE):
        if profile != before:
            authors.add(author)
        before = profile
    return people_behind(authors)


def people_behind(accounts: Iterable[UUID | None]) -> set[UUID]:
    """Add to accounts whoever answers for those that are agents': each of them can have acted in the agent's name."""
    found: set[UUID] = set()
    fresh = {account for account in accounts if account is not None}
    while fresh:
        found |= fresh
        agents = Agent.objects.filter(user__in=fresh).values_list("pk", flat=True)
        fresh = who_answers_for(agents, ever=True) - found if agents else set()
    return found


def who_may_judge(agent: Agent, *, without: Iterable[UUID]) -> tuple[User, ...]:
    """List the people with the right to approve for an agent, but for some; those who might are asked one by one."""
    people = User.objects.people().active().filter(organization=agent.organization_id).exclude(pk__in=without)
    possible = people.filter(
        ~Q(console_roles=[])
        | Q(is_superuser=True)
        | Q(pk=agent.sponsor_id)
        | Q(groups__team=agent.sponsor_team_id, groups__team__isnull=False)
        | Q(user_permissions__codename=_RIGHT)
        | Q(groups__permissions__codename=_RIGHT)
        | Q(agentuserpermission__content_object=agent, agentuserpermission__permission__codename=_RIGHT)
        | Q(groups__agentgrouppermission__content_object=agent, groups__agentgrouppermission__permission__codename=_RIGHT)
    )
    return tuple(
        person
        for person in possible.order_by("name", "pk").distinct()
        if Agent.objects.permitting(person, _RIGHT).filter(pk=agent.pk).exists()
    )


def require_another(person: User, agent: Agent, *, than: Collection[UUID], refusal: type[NotAllowed]) -> None:
    """Refuse somebody who cannot judge an agent, and name who can."""
    if person.pk not in than:
        return
    others = [str(each) for each in who_may_judge(agent, without=than)]
    named = ", ".join(others[:_NAMED])
    remedy = f"Somebody else has to: {named}." if named else "Somebody else has to; give approve_agent to somebody."
    raise refusal(f"{person} owns {agent} or owned it, or made it what it is.", remedy=remedy)


def _versions(agent: Agent) -> Any:
    return agent.history.exclude(state=State.DISCOVERED)  # type: ignore[attr-defined]  # made by simple-history
