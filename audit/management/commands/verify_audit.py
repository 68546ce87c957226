"""Verify the event log: 0 whole, 1 broken, 2 not asked properly."""

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict, replace
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit import selectors
from audit.chain import BadKey
from audit.names import organization_name, recorded_organization
from audit.verification import describe


class Command(BaseCommand):
    """Verify every organization's log, or one organization's."""

    help = "Verify that the event log is whole: every record, every chain, every signed checkpoint."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take an organization, and whether to answer in JSON."""
        parser.add_argument("--organization", metavar="ORGANIZATION", help="verify this one only; its name (slug) or id")
        parser.add_argument("--json", action="store_true", help="print one report a line, as JSON")

    def handle(self, *_args: Any, organization: str | None = None, **options: Any) -> None:
        """Verify, say what was found, and exit with 1 if anything is broken."""
        known = selectors.organizations_in_log()
        if organization is not None:
            known = [recorded_organization(organization, known)]
        broken = False
        for organization_id in known:
            try:
                report = selectors.verify_organization(organization_id)
            except BadKey as error:
                raise CommandError(f"AUDIT_SIGNING_KEY names no key to trust: {error}", returncode=2) from error
            broken = broken or not report.whole
            if options["json"]:
                self.stdout.write(json.dumps({**asdict(report), "whole": report.whole}))
            else:
                self.stdout.write("\n".join(describe(replace(report, organization=organization_name(organization_id)))))
        if not known and not options["json"]:
            self.stdout.write("The event log is empty.")
        if broken:
            sys.exit(1)
