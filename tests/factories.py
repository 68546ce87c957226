"""Objects of the directory for tests, made through the services, so that no test stands on a state that cannot come about."""

from datetime import UTC, datetime
from itertools import count
from typing import Any

from django.contrib.auth.models import Permission

from agentiam.kit.actors import system
from directory.lifecycle import State
from directory.models import Agent, Blueprint, Organization, Team, User
from directory.services.agents import AgentProfile, record_discovery, register_agent
from directory.services.blueprints import BlueprintTerms, create_blueprint
from directory.services.offboarding import retire_agent
from directory.services.onboarding import activate_agent
from directory.services.organizations import create_organization
from directory.services.people import create_person
from directory.services.spawning import spawn_agent
from directory.services.suspension import suspend_agent
from directory.services.teams import create_team, set_team_members

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
SYSTEM = system("tests")

_number = count(1)


def make_organization(slug: str = "", **values: Any) -> Organization:
    """Make a tenant; ``acme`` lives in the trust domain ``acme.example``."""
    slug = slug or f"organization-{next(_number)}"
    given: dict[str, Any] = {"name": slug.capitalize(), "trust_domain": f"{slug}.example", "by": SYSTEM, "now": NOW}
    return create_organization(slug=slug, **given | values)


def make_person(organization: Organization, external_id: str = "", *, permissions: tuple[str, ...] = (), **values: Any) -> User:
    """Make a person; ``permissions`` are codenames of the directory's model permissions, like ``view_agent``."""
    external_id = external_id or f"person-{next(_number)}"
    given: dict[str, Any] = {
        "username": f"{external_id}@{organization.slug}.example",
        "name": external_id.capitalize(),
        "by": SYSTEM,
        "now": NOW,
    }
    person = create_person(organization=organization, external_id=external_id, **given | values)
    for codename in permissions:
        person.user_permissions.add(Permission.objects.get(content_type__app_label="directory", codename=codename))
    return User.objects.get(pk=person.pk)


def make_team(
    organization: Organization, external_id: str = "", *, parent: Team | None = None, members: tuple[User, ...] = ()
) -> Team:
    """Make a team with people."""
    external_id = external_id or f"team-{next(_number)}"
    team = create_team(
        organization=organization, external_id=external_id, name=external_id.capitalize(), parent=parent, by=SYSTEM, now=NOW
    )
    return set_team_members(team=team, members=members, by=SYSTEM, now=NOW) if members else team


def make_blueprint(organization: Organization, external_id: str = "", **terms: Any) -> Blueprint:
    """Make a blueprint; ``terms`` are those of BlueprintTerms."""
    external_id = external_id or f"blueprint-{next(_number)}"
    terms = {"name": external_id.capitalize()} | terms
    return create_blueprint(
        organization=organization, external_id=external_id, terms=BlueprintTerms(**terms), by=SYSTEM, now=NOW
    )


def make_agent(
    organization: Organization | None = None,
    external_id: str = "",
    *,
    state: State = State.ACTIVE,
    parent: Agent | None = None,
    owner: User | None = None,
    sponsor: User | None = None,
    sponsor_team: Team | None = None,
    blueprint: Blueprint | None = None,
    now: datetime = NOW,
    **profile: Any,
) -> Agent:
    """Make an agent in a state, or spawn one from ``parent``; ``profile`` are fields of AgentProfile.

    Without an owner one is made; without a sponsor the owner is it. A parent without a blueprint gets one that lets it spawn.
    """
    external_id = external_id or f"agent-{next(_number)}"
    profile = {"name": external_id.capitalize(), "purpose": "Works for a test."} | profile
    if parent is not None:
        child = _spawn(parent, external_id, profile, now=now)
        return _end_up(child, state, now=now)
    organization = organization or make_organization()
    owner = owner or make_person(organization)
    sponsor = None if sponsor_team is not None else sponsor or owner
    answering: dict[str, Any] = {"owner": owner, "sponsor": sponsor, "sponsor_team": sponsor_team, "by": SYSTEM, "now": now}
    if state is State.DISCOVERED:
        return record_discovery(
            organization=organization, external_id=external_id, name=profile["name"], seen_in="a test", **answering
        )
    agent = register_agent(
        organization=organization,
        external_id=external_id,
        profile=AgentProfile(**profile),
        blueprint=blueprint,
        **answering,
    )
    if state in (State.ACTIVE, State.SUSPENDED):
        agent = activate_agent(agent=agent, by=SYSTEM, now=now)
    return _end_up(agent, state, now=now)


def _spawn(parent: Agent, external_id: str, profile: dict[str, Any], *, now: datetime) -> Agent:
    if parent.blueprint_id is None:
        blueprint = make_blueprint(parent.organization, spawn_depth=9, spawn_children=999)
        Agent.objects.filter(pk=parent.pk).update(blueprint=blueprint)
        parent.blueprint = blueprint
    return spawn_agent(parent=parent, external_id=external_id, **profile, by=SYSTEM, now=now)


def _end_up(agent: Agent, state: State, *, now: datetime) -> Agent:
    if state is State.SUSPENDED:
        return suspend_agent(agent=agent, by=SYSTEM, now=now)
    if state is State.RETIRED:
        return retire_agent(agent=agent, by=SYSTEM, now=now)
    return agent
