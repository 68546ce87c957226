"""An agent starts to work once as many people have agreed as its blueprint asks for, none of whom owns it or registered it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Conflict, IllegalTransition, NotAllowed
from agentiam.kit.tokens import Token
from audit.services import Change
from directory import events
from directory.lifecycle import Event, State, next_state
from directory.models import Agent, Blueprint, Credential, CredentialRecord, Organization, SignOff, Team, User
from directory.services.agents import AgentProfile, register_agent
from directory.services.blueprints import UnknownCredentialMethod
from directory.services.credentials import (
    DECIDE_ONLY,
    issue_api_key,
    issue_client_secret,
    register_federated,
    register_public_key,
)
from directory.services.judges import makers_of, owners_of, require_another, who_may_judge
from directory.services.reports import conclude, report, together
from directory.services.revisions import agent_refs
from directory.services.transitions import (
    accountable_sponsor,
    active_person,
    and_descendants,
    lock_agent,
    move,
    require_owned,
    require_reviewed,
    require_unexpired,
)


class OnlyAPerson(NotAllowed):
    """Neither an agent nor the system can do this: a person answers for it."""


class OwnRegistration(NotAllowed):
    """Those who own an agent, registered it or changed it cannot agree to its onboarding."""


class AlreadySignedOff(Conflict):
    """The person has agreed already."""


class SignOffsMissing(Conflict):
    """Fewer people have agreed than the blueprint asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstCredential:
    """How an agent is to prove itself from the start: a kind, and what it needs (``jwk``; ``issuer``, ``subject`` and more)."""

    kind: str = CredentialRecord.Kind.API_KEY.value
    label: str = "first"
    jwk: dict[str, Any] | None = None
    issuer: str = ""
    subject: str = ""
    audience: str = ""
    conditions: dict[str, Any] | None = None
    scopes: Iterable[str] = DECIDE_ONLY
    allowed_networks: Iterable[str] = ()
    requires_dpop: bool = False
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Onboarded:
    """An agent as it was onboarded; ``token`` holds its secret, if it got one, which is seen here and never again.

    While it is pending, ``missing`` more people must agree, of those in ``may_sign``.
    """

    agent: Agent
    credential: Credential | None = None
    token: Token | None = field(default=None, repr=False)
    missing: int = 0
    may_sign: tuple[User, ...] = ()


def onboard_agent(
    *,
    organization: Organization,
    external_id: str,
    profile: AgentProfile,
    owner: User,
    sponsor: User | None = None,
    sponsor_team: Team | None = None,
    blueprint: Blueprint | None = None,
    registrar: User | None = None,
    credential: FirstCredential | None = None,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> Onboarded:
    """Register an agent, give it its first credential, and activate it if nobody has to agree: in one change.

    Raises MethodNotAllowed for a kind of credential that the blueprint does not allow, and as ``register_agent``,
    ``issue_api_key`` and ``activate_agent``.
    """
    acting: dict[str, Any] = {"by": by, "reason": reason, "now": now}
    with together():
        agent = register_agent(
            organization=organization,
            external_id=external_id,
            profile=profile,
            owner=owner,
            sponsor=sponsor,
            sponsor_team=sponsor_team,
            blueprint=blueprint,
            registrar=registrar,
            **acting,
        )
        missing = missing_sign_offs(agent)
        if not missing:
            agent = activate_agent(agent=agent, **acting)
        issued, token = (None, None) if credential is None else _first_credential(agent, credential, acting)
    may_sign = who_may_sign(agent) if missing else ()
    return Onboarded(agent=agent, credential=issued, token=token, missing=missing, may_sign=may_sign)


def approve_onboarding(*, agent: Agent, by: Actor, reason: str = "", now: datetime) -> Agent:
    """Agree, as a person, to an agent's onboarding; the last agreement that the blueprint asks for activates it.

    Raises OnlyAPerson, OwnRegistration, AlreadySignedOff, IllegalTransition, and whatever ``activate_agent`` raises.
    """
    with transaction.atomic():
        current = lock_agent(agent, by=by)
        if State(current.state) is not State.PENDING:
            raise IllegalTransition(f"A {current.state} agent is not waiting for its onboarding.")
        person = acting_person(by, current)
        require_another(person, current, than=_no_judges(current), refusal=OwnRegistration)
        if SignOff.objects.filter(agent=current, person=person).exists():
            raise AlreadySignedOff(f"{person} has agreed already.")
        SignOff.objects.create(agent=current, person=person, reason=reason, signed_at=now)
        missing = missing_sign_offs(current)
        happened = [report(events.AGENT_SIGNED_OFF, current, by=by, reason=reason, now=now, data={"missing": missing})]
        if not missing:
            happened.append(_activate(current, by=by, reason=reason, now=now))
        conclude(happened, touched=agent_refs([current]))
    return current


def activate_agent(*, agent: Agent, by: Actor, reason: str = "", now: datetime) -> Agent:
    """Let a pending agent work.

    Raises SignOffsMissing, NobodyAccountable, AgentOwnerless, ReviewNeeded, AgentIsOver and IllegalTransition.
    """
    with transaction.atomic():
        current = lock_agent(agent, by=by)
        activated = _activate(current, by=by, reason=reason, now=now)
        conclude([activated], touched=agent_refs(and_descendants([current])))
    return current


def missing_sign_offs(agent: Agent) -> int:
    """Count how many more people must agree; see ``given_sign_offs``."""
    needed = 0 if agent.blueprint is None else agent.blueprint.sign_offs
    return max(0, needed - given_sign_offs(agent)) if needed else 0


def given_sign_offs(agent: Agent) -> int:
    """Count the people who agreed; not those who were deactivated since, nor those who own the agent or changed it since."""
    return agent.sign_offs.filter(person__is_active=True).exclude(person__in=_no_judges(agent)).count()


def who_may_sign(agent: Agent) -> tuple[User, ...]:
    """List the people who may agree to an agent's onboarding, and have not; those who might are asked one by one."""
    return who_may_judge(agent, without={*_no_judges(agent), *agent.sign_offs.values_list("person", flat=True)})


def _no_judges(agent: Agent) -> set[UUID]:
    return owners_of(agent) | makers_of(agent)


def _first_credential(
    agent: Agent, wanted: FirstCredential, acting: dict[str, Any]
) -> tuple[Credential, Token] | tuple[Credential, None]:
    common: dict[str, Any] = {
        "agent": agent,
        "label": wanted.label,
        "expires_at": wanted.expires_at,
        "allowed_networks": wanted.allowed_networks,
        "requires_dpop": wanted.requires_dpop,
        **acting,
    }
    kinds = CredentialRecord.Kind
    match wanted.kind:
        case kinds.API_KEY:
            return issue_api_key(scopes=wanted.scopes, **common)
        case kinds.CLIENT_SECRET:
            return issue_client_secret(scopes=wanted.scopes, **common)
        case kinds.PUBLIC_KEY:
            return register_public_key(jwk=wanted.jwk or {}, scopes=wanted.scopes, **common), None
        case kinds.FEDERATED:
            vouched = {name: getattr(wanted, name) for name in ("issuer", "subject", "audience", "conditions")}
            return register_federated(**vouched, **common), None
    raise UnknownCredentialMethod(f"{wanted.kind!r} is not a kind of credential.", remedy=f"Known: {', '.join(kinds.values)}.")


def acting_person(by: Actor, agent: Agent) -> User:
    """Find the person who acts; raises OnlyAPerson for anybody else, NobodyAccountable for one who was deactivated."""
    if by.kind != "person" or by.user_id is None:
        raise OnlyAPerson("Only a person can do this.")
    return active_person(User.objects.get(pk=by.user_id), agent.organization, role="The one who acts")


def _activate(agent: Agent, *, by: Actor, reason: str, now: datetime) -> Change:
    next_state(State(agent.state), Event.ACTIVATE)
    require_unexpired(agent, now=now)
    require_owned(agent)
    require_reviewed(agent)
    accountable_sponsor(agent.sponsor, agent.sponsor_team, agent.organization)
    missing = missing_sign_offs(agent)
    if missing:
        raise SignOffsMissing(f"{missing} more {'person' if missing == 1 else 'people'} must agree.")
    return move(agent, Event.ACTIVATE, by=by, reason=reason, now=now)
