"""The log as rows: events in hash chains, the chains' heads, and the signed checkpoints over them.

Ids and labels, no foreign key out.
"""

from typing import Any

from django.db import models

from agentiam.kit.ids import uuid7
from audit.chain import GENESIS
from audit.querysets import AppendOnlyQuerySet, EventQuerySet, OrganizationQuerySet, SigningKeyQuerySet, refuse


class AppendOnlyModel(models.Model):
    """A row that is written once."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write a new row; refuse to write an old one again."""
        if not self._state.adding:
            refuse(type(self), "changed")
        kwargs["force_insert"] = True
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Refuse."""
        refuse(type(self), "deleted")


class Effect(models.TextChoices):
    """What a decision said; empty for an event that is none."""

    NONE = "", "none"
    ALLOW = "allow", "allow"
    DENY = "deny", "deny"
    ESCALATE = "escalate", "escalate"


class Chain(models.Model):
    """One writer's sequence of records in one organization, and its head: the last record's sequence and hash.

    The changes of an organization share the chain of the writer ``changes``; each decision process keeps its own, so that none
    waits for another. ``sworn_sequence`` is how far the checkpoints go; it only spares them repeating what they said.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization_id = models.UUIDField()
    writer = models.TextField()
    opened_at = models.DateTimeField()
    last_sequence = models.BigIntegerField(default=0)
    last_hash = models.TextField(default=GENESIS)
    sworn_sequence = models.BigIntegerField(default=0)

    objects = OrganizationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization_id", "writer"], name="chain_one_per_writer"),
            models.CheckConstraint(
                condition=models.Q(last_sequence__gte=models.F("sworn_sequence")), name="chain_sworn_is_recorded"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.writer} ({self.last_sequence})"


class Event(AppendOnlyModel):
    """One thing that happened.

    ``body`` is the record: the canonical bytes that were hashed; the other columns repeat it for queries.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization_id = models.UUIDField()
    chain = models.ForeignKey(Chain, on_delete=models.PROTECT, related_name="events", db_constraint=False, db_index=False)
    sequence = models.BigIntegerField()
    type = models.TextField()
    at = models.DateTimeField()
    actor_kind = models.TextField()
    actor_id = models.TextField()
    actor_label = models.TextField(blank=True)
    target_type = models.TextField(blank=True)
    target_id = models.TextField(blank=True)
    target_label = models.TextField(blank=True)
    effect = models.TextField(blank=True, choices=Effect)
    request_id = models.TextField(blank=True)
    reason = models.TextField(blank=True)
    body = models.TextField()
    hash = models.TextField()

    objects = EventQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["chain", "sequence"], name="event_sequence_is_unique"),
            models.CheckConstraint(condition=models.Q(effect__in=Effect.values), name="event_effect_is_known"),
        ]
        permissions = [("export_event", "Can export the event log")]
        # Every full index slows each decision. Changes are few beside decisions, so their two indexes cost the hot path
        # nothing.
        indexes = [
            models.Index(fields=["organization_id", "id"], name="event_by_organization"),
            models.Index(fields=["actor_id", "id"], name="event_by_actor"),
            models.Index(fields=["organization_id", "type", "id"], condition=models.Q(effect=""), name="event_change_by_type"),
            models.Index(
                fields=["organization_id", "target_id", "id"], condition=models.Q(effect=""), name="event_change_by_target"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.id}"


class SigningKey(AppendOnlyModel):
    """The public half of a key that signed checkpoints, kept so that an export can carry it.

    It is trusted only if the settings name it.
    """

    key_id = models.TextField(primary_key=True)
    jwk = models.JSONField()
    first_used_at = models.DateTimeField()

    objects = SigningKeyQuerySet.as_manager()

    def __str__(self) -> str:
        return self.key_id


class Checkpoint(AppendOnlyModel):
    """A signed statement of how far an organization's chains went; ``body`` holds the bytes that were signed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization_id = models.UUIDField()
    number = models.BigIntegerField()
    at = models.DateTimeField()
    previous = models.TextField()
    body = models.TextField()
    hash = models.TextField()
    key_id = models.TextField()
    signature = models.TextField()

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization_id", "number"], name="checkpoint_number_is_unique")]

    def __str__(self) -> str:
        return f"checkpoint {self.number}"


class Attestation(AppendOnlyModel):
    """A signed statement about one thing, like the proof that nothing of a retired agent is left.

    ``body`` holds the bytes that were signed; the other columns repeat it for queries.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization_id = models.UUIDField()
    kind = models.TextField()
    target_type = models.TextField()
    target_id = models.TextField()
    target_label = models.TextField(blank=True)
    at = models.DateTimeField()
    body = models.TextField()
    hash = models.TextField()
    key_id = models.TextField()
    signature = models.TextField()

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["organization_id", "id"], name="attestation_by_organization"),
            models.Index(fields=["organization_id", "target_type", "target_id"], name="attestation_by_target"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.target_label or self.target_id}"
