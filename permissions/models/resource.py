"""What may be asked for: types of resources with their actions, typed attributes and fields, and single resources."""

from uuid import UUID

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from simple_history.models import HistoricalRecords

from agentiam.kit.ids import uuid7
from directory.models import Organization
from permissions.models.application import Application
from permissions.querysets import ResourceQuerySet, ResourceTypeQuerySet


class DataClass(models.TextChoices):
    """How much a field tells about whom."""

    PUBLIC = "public", "Public"
    INTERNAL = "internal", "Internal"
    PERSONAL = "personal", "Personal"
    SENSITIVE = "sensitive", "Sensitive"
    SECRET = "secret", "Secret"


class ResourceType(models.Model):
    """One row declares one kind of object that an application holds."""

    id: "models.UUIDField[UUID, UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="resource_types")
    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="resource_types")
    name = models.CharField(max_length=200)
    actions = models.JSONField(blank=True, help_text="The names of its actions; none for a mere container.")
    attributes = models.JSONField(default=dict, blank=True, help_text="Name to type.")
    fields = models.JSONField(default=dict, blank=True, help_text="Name to data class.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    history = HistoricalRecords()
    objects = ResourceTypeQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "name"], name="resourcetype_name_once")]

    def __str__(self) -> str:
        return self.name


class Resource(models.Model):
    """One row is one object that was registered; an application may also send an object's attributes with its question."""

    id: "models.UUIDField[UUID, UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="resources")
    type = models.ForeignKey(ResourceType, on_delete=models.PROTECT, related_name="resources")
    external_id = models.CharField(max_length=500)
    attributes = models.JSONField(default=dict, blank=True)
    parent = models.ForeignKey("self", on_delete=models.PROTECT, related_name="children", null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    history = HistoricalRecords()
    objects = ResourceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["type", "external_id"], name="resource_external_id_once"),
            models.CheckConstraint(condition=Q(parent__isnull=True) | ~Q(parent=F("id")), name="resource_not_its_own_parent"),
        ]
        indexes = [models.Index(fields=["organization", "id"], name="resource_by_organization")]

    def __str__(self) -> str:
        return self.external_id
