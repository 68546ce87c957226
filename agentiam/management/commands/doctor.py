"""Say what is wrong with this installation, why, and what to do: 0 nothing is broken, 1 something is."""

import json
import sys
from argparse import ArgumentParser
from typing import Any, Final

from django.core.management.base import BaseCommand

from agentiam.operations.doctor.examination import examination
from agentiam.operations.doctor.findings import Finding, State

_MARKS: Final = {State.OK: "✓", State.WARNING: "!", State.FAILED: "✗", State.SKIPPED: "–"}  # noqa: RUF001  (a dash for nothing)


class Command(BaseCommand):
    """Look at what is likeliest to be wrong."""

    help = "Look at what is likeliest to be wrong with this installation, and say the cause and the remedy."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take whether to answer in JSON."""
        parser.add_argument("--json", action="store_true", help="print the findings as JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Look, say, and exit with 1 if anything is broken."""
        found = []
        for finding in examination():
            found.append(finding)
            if not options["json"]:
                self._say(finding)
        failed = [finding for finding in found if finding.state is State.FAILED]
        if options["json"]:
            self.stdout.write(
                json.dumps({"ok": not failed, "findings": [each.as_json() for each in found]}, ensure_ascii=False)
            )
        else:
            warnings = sum(finding.state is State.WARNING for finding in found)
            self.stdout.write(f"{len(failed)} broken, {warnings} to think about, {len(found)} looked at.")
        if failed:
            sys.exit(1)

    def _say(self, finding: Finding) -> None:
        self.stdout.write(f"{_MARKS[finding.state]} {finding.check}: {finding.says}")
        if finding.remedy:
            self.stdout.write(f"    → {finding.remedy}")
