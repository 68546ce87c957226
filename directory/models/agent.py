"""An agent's profile: what it is for, who answers for it, and where it stands in its life."""

from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from simple_history.models import HistoricalRecords

from agentiam.kit.ids import uuid7
from directory.lifecycle import State
from directory.models.blueprint import Blueprint
from directory.models.organization import Organization
from directory.models.team import Team
from directory.querysets import AgentQuerySet

_STATES = [(state.value, state.value.capitalize()) for state in State]


class Agent(models.Model):
    """One row is one agent: the digital employee file."""

    class Environment(models.TextChoices):
        """Where it runs."""

        DEVELOPMENT = "development", "Development"
        STAGING = "staging", "Staging"
        PRODUCTION = "production", "Production"

    class RiskTier(models.TextChoices):
        """How much could go wrong with it."""

        LOW = "low", "Low"
        MEDIUM = "medium", "Medium"
        HIGH = "high", "High"
        CRITICAL = "critical", "Critical"

    id: "models.UUIDField[UUID, UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="agents")
    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="agent", editable=False)
    external_id = models.CharField(max_length=200, help_text="The id that the organization itself uses.")
    spiffe_id = models.CharField(max_length=2048, unique=True, editable=False)
    name = models.CharField(max_length=200)
    purpose = models.TextField(help_text="The charter: what the agent is for.")
    purpose_version = models.PositiveIntegerField(default=1, editable=False)
    environment = models.CharField(max_length=11, choices=Environment.choices, default=Environment.PRODUCTION)
    framework = models.CharField(max_length=100, blank=True)
    model = models.CharField(max_length=200, blank=True)
    version = models.CharField(max_length=100, blank=True)
    model_hash = models.CharField(max_length=128, blank=True)
    charter_hash = models.CharField(max_length=128, blank=True)
    tools_hash = models.CharField(max_length=128, blank=True)
    capabilities = models.JSONField(
        null=True, blank=True, help_text="The declared ceiling, each with risk and reversibility; empty for no declaration."
    )
    risk_tier = models.CharField(max_length=8, choices=RiskTier.choices, default=RiskTier.MEDIUM)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="owned_agents")
    sponsor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="sponsored_agents", null=True, blank=True
    )
    sponsor_team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="sponsored_agents", null=True, blank=True)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="agents", null=True, blank=True)
    blueprint = models.ForeignKey(Blueprint, on_delete=models.PROTECT, related_name="agents", null=True, blank=True)
    registered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True, editable=False
    )
    parent = models.ForeignKey("self", on_delete=models.PROTECT, related_name="children", null=True, blank=True)
    depth = models.PositiveSmallIntegerField(default=0, editable=False, help_text="Generations below the root.")
    state = models.CharField(max_length=10, choices=_STATES, default=State.PENDING.value)
    ownerless = models.BooleanField(default=False, help_text="Latched when the owner leaves, until somebody takes over.")
    review_needed = models.BooleanField(
        default=False, help_text="Latched when its model, charter or tools changed, until a person has looked at it again."
    )
    predecessor = models.ForeignKey("self", on_delete=models.PROTECT, related_name="successors", null=True, blank=True)
    publishes_card = models.BooleanField(default=False, help_text="Show an A2A agent card to everybody.")
    card = models.JSONField(default=dict, blank=True, help_text="What its A2A card says besides the profile.")
    expires_at = models.DateTimeField(null=True, blank=True)
    dormant_since = models.DateTimeField(null=True, blank=True, editable=False, help_text="When nobody had seen it for long.")
    last_seen_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    history = HistoricalRecords(excluded_fields=["last_seen_at", "dormant_since"])
    objects = AgentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "external_id"],
                name="agent_external_id_once",
                violation_error_message="Another agent of the organization has this external id.",
            ),
            models.CheckConstraint(condition=Q(state__in=[state.value for state in State]), name="agent_state_known"),
            models.CheckConstraint(
                condition=Q(sponsor__isnull=False, sponsor_team__isnull=True)
                | Q(sponsor__isnull=True, sponsor_team__isnull=False),
                name="agent_has_one_sponsor",
                violation_error_message="An agent has one sponsor: a person or a team.",
            ),
            models.CheckConstraint(condition=Q(ownerless=False) | ~Q(state="active"), name="agent_ownerless_is_not_active"),
            models.CheckConstraint(
                condition=Q(review_needed=False) | ~Q(state="active"), name="agent_unreviewed_is_not_active"
            ),
            models.CheckConstraint(
                condition=Q(parent__isnull=True, depth=0) | Q(parent__isnull=False, depth__gte=1), name="agent_depth_has_parent"
            ),
            models.CheckConstraint(condition=Q(parent__isnull=True) | ~Q(parent=F("id")), name="agent_not_its_own_parent"),
            models.CheckConstraint(condition=~Q(purpose=""), name="agent_has_a_purpose"),
        ]
        indexes = [
            models.Index(fields=["organization", "id"], name="agent_by_organization"),
            models.Index(fields=["organization", "state", "id"], name="agent_by_state"),
            models.Index(
                fields=["organization", "expires_at"],
                condition=Q(expires_at__isnull=False) & ~Q(state=State.RETIRED.value),
                name="agent_due",
            ),
        ]
        permissions = [
            ("operate_agent", "Can suspend and resume the agent"),
            ("manage_agent", "Can change the agent"),
            ("approve_agent", "Can approve for the agent"),
            ("grant_agent", "Can grant to the agent"),
            ("run_agent", "Can start runs and spawn agents as the agent"),
        ]

    def __str__(self) -> str:
        return self.name


class SignOff(models.Model):
    """One row is one person's yes to an agent's onboarding."""

    id: "models.UUIDField[UUID, UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="sign_offs")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="sign_offs")
    reason = models.TextField(blank=True)
    signed_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["agent", "person"], name="signoff_once_a_person")]

    def __str__(self) -> str:
        return f"{self.person} signed off {self.agent}"
