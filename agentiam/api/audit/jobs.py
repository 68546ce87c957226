"""Jobs over the API: what waits, what runs and how far it is, what was given up; dead ones can be run again."""

from typing import Any

import django_filters
from rest_framework import serializers

from agentiam.api.filters import Filters
from agentiam.api.serializers import RequiredReason, Told
from agentiam.api.viewsets import ResourceViewSet, operation
from agentiam.jobs.models import Job
from audit.work import cancel_job, rerun_job


class ProgressTold(Told):
    """How far a long job is."""

    done = serializers.IntegerField(source="progress_done")
    total = serializers.IntegerField(source="progress_total", allow_null=True)
    note = serializers.CharField(source="progress_note")


class JobTold(Told):
    """A piece of work."""

    id = serializers.UUIDField(source="pk")
    task = serializers.CharField()
    state = serializers.ChoiceField(choices=Job.State.choices)
    arguments = serializers.DictField()
    run_at = serializers.DateTimeField()
    attempts = serializers.IntegerField()
    most_attempts = serializers.IntegerField()
    progress = ProgressTold(source="*")
    last_error = serializers.CharField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class JobFilters(Filters):
    """How the list of jobs is narrowed."""

    state = django_filters.MultipleChoiceFilter(choices=Job.State.choices)
    task = django_filters.CharFilter()


class JobViewSet(ResourceViewSet):
    """Jobs of the organization."""

    model = Job
    told = JobTold
    orders = ("-id", "id", "run_at", "-run_at")
    filterset_class = JobFilters

    @operation("rerun", right="change_job", takes=RequiredReason, summary="Try a dead or cancelled job again")
    def rerun(self, job: Job, given: dict[str, Any]) -> Any:
        """Try a dead or cancelled job again, from the beginning."""
        return rerun_job(job=job, **self.why(given))

    @operation("cancel", right="change_job", takes=RequiredReason, summary="Call a job off")
    def cancel(self, job: Job, given: dict[str, Any]) -> Any:
        """Call a job off that is not over."""
        return cancel_job(job=job, **self.why(given))
