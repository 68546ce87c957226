"""Blueprints: the terms on which agents of one kind are onboarded."""

from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any, Self

from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Conflict
from directory import events
from directory.models import Blueprint, CredentialRecord, Organization
from directory.services.declarations import check_limits
from directory.services.reports import conclude, report
from directory.services.revisions import EVERYTHING, lock_organization
from directory.services.versions import changes, save_version


class UnknownCredentialMethod(Conflict):
    """The blueprint names a kind of credential that does not exist."""


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
    """Replace a blueprint's terms; they hold for its agents from the next decision, spawn or credential on."""
    values = terms.checked()
    with transaction.atomic():
        lock_organization(blueprint.organization_id, by=by)
        current = Blueprint.objects.select_for_update(no_key=True).get(pk=blueprint.pk)
        changed = changes(current, values)
        save_version(current, by=by, reason=reason, now=now, fields=values)
        updated = report(events.BLUEPRINT_UPDATED, current, by=by, reason=reason, now=now, data={"changed": changed})
        conclude([updated], touched=[EVERYTHING])
    return current
