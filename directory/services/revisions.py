"""Policy changes of one organization happen one after another, and each gets the next number.

A service locks the organization first, then its other rows, and the event log's chain last: always in this order, so that two
services never wait for each other. A reader that knows revision 7 asks for the changes since, and learns what they touched.
"""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import F

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Conflict, NotAllowed
from directory.models import Agent, Organization, PolicyChange, User

CHANGES_KEPT: Final = 2_000
"""A reader that is further behind reads everything anew."""
_PRUNED_EVERY: Final = 200
EVERYTHING: Final = "*"
"""Touched: anything; a reader reads the whole organization anew."""

SHARED: Final = "shared"
"""Touched: what decisions share, like roles and guardrails; what is read of single accounts and resources still holds."""


class ForeignOrganization(NotAllowed):
    """The one who asks, or something that was named, belongs to another organization."""


class UnknownOrganization(Conflict):
    """There is no such organization."""


def lock_organization(organization_id: UUID, *, by: Actor) -> Organization:
    """Hold an organization until the transaction ends, and read it anew.

    Raises ForeignOrganization when the actor belongs to another one. Rows that only refer to the organization can still be
    added meanwhile (FOR NO KEY UPDATE on PostgreSQL; on SQLite the transaction has the only write lock anyway).
    """
    if by.organization_id not in (None, organization_id) or (by.organization_id is None and by.kind != "system"):
        raise ForeignOrganization(f"{by.label} does not belong to this organization.")
    try:
        return Organization.objects.select_for_update(no_key=True).get(pk=organization_id)
    except Organization.DoesNotExist:
        raise UnknownOrganization("There is no such organization.") from None


def require_same_organization(organization: Organization, *things: object) -> None:
    """Refuse what belongs to another organization; None is passed over."""
    for thing in things:
        if thing is not None and getattr(thing, "organization_id", None) != organization.pk:
            raise ForeignOrganization(f"{thing} does not belong to {organization}.")


def advance_revision(*, organization_id: UUID, touched: Iterable[str]) -> int:
    """Give the next number to a change, note the references that it touched, and answer the number.

    References are ``agent/<external id>``, ``user/<external id>``, ``team/<external id>``, ``key/<public id>``, or EVERYTHING.
    Three queries; the organization's row stays locked until the transaction ends.
    """
    references = sorted(set(touched))
    if EVERYTHING in references:
        references = [EVERYTHING]
    with transaction.atomic():
        Organization.objects.filter(pk=organization_id).update(revision=F("revision") + 1)
        revision = Organization.objects.values_list("revision", flat=True).get(pk=organization_id)
        PolicyChange.objects.create(organization_id=organization_id, revision=revision, touched=references)
        if revision % _PRUNED_EVERY == 0:
            PolicyChange.objects.filter(organization_id=organization_id, revision__lt=revision - CHANGES_KEPT).delete()
    return revision


def agent_refs(agents: Iterable[Agent]) -> set[str]:
    """Name agents as touched."""
    return {f"agent/{agent.external_id}" for agent in agents}


def user_ref(user: User) -> str:
    """Name an account as touched: a person's as ``user``, an agent's as ``agent``."""
    return f"{'user' if user.is_person else 'agent'}/{user.external_id}"
