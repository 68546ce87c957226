"""What the management API keeps of its own: the answers that are repeated when a request is."""

from django.db import models
from django.db.models import Q


class RememberedAnswer(models.Model):
    """One row is the answer to one POST with an Idempotency-Key, kept for a day.

    The answer may hold a secret that is shown once, so it is stored encrypted under a key that only the client's own
    Idempotency-Key gives; of that, and of the caller, only a digest is stored.
    """

    digest = models.CharField(max_length=64, primary_key=True, help_text="Of the caller and the Idempotency-Key.")
    fingerprint = models.CharField(max_length=64, help_text="Of the method, the path and the body.")
    status = models.PositiveSmallIntegerField(null=True, help_text="Empty while the first request is under way.")
    sealed = models.BinaryField(null=True, help_text="Headers and body, encrypted.")
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status__isnull=True, sealed__isnull=True) | Q(status__isnull=False, sealed__isnull=False),
                name="rememberedanswer_is_whole",
            )
        ]

    def __str__(self) -> str:
        return f"answer of {self.created_at:%Y-%m-%d %H:%M}"
