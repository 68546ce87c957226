"""Export an organization's event log as JSON lines that verify offline."""

import io
import sys
from argparse import ArgumentParser
from typing import Any, BinaryIO
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from agentiam.kit.actors import system
from audit import selectors
from audit.export.jsonl import export_events


class Command(BaseCommand):
    """Write the export to standard output."""

    help = "Write an organization's event log to standard output; python -m audit.offline verifies it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the organization's id, and why the log is exported."""
        parser.add_argument("organization", metavar="ORGANIZATION_ID")
        parser.add_argument("--reason", default="", help="why, for the event log itself")

    def handle(self, *_args: Any, organization: str, reason: str, **_options: Any) -> None:
        """Export; the export itself is an event."""
        try:
            organization_id = UUID(organization)
        except ValueError as error:
            raise CommandError(f"{organization!r} is not an organization's id", returncode=2) from error
        if organization_id not in selectors.organizations_in_log():
            raise CommandError(f"nothing was recorded for the organization {organization_id}", returncode=2)
        export_events(organization_id=organization_id, stream=self._binary(), by=system("export_audit"), reason=reason)

    def _binary(self) -> BinaryIO:
        """The bytes beneath the output that Django wraps, or a stream that a caller handed in."""
        stream: Any = getattr(self.stdout, "_out", sys.stdout)
        if isinstance(stream, io.BufferedIOBase):
            return stream  # type: ignore[return-value]
        binary: BinaryIO = stream.buffer
        return binary
