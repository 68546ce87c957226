"""Guardrails: drafted, then published or only reporting; a wording that was published never changes, another supersedes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Conflict, IllegalTransition, Invalid
from directory.models import Organization
from directory.services.reports import conclude
from directory.services.revisions import SHARED, lock_organization, require_same_organization
from directory.services.versions import save_version
from permissions import events
from permissions.models import Guardrail, GuardrailVersion, ResourceType
from permissions.services.reports import report
from permissions.services.rows import read_anew
from permissions.services.terms import EVERY_ACTION, check_actions, check_condition, check_data_classes, check_fields

InForce = Literal["published", "report_only"]

_State = GuardrailVersion.State
_IN_FORCE = (_State.PUBLISHED, _State.REPORT_ONLY)


class UnknownEffect(Invalid):
    """A guardrail denies, requires an approval, or masks."""

    field = "effect"


class DraftChanged(Conflict):
    """The draft is no longer the one that was looked at."""


class NothingToPublish(IllegalTransition):
    """There is neither a draft nor a wording in force in the other mode."""


class NotInForce(IllegalTransition):
    """No wording of the guardrail is in force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """What a guardrail says: without a type it stands over all; fields and classes of data None mean the whole request.

    ``reason`` is what the one who is refused is told.
    """

    effect: str
    resource_type: ResourceType | None = None
    actions: Sequence[str] | None = None
    when: str = ""
    fields: Sequence[str] | None = None
    data_classes: Sequence[str] | None = None
    reason: str = ""

    def checked(self) -> dict[str, Any]:
        """Answer the wording as fields of GuardrailVersion.

        Raises UnknownEffect, UnknownAction, UnknownField, UnknownDataClass, and InvalidCondition. A condition without a type is
        checked without declared attributes of resources.
        """
        if self.effect not in GuardrailVersion.Effect.values:
            raise UnknownEffect(
                f"{self.effect!r} is not an effect of a guardrail.",
                remedy=f"Known: {', '.join(GuardrailVersion.Effect.values)}.",
            )
        actions = None if self.actions is None else check_actions(self.resource_type, self.actions)
        when = self.when.strip()
        attributes = None if self.resource_type is None else self.resource_type.attributes
        return {
            "effect": self.effect,
            "resource_type": self.resource_type,
            "actions": None if actions == [EVERY_ACTION] else actions,
            "when": when,
            "when_checked": check_condition("when", when, attributes=attributes),
            "fields": check_fields(self.resource_type, self.fields),
            "data_classes": check_data_classes(self.data_classes),
            "reason": self.reason,
        }


def draft_guardrail(
    *,
    organization: Organization,
    external_id: str,
    name: str,
    wording: Wording,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> GuardrailVersion:
    """Draft a wording of a new or of a known guardrail; it decides nothing yet, and replaces the draft that is there.

    A draft that is replaced by another wording takes the next number, so that nobody publishes what they did not read.
    """
    with transaction.atomic():
        locked = lock_organization(organization.pk, by=by)
        require_same_organization(locked, wording.resource_type)
        if wording.resource_type is not None:
            read_anew(wording.resource_type)
        values = wording.checked()
        guardrail = _named(locked, external_id, name, by=by, reason=reason, now=now)
        draft = _draft(guardrail, values, now=now)
        save_version(draft, by=by, reason=reason, now=now)
        drafted = report(
            events.GUARDRAIL_DRAFTED, guardrail, by=by, reason=reason, now=now, data={"version": draft.number, **_words(draft)}
        )
        conclude([drafted], touched=[SHARED])
    return draft


def publish_guardrail(
    *, guardrail: Guardrail, number: int, state: InForce = "published", by: Actor, reason: str = "", now: datetime
) -> GuardrailVersion:
    """Put a wording in force, to decide or only to report; the one that was in force is superseded.

    ``number`` is the draft's, or that of the wording in force when it is to go from one mode to the other. Raises DraftChanged
    when that is not the number any more, and NothingToPublish.
    """
    with transaction.atomic():
        current = _lock_guardrail(guardrail, by=by)
        draft = _version(current, _State.DRAFT)
        former = _version(current, *_IN_FORCE)
        version = draft if draft is not None else former
        if version is None or version.state == state:
            raise NothingToPublish(f"{current} has no draft.", remedy="Draft a wording first.")
        if version.number != number:
            raise DraftChanged(
                f"Version {number} is not the draft any more; version {version.number} is.", remedy="Read it again."
            )
        if former is not None and former.pk != version.pk:
            former.state = _State.SUPERSEDED
            save_version(former, by=by, reason=reason, now=now, fields=["state"])
        before = version.state
        version.state = _State(state)
        version.published_at = version.published_at or now
        save_version(version, by=by, reason=reason, now=now, fields=["state", "published_at"])
        data = {
            "version": number,
            "before": str(before),
            "state": state,
            "superseded": None if former is None or former.pk == version.pk else former.number,
            **_words(version),
        }
        published = report(events.GUARDRAIL_PUBLISHED, current, by=by, reason=reason, now=now, data=data)
        conclude([published], touched=[SHARED])
    return version


def withdraw_guardrail(*, guardrail: Guardrail, by: Actor, reason: str = "", now: datetime) -> GuardrailVersion:
    """Take the wording in force out of force, from the next decision on; a draft stays. Raises NotInForce."""
    with transaction.atomic():
        current = _lock_guardrail(guardrail, by=by)
        version = _version(current, *_IN_FORCE)
        if version is None:
            raise NotInForce(f"{current} is not in force.")
        before = version.state
        version.state = _State.WITHDRAWN
        save_version(version, by=by, reason=reason, now=now, fields=["state"])
        data = {"version": version.number, "before": str(before)}
        withdrawn = report(events.GUARDRAIL_WITHDRAWN, current, by=by, reason=reason, now=now, data=data)
        conclude([withdrawn], touched=[SHARED])
    return version


def _lock_guardrail(guardrail: Guardrail, *, by: Actor) -> Guardrail:
    lock_organization(guardrail.organization_id, by=by)
    return read_anew(guardrail)


def _version(guardrail: Guardrail, *states: str) -> GuardrailVersion | None:
    versions = GuardrailVersion.objects.filter(guardrail=guardrail, state__in=states)
    return versions.select_related("resource_type", "guardrail").first()


def _named(organization: Organization, external_id: str, name: str, *, by: Actor, reason: str, now: datetime) -> Guardrail:
    """Find the guardrail, under its new name, or add it."""
    found = Guardrail.objects.filter(organization=organization, external_id=external_id).first()
    guardrail = found or Guardrail(organization=organization, external_id=external_id, created_at=now)
    if found is None or guardrail.name != name:
        guardrail.name = name
        save_version(guardrail, by=by, reason=reason, now=now)
    return guardrail


def _draft(guardrail: Guardrail, values: dict[str, Any], *, now: datetime) -> GuardrailVersion:
    """Make the draft of a guardrail, or word the one that is there anew."""
    last = GuardrailVersion.objects.filter(guardrail=guardrail).order_by("-number").first()
    number = 1 if last is None else last.number + 1
    draft = _version(guardrail, _State.DRAFT)
    if draft is None:
        return GuardrailVersion(guardrail=guardrail, number=number, created_at=now, **values)
    before = _words(draft)
    for field, value in values.items():
        setattr(draft, field, value)
    if _words(draft) != before:
        draft.number = number
    return draft


def _words(version: GuardrailVersion) -> dict[str, Any]:
    return {
        "effect": str(version.effect),
        "type": None if version.resource_type is None else version.resource_type.name,
        "actions": version.actions,
        "when": version.when,
        "fields": version.fields,
        "data_classes": version.data_classes,
        "told": version.reason,
    }
