"""Who can hold a role or a grant: an account or a team of the organization, or an agent of a partner that it trusts."""

from datetime import datetime
from typing import Any, TypeAlias

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Conflict, NotAllowed
from directory.lifecycle import State
from directory.models import Agent, Organization, Team, User
from directory.services.revisions import SHARED, require_same_organization, user_ref
from permissions.models import Trust

Holder: TypeAlias = User | Team


class RetiredAgent(Conflict):
    """The agent is retired: it holds nothing any more, and is let do nothing."""


class NoTrust(NotAllowed):
    """The agent belongs to another organization, and none of its agents is trusted here."""


def holder_fields(holder: Holder, organization: Organization, *, by: Actor, now: datetime) -> dict[str, Any]:
    """Answer a holder as the columns ``user`` and ``team``.

    Raises RetiredAgent; NoTrust for another organization's agent while there is no trust that both agreed to (the system may
    prepare for one that is proposed), and ForeignOrganization for anybody else of another organization.
    """
    if isinstance(holder, Team):
        require_same_organization(organization, holder)
        return {"user": None, "team": holder}
    if holder.is_person:
        require_same_organization(organization, holder)
        return {"user": holder, "team": None}
    if holder.organization_id != organization.pk:
        _require_trust(holder, organization, by=by, now=now)
    require_unretired(Agent.objects.get(user=holder))
    return {"user": holder, "team": None}


def require_unretired(agent: Agent) -> None:
    """Refuse a retired agent, reading its state anew."""
    if Agent.objects.filter(pk=agent.pk, state=State.RETIRED.value).exists():
        raise RetiredAgent(f"{agent} is retired.")


def holder_touched(holder: Holder, organization: Organization) -> set[str]:
    """Name what a change of a holder's holdings touches: a team's are shared; a partner's agent goes by both of its ids."""
    if isinstance(holder, Team):
        return {SHARED}
    if holder.organization_id == organization.pk:
        return {user_ref(holder)}
    return {user_ref(holder), f"agent/{holder.agent.spiffe_id}"}


def _require_trust(holder: User, organization: Organization, *, by: Actor, now: datetime) -> None:
    trusts = Trust.objects.filter(organization=organization, partner=holder.organization_id)
    standing = trusts.not_over(now) if by.kind == "system" else trusts.live(now)
    if not standing.exists():
        raise NoTrust(
            f"{holder.agent.spiffe_id} belongs to another organization, which {organization} does not trust.",
            remedy="Propose a trust first, and let the other side agree.",
        )
