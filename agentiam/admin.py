"""What belongs to no single app, in the admin: jobs, and the answers that the management API repeats."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from agentiam.api.models import RememberedAnswer
from agentiam.jobs.models import Job
from agentiam.kit.administration.editing import OperableAdmin
from agentiam.kit.administration.operations import Operation, offer
from agentiam.kit.administration.records import RecordAdmin
from audit.work import cancel_job, rerun_job


@admin.register(Job)
class JobAdmin(OperableAdmin):
    """Jobs of the organization; what is wrong with a dead one is in its last error."""

    list_display = ("id", "task", "state", "run_at", "attempts", "finished_at")
    list_filter = ("state",)
    searched = {"pk": "exact", "task": "exact"}
    search_help_text = "The id of a job, or the whole name of a task."


@admin.register(RememberedAnswer)
class RememberedAnswerAdmin(RecordAdmin):
    """Answers that the management API repeats: that there was one and when, never what it said."""

    view_right: ClassVar[str] = "api.view_rememberedanswer"
    list_display = ("created_at", "status")
    search_help_text = "A digest."

    def visible(self, request: HttpRequest) -> QuerySet[Any]:
        """Answer none: a remembered answer does not say whose it is, so nobody can be shown that it is theirs."""
        return RememberedAnswer.objects.none()


offer(
    Job,
    Operation(
        name="rerun",
        label="Run again",
        effect="The job waits again, with all of its attempts, and is due at once.",
        right="change_job",
        perform=lambda row, _, act: rerun_job(job=row, **act),
        possible=lambda row: row.state in (Job.State.DEAD, Job.State.CANCELLED),
    ),
    Operation(
        name="cancel",
        label="Cancel",
        effect="The job is not run any more.",
        right="change_job",
        perform=lambda row, _, act: cancel_job(job=row, **act),
        possible=lambda row: row.state in (Job.State.WAITING, Job.State.RUNNING, Job.State.DEAD),
        drastic=True,
    ),
)
