"""Delegations: one agent lets another act for it, within a subset, to a depth, until an end."""

from datetime import datetime

from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Invalid
from directory.models import Agent
from directory.services.reports import conclude
from directory.services.revisions import agent_refs, lock_organization, require_same_organization
from directory.services.versions import save_version
from permissions import events
from permissions.models import Delegation
from permissions.services.holders import require_unretired
from permissions.services.reports import report
from permissions.services.rows import end, read_anew
from permissions.services.terms import EntitlementSpec, checked_terms
from permissions.services.windows import check_window


class BadDelegation(Invalid):
    """An agent delegates to another, and at least one agent may act on it."""


def delegate(
    *,
    delegator: Agent,
    delegate: Agent,
    entitlement: EntitlementSpec,
    depth: int = 1,
    ends_at: datetime | None = None,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> Delegation:
    """Let an agent act for another; ``depth`` counts how many agents in a row may act on it.

    Whether the delegator may hand this on is looked at in every decision. Raises BadDelegation, RetiredAgent, BadWindow, and as
    ``checked_terms``.
    """
    check_window(ends_at=ends_at, now=now)
    if depth < 1:
        raise BadDelegation("The depth is at least 1: the delegate itself.")
    if delegator.pk == delegate.pk:
        raise BadDelegation(f"{delegator} cannot delegate to itself.")
    with transaction.atomic():
        organization = lock_organization(delegator.organization_id, by=by)
        require_same_organization(organization, delegate)
        require_unretired(delegator)
        require_unretired(delegate)
        delegation = Delegation(
            organization=organization,
            delegator=delegator,
            delegate=delegate,
            depth=depth,
            reason=reason,
            created_at=now,
            ends_at=ends_at,
            **checked_terms(organization, entitlement),
        )
        save_version(delegation, by=by, reason=reason, now=now)
        data = {
            "delegator": delegator.external_id,
            "delegate": delegate.external_id,
            "entitlement": entitlement.words(),
            "depth": depth,
            "ends_at": None if ends_at is None else ends_at.isoformat(),
        }
        given = report(events.DELEGATION_GIVEN, delegation, by=by, reason=reason, now=now, data=data)
        conclude([given], touched=agent_refs([delegator]))
    return delegation


def end_delegation(*, delegation: Delegation, by: Actor, reason: str = "", now: datetime) -> Delegation:
    """Take a delegation back, from the next decision on; raises EndedAlready."""
    with transaction.atomic():
        lock_organization(delegation.organization_id, by=by)
        current = read_anew(delegation, "delegator", "delegate")
        end(current, by=by, reason=reason, now=now)
        data = {"delegator": current.delegator.external_id, "delegate": current.delegate.external_id}
        ended = report(events.DELEGATION_ENDED, current, by=by, reason=reason, now=now, data=data)
        conclude([ended], touched=agent_refs([current.delegator]))
    return current
