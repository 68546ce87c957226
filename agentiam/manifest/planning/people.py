"""The organization, its people and its teams."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from functools import partial

from agentiam.manifest import documents
from agentiam.manifest.mistakes import Path
from agentiam.manifest.planning.changes import Hand, Phase, Plan, created, differences
from agentiam.manifest.references import in_order
from agentiam.manifest.settling import settled_person, settled_team
from directory.services.console_roles import set_console_roles
from directory.services.organizations import create_organization, update_organization
from directory.services.people import create_person, deactivate_person, reactivate_person, update_person
from directory.services.teams import create_team, set_team_members, update_team
from permissions.services.offboarding import offboard_person


def plan_organization(plan: Plan, wanted: documents.Organization) -> None:
    """Plan to create or change the organization itself."""
    present = plan.present.described
    if present is None:
        plan.change("create", "organization", wanted.slug, created(wanted, besides=["slug"]))
        plan.step(Phase.ORGANIZATION, ("organization",), partial(_create_organization, wanted))
    elif changed := differences(present, wanted):
        plan.change("update", "organization", wanted.slug, changed)
        plan.step(Phase.ORGANIZATION, ("organization",), partial(_update_organization, wanted))


def _create_organization(wanted: documents.Organization, hand: Hand) -> None:
    hand.made = create_organization(
        slug=wanted.slug,
        name=wanted.name,
        trust_domain=wanted.trust_domain,
        time_zone=wanted.time_zone,
        subject_types=wanted.subject_types,
        discoverable=wanted.discoverable,
        **hand.acting,
    )


def _update_organization(wanted: documents.Organization, hand: Hand) -> None:
    hand.made = update_organization(
        organization=hand.organization,
        name=wanted.name,
        time_zone=wanted.time_zone,
        subject_types=wanted.subject_types,
        discoverable=wanted.discoverable,
        **hand.acting,
    )


def plan_people(plan: Plan, wanted: Iterable[documents.Person], *, slug: str) -> None:
    """Plan to add, change, close and open accounts of people."""
    listed = {}
    for index, part in enumerate(wanted):
        path: Path = ("people", index)
        person = settled_person(part)
        listed[person.id] = path, person
        present = plan.present.people.get(person.id)
        if present is None:
            _plan_new_person(plan, person, path, slug=slug)
        else:
            _plan_known_person(plan, present, person, path)
    _plan_console_roles(plan, listed.values())
    if plan.prune:
        _plan_people_gone(plan, plan.present.people.keys() - listed.keys())


def _plan_new_person(plan: Plan, person: documents.Person, path: Path, *, slug: str) -> None:
    if not person.username:
        person.username = f"{person.id}@{slug}"
    plan.change("create", "person", person.id, created(person, besides=["id"]))
    plan.step(Phase.PEOPLE, path, partial(_create_person, person))
    if not person.active:
        plan.step(Phase.PEOPLE_DEACTIVATED, path, partial(_deactivate_person, person.id))


def _plan_known_person(plan: Plan, present: documents.Person, person: documents.Person, path: Path) -> None:
    if person.username and person.username != present.username:
        plan.refuse((*path, "username"), f"{person.id} logs in as {present.username}, and goes on to.")
    unmanaged = ["username"] if person.console_roles is not None else ["username", "console_roles"]
    changed = differences(present, person, besides=unmanaged)
    if not changed:
        return
    plan.change("update", "person", person.id, changed)
    if set(changed) - {"active", "console_roles"}:
        plan.step(Phase.PEOPLE, path, partial(_update_person, person))
    if "active" in changed and person.active:
        plan.step(Phase.PEOPLE, path, partial(_reactivate_person, person.id))
    elif "active" in changed:
        plan.step(Phase.PEOPLE_DEACTIVATED, path, partial(_deactivate_person, person.id))


def _plan_console_roles(plan: Plan, people: Iterable[tuple[Path, documents.Person]]) -> None:
    """Let whoever gains roles come before whoever loses some: an organization always has its security administrator."""
    gaining: list[tuple[Path, documents.Person]] = []
    losing: list[tuple[Path, documents.Person]] = []
    for path, person in people:
        present = plan.present.people.get(person.id)
        before = set() if present is None else set(present.console_roles or ())
        after = before if person.console_roles is None else set(person.console_roles)
        if before != after:
            (losing if before - after else gaining).append((path, person))
    for path, person in [*gaining, *losing]:
        plan.step(Phase.PEOPLE, path, partial(_set_console_roles, person))


def _plan_people_gone(plan: Plan, gone: AbstractSet[str]) -> None:
    for name in sorted(gone):
        if plan.present.rows["people"][name].is_superuser:
            plan.notes.append(f"{name} is not listed and stays: an administrator is not locked out by leaving them out.")
        elif plan.present.people[name].active:
            plan.change("end", "person", name, {"active": (True, False)})
            plan.notes.append(
                f"user/{name} is offboarded for good: their console roles, teams, keys, roles, grants, consents, sessions, "
                "password, second factors and linked identities end, and the agents that they own stop."
            )
            plan.step(Phase.PEOPLE_DEACTIVATED, ("people",), partial(_offboard_person, name))


def _create_person(wanted: documents.Person, hand: Hand) -> None:
    hand.rows["people"][wanted.id] = create_person(
        organization=hand.organization,
        external_id=wanted.id,
        username=wanted.username,
        name=wanted.name,
        email=wanted.email,
        attributes=wanted.attributes,
        **hand.acting,
    )


def _update_person(wanted: documents.Person, hand: Hand) -> None:
    person = hand.rows["people"][wanted.id]
    hand.rows["people"][wanted.id] = update_person(
        person=person, name=wanted.name, email=wanted.email, attributes=wanted.attributes, **hand.acting
    )


def _set_console_roles(wanted: documents.Person, hand: Hand) -> None:
    person = hand.rows["people"][wanted.id]
    hand.rows["people"][wanted.id] = set_console_roles(person=person, roles=wanted.console_roles or (), **hand.acting)


def _deactivate_person(name: str, hand: Hand) -> None:
    hand.rows["people"][name] = deactivate_person(person=hand.rows["people"][name], **hand.acting)


def _offboard_person(name: str, hand: Hand) -> None:
    hand.rows["people"][name], _ = offboard_person(person=hand.rows["people"][name], **hand.acting)


def _reactivate_person(name: str, hand: Hand) -> None:
    hand.rows["people"][name] = reactivate_person(person=hand.rows["people"][name], **hand.acting)


def plan_teams(plan: Plan, wanted: Iterable[documents.Team]) -> None:
    """Plan to add, rename, move and fill teams; one that is not wanted is emptied, since what it held is part of the record."""
    parts = {part.id: (index, settled_team(part)) for index, part in enumerate(wanted)}
    for name in in_order(parts, lambda each: parts[each][1].parent):
        index, team = parts[name]
        path: Path = ("teams", index)
        present = plan.present.teams.get(name)
        changed = created(team, besides=["id"]) if present is None else differences(present, team)
        if present is None:
            plan.change("create", "team", name, changed)
            plan.step(Phase.TEAMS, path, partial(_create_team, team))
        elif changed:
            plan.change("update", "team", name, changed)
        if present is not None and changed.keys() & {"name", "parent"}:
            plan.step(Phase.TEAMS, path, partial(_update_team, team))
        if "members" in changed:
            plan.step(Phase.TEAMS, path, partial(_set_members, team))
    for name in sorted(plan.present.teams.keys() - parts.keys()) if plan.prune else ():
        if members := plan.present.teams[name].members:
            plan.change("end", "team", name, {"members": (members, [])})
            plan.step(Phase.TEAMS, ("teams",), partial(_set_members, documents.Team(id=name)))


def _create_team(wanted: documents.Team, hand: Hand) -> None:
    teams = hand.rows["teams"]
    teams[wanted.id] = create_team(
        organization=hand.organization,
        external_id=wanted.id,
        name=wanted.name,
        parent=teams[wanted.parent] if wanted.parent else None,
        **hand.acting,
    )


def _update_team(wanted: documents.Team, hand: Hand) -> None:
    teams = hand.rows["teams"]
    parent = teams[wanted.parent] if wanted.parent else None
    teams[wanted.id] = update_team(team=teams[wanted.id], name=wanted.name, parent=parent, **hand.acting)


def _set_members(wanted: documents.Team, hand: Hand) -> None:
    members = [hand.rows["people"][name] for name in wanted.members]
    hand.rows["teams"][wanted.id] = set_team_members(team=hand.rows["teams"][wanted.id], members=members, **hand.acting)
