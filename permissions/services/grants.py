"""What principals hold: roles by assignment, single entitlements by grant, each with a window, a use and a reason."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Invalid
from directory.models import Organization
from directory.services.reports import conclude
from directory.services.revisions import lock_organization
from directory.services.versions import save_version
from permissions import events
from permissions.models import Grant, Held, Role, RoleAssignment
from permissions.services.givers import require_not_oneself
from permissions.services.holders import Holder, holder_fields, holder_touched
from permissions.services.reports import holder_of, holding_ref, report
from permissions.services.rows import end, read_anew
from permissions.services.terms import EntitlementSpec, checked_terms
from permissions.services.windows import check_window


class ForNothing(Invalid):
    """It is neither for use nor for handing on."""


class UnknownSource(Invalid):
    """Holdings do not come from there."""

    field = "source"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How something is held; ``use`` lets the holder do it, ``delegate`` lets it hand it on, an open side has no limit."""

    use: bool = True
    delegate: bool = False
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    source: str = Held.Source.MANUAL

    def checked(self, *, now: datetime) -> dict[str, Any]:
        """Answer the terms as fields; raises ForNothing, UnknownSource and BadWindow."""
        if not (self.use or self.delegate):
            raise ForNothing("A holding is for use, for handing on, or for both.")
        if self.source not in Held.Source.values:
            raise UnknownSource(f"{self.source!r} is not a source.", remedy=f"Known: {', '.join(Held.Source.values)}.")
        check_window(starts_at=self.starts_at, ends_at=self.ends_at, now=now)
        return asdict(self)


_USUAL = Terms()


def assign_role(
    *, role: Role, holder: Holder, terms: Terms = _USUAL, by: Actor, reason: str = "", now: datetime
) -> RoleAssignment:
    """Give a role to an account or a team; raises WidensOneself, RetiredAgent, NoTrust, ForNothing, and BadWindow."""
    values = terms.checked(now=now)
    with transaction.atomic():
        organization = lock_organization(role.organization_id, by=by)
        require_not_oneself(holder, by=by)
        assignment = RoleAssignment(
            organization=organization,
            role=read_anew(role),
            reason=reason,
            given_by=_giver(by),
            created_at=now,
            **holder_fields(holder, organization, by=by, now=now),
            **values,
        )
        save_version(assignment, by=by, reason=reason, now=now)
        data = {"role": role.external_id, "holder": holding_ref(assignment), **_plain(values)}
        assigned = report(events.ROLE_ASSIGNED, assignment, by=by, reason=reason, now=now, data=data)
        conclude([assigned], touched=holder_touched(holder, organization))
    return assignment


def end_assignment(*, assignment: RoleAssignment, by: Actor, reason: str = "", now: datetime) -> RoleAssignment:
    """Take an assigned role back, from the next decision on; raises EndedAlready."""
    with transaction.atomic():
        organization = lock_organization(assignment.organization_id, by=by)
        current = read_anew(assignment, "role", "user", "team")
        end(current, by=by, reason=reason, now=now)
        holder = holder_of(current)
        data = {"role": current.role.external_id, "holder": holding_ref(current)}
        ended = report(events.ASSIGNMENT_ENDED, current, by=by, reason=reason, now=now, data=data)
        conclude([ended], touched=holder_touched(holder, organization))
    return current


def give_grant(
    *,
    organization: Organization,
    holder: Holder,
    entitlement: EntitlementSpec,
    terms: Terms = _USUAL,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> Grant:
    """Give one entitlement to an account or a team.

    Raises WidensOneself, RetiredAgent, NoTrust, ForNothing, BadWindow, and as ``checked_terms``.
    """
    values = terms.checked(now=now)
    with transaction.atomic():
        locked = lock_organization(organization.pk, by=by)
        require_not_oneself(holder, by=by)
        grant = Grant(
            organization=locked,
            reason=reason,
            given_by=_giver(by),
            created_at=now,
            **holder_fields(holder, locked, by=by, now=now),
            **checked_terms(locked, entitlement),
            **values,
        )
        save_version(grant, by=by, reason=reason, now=now)
        data = {"holder": holding_ref(grant), "entitlement": entitlement.words(), **_plain(values)}
        given = report(events.GRANT_GIVEN, grant, by=by, reason=reason, now=now, data=data)
        conclude([given], touched=holder_touched(holder, locked))
    return grant


def end_grant(*, grant: Grant, by: Actor, reason: str = "", now: datetime) -> Grant:
    """Take a grant back, from the next decision on; raises EndedAlready."""
    with transaction.atomic():
        organization = lock_organization(grant.organization_id, by=by)
        current = read_anew(grant, "resource_type", "user", "team")
        end(current, by=by, reason=reason, now=now)
        holder = holder_of(current)
        ended = report(events.GRANT_ENDED, current, by=by, reason=reason, now=now, data={"holder": holding_ref(current)})
        conclude([ended], touched=holder_touched(holder, organization))
    return current


def _giver(by: Actor) -> str:
    return f"{by.kind}/{by.id}"


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}
