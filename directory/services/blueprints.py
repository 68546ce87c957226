"""Blueprints: the terms on which agents of one kind are onboarded."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any, Self

from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Invalid
from directory import events
from directory.models import Blueprint, CredentialRecord, Organization
from directory.services.answering import account_of, require_not_ones_own_blueprint
from directory.services.declarations import check_limits, within
from directory.services.reports import conclude, report
from directory.services.revisions import EVERYTHING, lock_organization
from directory.services.rights import WidensOneself
from directory.services.versions import changes, save_version


class UnknownCredentialMethod(Invalid):
    """The blueprint names a kind of credential that does not exist."""

    field = "credential_methods"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlueprintTerms:
    """Everything of a blueprint that can change; ``ceiling`` None sets no limit, no methods stand for every method."""

    name: str
    description: str = ""
    ceiling: list[dict[str, Any]] | None = None
    sign_offs: int = 0
    credential_methods: list[str] = field(default_factory=list)
    credential_days: int = 90
    spawn_depth: int = 0
    spawn_children: int = 0
    spawn_seconds: int | None = None
    suspend_at_risk: int | None = None

    @classmethod
    def of(cls, blueprint: Blueprint) -> Self:
        """Read a blueprint's present terms."""
        return cls(**{each.name: getattr(blueprint, each.name) for each in fields(cls)})

    def checked(self) -> dict[str, Any]:
        """Answer the terms as fields; raises BadDeclaration and UnknownCredentialMethod."""
        unknown = sorted(set(self.credential_methods) - set(CredentialRecord.Kind.values))
        if unknown:
            raise UnknownCredentialMethod(
                f"{unknown[0]!r} is not a kind of credential.", remedy=f"Known: {', '.join(CredentialRecord.Kind.values)}."
            )
        return {**asdict(self), "ceiling": check_limits(self.ceiling, of="Ceiling")}


def create_blueprint(
    *, organization: Organization, external_id: str, terms: BlueprintTerms, by: Actor, reason: str = "", now: datetime
) -> Blueprint:
    """Add a blueprint."""
    blueprint = Blueprint(organization=organization, external_id=external_id, created_at=now, **terms.checked())
    with transaction.atomic():
        lock_organization(organization.pk, by=by)
        save_version(blueprint, by=by, reason=reason, now=now)
        created = report(events.BLUEPRINT_CREATED, blueprint, by=by, reason=reason, now=now, data=asdict(terms))
        conclude([created], touched=[EVERYTHING])
    return blueprint


def update_blueprint(*, blueprint: Blueprint, terms: BlueprintTerms, by: Actor, reason: str = "", now: datetime) -> Blueprint:
    """Replace a blueprint's terms; they hold for its agents from the next decision, spawn or credential on.

    Nobody widens those of an agent that they answer for, unless they manage all blueprints. Raises WidensOneself.
    """
    values = terms.checked()
    with transaction.atomic():
        lock_organization(blueprint.organization_id, by=by)
        current = Blueprint.objects.select_for_update(no_key=True).get(pk=blueprint.pk)
        if by.kind != "system" and widens(current, values):
            _require_others(current, by=by)
        changed = changes(current, values)
        save_version(current, by=by, reason=reason, now=now, fields=values)
        updated = report(events.BLUEPRINT_UPDATED, current, by=by, reason=reason, now=now, data={"changed": changed})
        conclude([updated], touched=[EVERYTHING])
    return current


def widens(before: Blueprint, after: Mapping[str, Any]) -> bool:
    """Tell whether other terms would let the agents of a blueprint do more, or start more easily; in doubt they would."""
    return (
        not within(after["ceiling"], before.ceiling)
        or not within(after["credential_methods"] or None, before.credential_methods or None)
        or after["sign_offs"] < before.sign_offs
        or any(after[name] > getattr(before, name) for name in ("credential_days", "spawn_depth", "spawn_children"))
        or any(_longer(after[name], getattr(before, name)) for name in ("spawn_seconds", "suspend_at_risk"))
    )


def _longer(after: int | None, before: int | None) -> bool:
    return before is not None and (after is None or after > before)


def _require_others(blueprint: Blueprint, *, by: Actor) -> None:
    account = account_of(by)
    if account is None:
        raise WidensOneself("Only an account widens the terms of a blueprint.")
    require_not_ones_own_blueprint(account, blueprint)
