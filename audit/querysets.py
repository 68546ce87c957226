"""Rows of the log are added and read, never changed or removed.

And each is read only by those who may read its organization's log.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NoReturn, Protocol, Self, TypeVar
from uuid import UUID

from django.db import models

from agentiam.kit.errors import Conflict

M = TypeVar("M", bound=models.Model)


class AppendOnly(Conflict):
    """Somebody tried to change or remove what was recorded."""


class Viewer(Protocol):
    """An account as far as reading the log goes."""

    @property
    def is_active(self) -> bool:
        """Whether the account may do anything at all."""

    @property
    def organization_id(self) -> UUID | None:
        """The organization that the account belongs to."""

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Whether the account holds a permission."""


def refuse(model: type[models.Model], what: str) -> NoReturn:
    """Raise AppendOnly, naming the rows and what was tried."""
    raise AppendOnly(f"{model._meta.verbose_name_plural} are append-only and cannot be {what}")  # noqa: SLF001 (public by Django's documentation)


class OrganizationQuerySet(models.QuerySet[M]):
    """Rows that belong to one organization each."""

    def for_organization(self, organization_id: UUID) -> Self:
        """Keep the rows of one organization."""
        return self.filter(organization_id=organization_id)

    def visible_to(self, user: Viewer) -> Self:
        """Keep the rows that an account may read: its organization's, with the permission ``audit.view_event``."""
        if not user.is_active or user.organization_id is None or not user.has_perm("audit.view_event"):
            return self.none()
        return self.for_organization(user.organization_id)


class AppendOnlyQuerySet(OrganizationQuerySet[M]):
    """Rows that are only ever added; the database's triggers refuse the same, for those who come another way."""

    def update(self, **kwargs: Any) -> int:
        """Refuse."""
        refuse(self.model, "changed")

    def delete(self) -> tuple[int, dict[str, int]]:
        """Refuse."""
        refuse(self.model, "deleted")

    def bulk_update(self, objs: Iterable[M], fields: Iterable[str], batch_size: int | None = None) -> int:
        """Refuse."""
        refuse(self.model, "changed")

    def bulk_create(  # noqa: PLR0917 (Django's signature)
        self,
        objs: Iterable[M],
        batch_size: int | None = None,
        ignore_conflicts: bool = False,  # noqa: FBT001, FBT002
        update_conflicts: bool = False,  # noqa: FBT001, FBT002
        update_fields: Collection[str] | None = None,
        unique_fields: Collection[str] | None = None,
    ) -> list[M]:
        """Add rows; refuse to turn a conflict into a change or into silence."""
        if update_conflicts or ignore_conflicts:
            refuse(self.model, "changed or passed over")
        return super().bulk_create(objs, batch_size=batch_size)

    def _update(self, values: Any) -> NoReturn:
        refuse(self.model, "changed")

    def _raw_delete(self, using: str | None) -> NoReturn:
        refuse(self.model, "deleted")


class SigningKeyQuerySet(AppendOnlyQuerySet[M]):
    """Public keys; they belong to the installation, and are the same for everybody who may verify a log."""

    def visible_to(self, user: Viewer) -> Self:
        """Keep all for whoever may read a log, and none for anybody else."""
        if not user.is_active or user.organization_id is None or not user.has_perm("audit.view_event"):
            return self.none()
        return self.all()


class EventQuerySet(AppendOnlyQuerySet[M]):
    """Events, read page by page along their ids, which are in the order of time."""

    def newest_first(self, *, before: UUID | None = None) -> Self:
        """Order by id, descending; start below an id."""
        events = self if before is None else self.filter(id__lt=before)
        return events.order_by("-id")

    def oldest_first(self, *, after: UUID | None = None) -> Self:
        """Order by id; start above an id."""
        events = self if after is None else self.filter(id__gt=after)
        return events.order_by("id")

    def changes(self) -> Self:
        """Keep what was done to the control plane; leave the agents' decisions out."""
        return self.filter(effect="")

    def decisions(self) -> Self:
        """Keep the decisions: allow, deny and escalate."""
        return self.exclude(effect="")

    def of_types(self, names: Sequence[str]) -> Self:
        """Keep events of these types."""
        return self.filter(type__in=names)

    def by_actor(self, actor_id: str) -> Self:
        """Keep what one person, agent or application did."""
        return self.filter(actor_id=actor_id)

    def about(self, target_id: str) -> Self:
        """Keep the changes to one thing."""
        return self.changes().filter(target_id=target_id)
