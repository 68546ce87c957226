"""The unit of what can be held: a type, actions, a selector, fields and a condition; the same columns wherever one stands."""

from django.db import models
from django.db.models import Q

from permissions.models.resource import ResourceType


class EntitlementTerms(models.Model):
    """What an entitlement says. The selector is all objects, one, a subtree, or those that meet a row condition."""

    resource_type = models.ForeignKey(ResourceType, on_delete=models.PROTECT, related_name="+")
    actions = models.JSONField(help_text='Names of actions; ["*"] for all.')
    resource = models.CharField(max_length=500, blank=True, help_text="The id of the one object; empty for any.")
    subtree_type = models.CharField(max_length=200, blank=True)
    subtree_id = models.CharField(max_length=500, blank=True)
    where = models.TextField(blank=True, help_text="The row condition, in CEL.")
    where_checked = models.BinaryField(null=True, editable=False)
    when = models.TextField(blank=True, help_text="The condition on the situation, in CEL.")
    when_checked = models.BinaryField(null=True, editable=False)
    fields = models.JSONField(null=True, blank=True, help_text="Names of fields; empty for all.")

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(subtree_type="", subtree_id="") | ~Q(subtree_type="") & ~Q(subtree_id=""),
                name="%(class)s_subtree_is_whole",
            ),
            models.CheckConstraint(
                condition=Q(resource="", subtree_id="") | Q(resource="", where="") | Q(subtree_id="", where=""),
                name="%(class)s_one_selector",
                violation_error_message="The selector is one resource, a subtree or a row condition, or none of them.",
            ),
            models.CheckConstraint(
                condition=(Q(where="", where_checked__isnull=True) | ~Q(where="") & Q(where_checked__isnull=False))
                & (Q(when="", when_checked__isnull=True) | ~Q(when="") & Q(when_checked__isnull=False)),
                name="%(class)s_conditions_checked",
            ),
        ]


class Held(models.Model):
    """How something is held: for what use, from when to when, why, from whom, and through what it came."""

    class Source(models.TextChoices):
        """What a grant or an assignment came from."""

        MANUAL = "manual", "Given by hand"
        BLUEPRINT = "blueprint", "From the blueprint"
        APPROVAL = "approval", "From an approval"
        DELEGATION = "delegation", "From a delegation"
        REPLACEMENT = "replacement", "From the predecessor"

    use = models.BooleanField(default=True)
    delegate = models.BooleanField(default=False, help_text="May be handed on to another agent.")
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="When somebody ended it.")
    source = models.CharField(max_length=11, choices=Source.choices, default=Source.MANUAL)
    reason = models.TextField(blank=True)
    given_by = models.CharField(max_length=300, blank=True, editable=False)

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(use=True) | Q(delegate=True),
                name="%(class)s_is_for_something",
                violation_error_message="It is for use, for handing on, or for both.",
            ),
            models.CheckConstraint(
                condition=Q(source__in=["manual", "blueprint", "approval", "delegation", "replacement"]),
                name="%(class)s_source_known",
            ),
            models.CheckConstraint(
                condition=Q(starts_at__isnull=True) | Q(ends_at__isnull=True) | Q(ends_at__gt=models.F("starts_at")),
                name="%(class)s_ends_after_start",
                violation_error_message="It ends after it begins.",
            ),
        ]
        # Those that the clock has still to end.
        indexes = [
            models.Index(
                fields=["organization", "ends_at"],
                condition=Q(ended_at__isnull=True, ends_at__isnull=False),
                name="%(class)s_due",
            ),
        ]
