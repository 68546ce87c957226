"""Jobs are seen by those who administer the organization that they belong to; work over all organizations by no one of them."""

from datetime import datetime
from typing import Any, Self, TypeVar

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Q

M = TypeVar("M", bound=models.Model)


class JobQuerySet(models.QuerySet[M]):
    """Jobs."""

    def visible_to(self, user: Any) -> Self:
        """Keep the jobs of the account's organization, with the permission ``jobs.view_job``."""
        if isinstance(user, AnonymousUser) or not user.is_active or not user.has_perm("jobs.view_job"):
            return self.none()
        return self.filter(organization_id=user.organization_id)

    def permitting(self, user: Any, right: str) -> Self:
        """Keep, of what an account may see, that on which it has a right, like ``change_job``."""
        visible = self.visible_to(user)
        return visible if isinstance(user, AnonymousUser) or user.has_perm(f"jobs.{right}") else visible.none()

    def due(self, now: datetime) -> Self:
        """Keep what somebody should run now: what waits and has come, and what runs under a lease that is over."""
        return self.filter(Q(state="waiting", run_at__lte=now) | Q(state="running", lease_until__lte=now))

    def unfinished(self) -> Self:
        """Keep what waits or runs."""
        return self.filter(state__in=["waiting", "running"])

    def dead(self) -> Self:
        """Keep what was tried as often as it may be, and waits for somebody to look at it."""
        return self.filter(state="dead")

    def of_schedule(self, prefix: str) -> Self:
        """Keep the jobs that one line of the schedule made, by what their keys begin with."""
        return self.filter(key__startswith=prefix)
