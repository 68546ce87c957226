"""Teams within teams, mirrored into Django's groups: a team's group holds its own people and those of all teams below it.

Whoever comes into a team has what it and the teams around it hold. So a team is moved by those who manage all teams around it,
before and after, and nobody brings themselves into a team, whatever it holds today; the system alone is free to.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

from django.contrib.auth.models import Group
from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Conflict
from directory import events
from directory.models import Organization, Team, User
from directory.services.people import NotAPerson
from directory.services.reports import conclude, report
from directory.services.revisions import EVERYTHING, lock_organization, require_same_organization, user_ref
from directory.services.rights import TeamNotYours, WidensOneself, acting_account
from directory.services.versions import changes, save_version


class TeamCycle(Conflict):
    """The team would lie within itself."""


def create_team(
    *,
    organization: Organization,
    external_id: str,
    name: str,
    parent: Team | None = None,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> Team:
    """Add a team without people, at the top or within another.

    Within another, raises TeamNotYours for somebody who does not manage all teams around it, and NotAnActivePerson for agents
    and applications.
    """
    team = Team(organization=organization, external_id=external_id, name=name, parent=parent, created_at=now)
    with transaction.atomic():
        require_same_organization(lock_organization(organization.pk, by=by), parent)
        if parent is not None:
            _require_managed(_and_around(parent), by=by)
        team.group = Group.objects.create(name=f"team:{team.pk}")
        save_version(team, by=by, reason=reason, now=now)
        data = {"parent": None if parent is None else parent.external_id}
        conclude([report(events.TEAM_CREATED, team, by=by, reason=reason, now=now, data=data)], touched=[EVERYTHING])
    return team


def update_team(*, team: Team, name: str, parent: Team | None, by: Actor, reason: str = "", now: datetime) -> Team:
    """Rename a team or move it, with the teams below it, elsewhere; None moves it to the top.

    Raises TeamCycle; for a move also TeamNotYours for somebody who does not manage it and all around it, before and after,
    WidensOneself for somebody in it who would come into another, and NotAnActivePerson for agents and applications.
    """
    with transaction.atomic():
        current = _lock_team(team, by=by)
        require_same_organization(current.organization, parent)
        before = _and_around(current)
        if parent is not None and Team.objects.filter(pk=current.pk).and_below().filter(pk=parent.pk).exists():
            raise TeamCycle(f"{parent} lies within {current}.")
        if parent != current.parent:
            _require_movable(current, before, set() if parent is None else _and_around(parent), by=by)
        changed = changes(current, {"name": name, "parent": parent})
        save_version(current, by=by, reason=reason, now=now, fields=["name", "parent"])
        if "parent" in changed:
            _mirror({*before, *_and_around(current)})
        updated = report(events.TEAM_UPDATED, current, by=by, reason=reason, now=now, data={"changed": changed})
        conclude([updated], touched=[EVERYTHING])
    return current


def set_team_members(*, team: Team, members: Iterable[User], by: Actor, reason: str = "", now: datetime) -> Team:
    """Say who is in a team, all of them; those of the teams below it are not named here.

    Raises NotAPerson for an agent, WidensOneself for somebody who adds themselves, and NotAnActivePerson for agents and
    applications that add anybody.
    """
    wanted = {person.pk: person for person in members}
    with transaction.atomic():
        current = _lock_team(team, by=by)
        require_same_organization(current.organization, *wanted.values())
        for person in wanted.values():
            if not person.is_person:
                raise NotAPerson(f"{person} is an agent.", remedy="An agent belongs to a team through its profile.")
        present = {person.pk: person for person in current.members.all()}
        if wanted.keys() - present.keys():
            _require_others(wanted.keys() - present.keys(), by=by)
        # One version for both steps of the many-to-many change, and not one each.
        current.skip_history_when_saving = True  # type: ignore[attr-defined]  # how simple-history is told
        current.members.set(wanted.values())
        del current.skip_history_when_saving  # type: ignore[attr-defined]
        save_version(current, by=by, reason=reason, now=now, fields=["name"])
        _mirror(_and_around(current))
        added = [wanted[pk] for pk in wanted.keys() - present.keys()]
        removed = [present[pk] for pk in present.keys() - wanted.keys()]
        data = {"added": sorted(p.external_id for p in added), "removed": sorted(p.external_id for p in removed)}
        changed = report(events.TEAM_MEMBERS_CHANGED, current, by=by, reason=reason, now=now, data=data)
        conclude([changed], touched=[f"team/{current.external_id}", *map(user_ref, [*added, *removed])])
    return current


def _lock_team(team: Team, *, by: Actor) -> Team:
    lock_organization(team.organization_id, by=by)
    locked = Team.objects.select_for_update(no_key=True, of=("self",))
    return locked.select_related("organization", "parent", "group").get(pk=team.pk)


def _require_movable(team: Team, before: set[Team], around: set[Team], *, by: Actor) -> None:
    """Ask whether somebody may take a team, with its people, from those around it into others."""
    _require_managed(before | around, by=by)
    # The group, as its people are those of the teams below too; a move outwards brings nobody in.
    if around - before:
        _require_others(set(team.group.user_set.values_list("pk", flat=True)), by=by)


def _require_managed(teams: set[Team], *, by: Actor) -> None:
    account = acting_account(by)
    if account is None:
        return
    managed = Team.objects.permitting(account, "manage_team").filter(pk__in=[team.pk for team in teams])
    if teams - set(managed):
        # Not by name: somebody who manages a team need not see those around it.
        raise TeamNotYours(
            f"{account} does not manage all of these teams.",
            remedy="Ask somebody who manages the team, those around it, and those that it comes into.",
        )


def _require_others(people: Collection[UUID], *, by: Actor) -> None:
    """Refuse to bring oneself into a team; for agents, anybody: whoever acts through one would bring in themselves."""
    account = acting_account(by)
    if account is not None and account.pk in people:
        raise WidensOneself("Nobody brings themselves into a team.")


def _and_around(team: Team) -> set[Team]:
    start = Team.objects.filter(pk=team.pk)
    return set(start.and_around().select_related("group"))


def _mirror(teams: Iterable[Team]) -> None:
    """Make each team's group hold the people of the team and of all teams below it."""
    for team in teams:
        within = Team.objects.filter(pk=team.pk).and_below()
        people = User.objects.filter(pk__in=Team.members.through.objects.filter(team__in=within).values("user"))
        team.group.user_set.set(people)
