"""Look at the queue of jobs, and run again or call off what nobody else may."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from agentiam.jobs.models import Job
from agentiam.jobs.selectors import queue_status
from agentiam.kit.actors import system
from agentiam.kit.errors import Refusal
from audit.work import cancel_job, rerun_job

_SHOWN: Final = 50


class Command(BaseCommand):
    """Show what waits, runs and was given up; ``--rerun`` and ``--cancel`` take the id of one job."""

    help = "Show the queue of jobs and those given up; run one again or call one off."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take a job to change, and why."""
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--rerun", type=UUID, metavar="ID", help="try a dead or cancelled job again from the beginning")
        what.add_argument("--cancel", type=UUID, metavar="ID", help="call a job off, or set a dead one aside")
        parser.add_argument("--reason", default="", help="why; it enters the event log")

    def handle(self, *args: Any, **options: Any) -> None:
        """Change one job, or show all."""
        for name, change in (("rerun", rerun_job), ("cancel", cancel_job)):
            if options[name] is not None:
                job = Job.objects.filter(pk=options[name]).first()
                if job is None:
                    raise CommandError(f"There is no job {options[name]}.")
                try:
                    changed = change(job=job, by=system("command"), reason=options["reason"], now=timezone.now())
                except Refusal as refusal:
                    raise CommandError(refusal.message) from None
                self.stdout.write(f"{changed.pk} {changed.task}: {changed.state}")
                return
        self._show()

    def _show(self) -> None:
        status = queue_status(now=timezone.now())
        lag = timedelta(seconds=int(status.lag.total_seconds()))
        self.stdout.write(f"waiting {status.waiting} (due {status.due}, the oldest for {lag}), running {status.running}")
        self.stdout.write(f"dead {status.dead}")
        for job in Job.objects.dead().order_by("-id")[:_SHOWN]:
            self.stdout.write(f"  {job.pk} {job.task}, {job.attempts} times: {job.last_error.partition(chr(10))[0]}")
