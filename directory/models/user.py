"""An account: a person's, or an agent's, so that histories, object permissions and grants name both alike."""

from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, PermissionsMixin
from django.db import models
from django.db.models import Q
from django.utils import timezone
from simple_history.models import HistoricalRecords

from agentiam.kit.actors import Actor
from agentiam.kit.ids import uuid7
from directory.models.organization import Organization
from directory.querysets import UserManager


class User(AbstractBaseUser, PermissionsMixin):
    """One row is one account; an agent's account can never log in."""

    class Kind(models.TextChoices):
        """Whose account it is."""

        PERSON = "person", "Person"
        AGENT = "agent", "Agent"

    class ConsoleRole(models.TextChoices):
        """What a person is here for; the rights of each are listed in agentiam.roles."""

        SECURITY_ADMINISTRATOR = "security_administrator", "Security administrator"
        APPROVER = "approver", "Approver"
        OWNER = "owner", "Owner"
        AUDITOR = "auditor", "Auditor"
        DEVELOPER = "developer", "Developer"

    id: "models.UUIDField[UUID, UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="users")
    kind = models.CharField(max_length=6, choices=Kind.choices, default=Kind.PERSON)
    username = models.CharField(max_length=320, unique=True, help_text="What the person types to log in.")
    external_id = models.CharField(max_length=200, help_text="The id that the organization itself uses.")
    name = models.CharField(max_length=200)
    email = models.EmailField(blank=True)
    attributes = models.JSONField(default=dict, blank=True)
    console_roles = models.JSONField(default=list, blank=True, help_text="What a person is here for.")
    password_is_temporary = models.BooleanField(default=False, help_text="It must be changed at the next sign-in.")
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    deactivated_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    history = HistoricalRecords(excluded_fields=["password", "last_login"])
    objects = UserManager["User"]()

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS = ["name"]

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "kind", "external_id"], name="user_external_id_once"),
            models.CheckConstraint(condition=Q(kind__in=["person", "agent"]), name="user_kind_known"),
            models.CheckConstraint(
                condition=Q(kind="person") | Q(is_staff=False, is_superuser=False), name="user_agent_has_no_staff_rights"
            ),
        ]
        indexes = [models.Index(fields=["organization", "id"], name="user_by_organization")]
        permissions = [("assign_console_roles", "Can assign console roles")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_person(self) -> bool:
        """Tell a person's account from an agent's."""
        return self.kind == self.Kind.PERSON

    def as_actor(self, *, address: str = "", request_id: str = "") -> Actor:
        """Name this account as the one who acts."""
        return Actor(
            kind="person" if self.is_person else "agent",
            id=self.external_id,
            label=self.name,
            organization_id=self.organization_id,
            user_id=self.id,
            address=address,
            request_id=request_id,
        )
