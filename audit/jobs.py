"""What the clock does for the log: sign how far it goes, look whether it is whole, and clear away jobs that are long over."""

from typing import Final

from django.utils import timezone

from agentiam.jobs.progress import progress
from agentiam.jobs.retention import prune_jobs
from agentiam.jobs.schedule import At, Every
from agentiam.jobs.tasks import job_task
from audit import selectors, watch


@job_task(name="audit.sign_checkpoints", outside=True)
def sign_checkpoints() -> None:
    """Sign a checkpoint wherever something was recorded since the last."""
    watch.sign_checkpoints(now=timezone.now(), heard=progress)


@job_task(name="audit.verify", outside=True)
def verify() -> None:
    """Verify the log of every organization, and say after each page of records how far it is."""
    total = selectors.records_in_log()
    # What is recorded meanwhile is verified too, and was not counted.
    watch.verify_logs(now=timezone.now(), heard=lambda done: progress(done, max(done, total), "records verified"))


@job_task(name="audit.prune_jobs", outside=True)
def prune() -> None:
    """Delete jobs that are long over."""
    prune_jobs(now=timezone.now(), heard=progress)


SCHEDULE: Final = (
    Every("audit.sign_checkpoints", minutes=1),
    At("audit.verify", hour=3),
    At("audit.prune_jobs", hour=2),
)
