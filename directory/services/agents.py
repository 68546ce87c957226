"""An agent enters the directory: seen by somebody, or registered with everything that must be known of it."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, Self

from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Conflict, IllegalTransition, NotAllowed
from audit.services import Change
from directory import events
from directory.lifecycle import Event, State
from directory.models import Agent, Blueprint, Organization, Team, User
from directory.services.answering import account_of, answers_for, may_register
from directory.services.declarations import check_capabilities, within
from directory.services.reports import conclude, report
from directory.services.revisions import agent_refs, lock_organization, require_same_organization
from directory.services.transitions import (
    FINGERPRINTS,
    BadAgentEnd,
    accountable_owner,
    accountable_sponsor,
    and_descendants,
    latch_review,
    lock_agent,
    move,
    require_future,
)
from directory.services.versions import changes, save_version

_LIMITS: Final = ("capabilities", "environment", "risk_tier", "team")


class AgentKnown(Conflict):
    """The organization has an agent under this external id already."""


class LaterEnd(NotAllowed):
    """Those who answer for an agent do not let it live longer than was agreed to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentProfile:
    """Everything that describes an agent and can change; ``capabilities`` None declares no ceiling."""

    name: str
    purpose: str
    environment: str = Agent.Environment.PRODUCTION.value
    framework: str = ""
    model: str = ""
    version: str = ""
    model_hash: str = ""
    charter_hash: str = ""
    tools_hash: str = ""
    capabilities: list[dict[str, Any]] | None = None
    risk_tier: str = Agent.RiskTier.MEDIUM.value
    team: Team | None = None
    expires_at: datetime | None = None

    @classmethod
    def of(cls, agent: Agent) -> Self:
        """Read an agent's present profile."""
        return cls(**{each.name: getattr(agent, each.name) for each in fields(cls)})

    def checked(self) -> dict[str, Any]:
        """Answer the profile as fields of an agent; raises BadDeclaration."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**values, "capabilities": check_capabilities(self.capabilities)}


def record_discovery(
    *,
    organization: Organization,
    external_id: str,
    name: str,
    seen_in: str,
    owner: User,
    sponsor: User | None = None,
    sponsor_team: Team | None = None,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> Agent:
    """Note an agent that was seen and that nobody had registered; it is inert, and its account is inactive.

    Owner and sponsor are those who have to clear up what it is. Raises AgentKnown.
    """
    with transaction.atomic():
        current = lock_organization(organization.pk, by=by)
        if Agent.objects.filter(organization=current, external_id=external_id).exists():
            raise AgentKnown(f"{external_id} is known already.")
        person, team = accountable_sponsor(sponsor, sponsor_team, current)
        agent = Agent(
            organization=current,
            external_id=external_id,
            name=name,
            purpose=f"Not known; seen in {seen_in}.",
            owner=accountable_owner(owner, current),
            sponsor=person,
            sponsor_team=team,
            state=State.DISCOVERED.value,
            created_at=now,
        )
        add_agent(agent, active=False, by=by, reason=reason, now=now)
        seen = report(events.AGENT_DISCOVERED, agent, by=by, reason=reason, now=now, data={"seen_in": seen_in})
        conclude([seen], touched=agent_refs([agent]))
    return agent


def register_agent(
    *,
    organization: Organization,
    external_id: str,
    profile: AgentProfile,
    owner: User,
    sponsor: User | None = None,
    sponsor_team: Team | None = None,
    blueprint: Blueprint | None = None,
    registrar: User | None = None,
    reviewed: bool = True,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> Agent:
    """Add an agent with its account, pending until it is activated; one that was discovered under that id is taken over.

    ``sponsor`` or ``sponsor_team`` is given, not both. ``registrar`` is the one behind an actor without an account, who then
    cannot agree to the onboarding. One that is not ``reviewed`` waits for somebody else's review too. Raises NobodyAccountable,
    ForeignOrganization, BadDeclaration, AgentKnown, AgentIsOver and InvalidRecord.
    """
    require_future(profile.expires_at, now=now)
    values = profile.checked()
    with transaction.atomic():
        current = lock_organization(organization.pk, by=by)
        require_same_organization(current, profile.team, blueprint, registrar)
        person, team = accountable_sponsor(sponsor, sponsor_team, current)
        values |= {
            "owner": accountable_owner(owner, current),
            "sponsor": person,
            "sponsor_team": team,
            "blueprint": blueprint,
            "review_needed": not reviewed,
            "registered_by": registrar if by.user_id is None else User.objects.get(pk=by.user_id),
        }
        agent = Agent.objects.filter(organization=current, external_id=external_id).select_related("user").first()
        if agent is None:
            agent = Agent(organization=current, external_id=external_id, created_at=now, **values)
            add_agent(agent, active=True, by=by, reason=reason, now=now)
            registered = report(events.AGENT_REGISTERED, agent, by=by, reason=reason, now=now, data=_answering(agent))
        else:
            registered = _adopt(agent, values, by=by, reason=reason, now=now)
        conclude([registered], touched=agent_refs([agent]))
    return agent


def update_agent(*, agent: Agent, profile: AgentProfile, by: Actor, reason: str = "", now: datetime) -> Agent:
    """Replace an agent's profile; another purpose is its next version. A spawned agent's end can only be brought forward.

    An agent whose fingerprint changes stops until somebody else has reviewed it; so does one that somebody who answers for it
    lets do more: another environment or risk tier, or capabilities that it had not declared. Nor do they put its end off,
    unless they manage all agents. Raises BadDeclaration, BadAgentEnd, LaterEnd and IllegalTransition.
    """
    values = profile.checked()
    with transaction.atomic():
        current = lock_agent(agent, by=by)
        if current.state == State.RETIRED:
            raise IllegalTransition("A retired agent stays as it is.")
        require_same_organization(current.organization, profile.team)
        if profile.expires_at != current.expires_at:
            require_future(profile.expires_at, now=now)
            _require_no_later_end(current, profile.expires_at, by=by)
        changed = changes(current, values)
        current.purpose_version += "purpose" in changed
        save_version(current, by=by, reason=reason, now=now, fields=[*values, "purpose_version"])
        if "name" in changed:
            current.user.name = current.name
            save_version(current.user, by=by, reason=reason, now=now, fields=["name"])
        updated = report(events.AGENT_UPDATED, current, by=by, reason=reason, now=now, data={"changed": changed})
        happened = [updated]
        drifted = {name: changed[name] for name in FINGERPRINTS if changed.get(name, [""])[0]}
        if _answered_for(current, by=by):
            drifted |= {name: changed[name] for name in _LIMITS if name in changed and _widens(name, *changed[name])}
        if drifted and not current.review_needed and _is_relied_on(current, by=by):
            happened += latch_review(current, drifted, by=by, reason=reason, now=now)
        conclude(happened, touched=agent_refs(and_descendants([current])))
    return current


def add_agent(agent: Agent, *, active: bool, by: Actor, reason: str, now: datetime) -> None:
    """Store a new agent with its account, and name it in the trust domain; its organization is locked."""
    agent.user = User(
        organization=agent.organization,
        kind=User.Kind.AGENT,
        username=f"agent:{agent.pk}",
        external_id=agent.external_id,
        name=agent.name,
        is_active=active,
        created_at=now,
    )
    agent.user.set_unusable_password()
    agent.spiffe_id = f"spiffe://{agent.organization.trust_domain}/agent/{agent.pk}"
    save_version(agent.user, by=by, reason=reason, now=now)
    agent.user_id = agent.user.pk
    save_version(agent, by=by, reason=reason, now=now)


def _adopt(agent: Agent, values: dict[str, Any], *, by: Actor, reason: str, now: datetime) -> Change:
    """Register an agent that was discovered."""
    if agent.state != State.DISCOVERED:
        raise AgentKnown(f"{agent.external_id} is registered already.")
    for name, value in values.items():
        setattr(agent, name, value)
    agent.ownerless = False
    agent.user.name = agent.name
    agent.user.is_active = True
    save_version(agent.user, by=by, reason=reason, now=now, fields=["name", "is_active"])
    return move(agent, Event.REGISTER, also=[*values, "ownerless"], by=by, reason=reason, now=now, data=_answering(agent))


def _answered_for(agent: Agent, *, by: Actor) -> bool:
    """Whether the one who acts answers for the agent, or cannot be told from those who do."""
    if by.kind == "system":
        return False
    account = account_of(by)
    return account is None or Agent.objects.filter(answers_for(account), pk=agent.pk).exists()


def _widens(name: str, before: Any, after: Any) -> bool:
    return name != "capabilities" or not within(after, before)


def _is_relied_on(agent: Agent, *, by: Actor) -> bool:
    """Whether somebody relies on what the agent is made of: it was started or signed off, or starts without anybody's yes."""
    if agent.state in (State.ACTIVE, State.SUSPENDED):
        return True
    if agent.state != State.PENDING:
        return False
    asked = agent.blueprint is not None and agent.blueprint.sign_offs > 0
    return agent.sign_offs.exists() if asked else not may_register_as(by, agent.blueprint)


def may_register_as(by: Actor, blueprint: Blueprint | None) -> bool:
    """Tell whether the one who acts may register an agent of a blueprint, or of none; whoever has no account may not."""
    if by.kind == "system":
        return True
    account = account_of(by)
    return account is not None and may_register(account, blueprint)


def _answering(agent: Agent) -> dict[str, Any]:
    return {
        "owner": agent.owner.external_id,
        "sponsor": None if agent.sponsor is None else agent.sponsor.external_id,
        "sponsor_team": None if agent.sponsor_team is None else agent.sponsor_team.external_id,
        "blueprint": None if agent.blueprint is None else agent.blueprint.external_id,
        **({"review_needed": True} if agent.review_needed else {}),
    }


def _require_no_later_end(agent: Agent, expires_at: datetime | None, *, by: Actor) -> None:
    if agent.expires_at is None or (expires_at is not None and expires_at <= agent.expires_at):
        return
    if agent.parent_id is not None:
        raise BadAgentEnd("A spawned agent's end can only be brought forward.")
    if not _answered_for(agent, by=by) or not _is_relied_on(agent, by=by):
        return
    account = account_of(by)
    if account is None or not account.has_perm("directory.manage_agent"):
        raise LaterEnd(f"Whoever answers for {agent} does not put its end off.", remedy="A security administrator may.")
