"""A team is a group of people, possibly within another: who is in a team is also in the teams around it."""

from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from simple_history.models import HistoricalRecords

from agentiam.kit.ids import uuid7
from directory.models.organization import Organization
from directory.querysets import TeamQuerySet


class Team(models.Model):
    """One row is one department or working group; ``group`` mirrors its people for Django's and guardian's permissions."""

    id: "models.UUIDField[UUID, UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="teams")
    external_id = models.CharField(max_length=200)
    name = models.CharField(max_length=200)
    parent = models.ForeignKey("self", on_delete=models.PROTECT, related_name="children", null=True, blank=True)
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="teams", blank=True)
    group = models.OneToOneField(Group, on_delete=models.PROTECT, related_name="team", editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    history = HistoricalRecords(m2m_fields=[members])
    objects = TeamQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "external_id"], name="team_external_id_once"),
            models.CheckConstraint(condition=Q(parent__isnull=True) | ~Q(parent=F("id")), name="team_not_its_own_parent"),
        ]
        permissions = [("manage_team", "Can manage the team")]

    def __str__(self) -> str:
        return self.name
