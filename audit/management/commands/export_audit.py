"""Export an organization's event log as JSON lines that verify offline."""

import io
import sys
from argparse import ArgumentParser
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand

from agentiam.kit.actors import system
from audit import selectors
from audit.export.jsonl import export_events
from audit.names import recorded_organization


class Command(BaseCommand):
    """Write the export to standard output."""

    help = "Write an organization's event log to standard output; python -m audit.offline verifies it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the organization, and why the log is exported."""
        parser.add_argument("organization", metavar="ORGANIZATION", help="its name (slug) or id")
        parser.add_argument("--reason", default="", help="why, for the event log itself")

    def handle(self, *_args: Any, organization: str, reason: str, **_options: Any) -> None:
        """Export; the export itself is an event."""
        organization_id = recorded_organization(organization, selectors.organizations_in_log())
        export_events(organization_id=organization_id, stream=self._binary(), by=system("export_audit"), reason=reason)

    def _binary(self) -> BinaryIO:
        """The bytes beneath the output that Django wraps, or a stream that a caller handed in."""
        stream: Any = getattr(self.stdout, "_out", sys.stdout)
        if isinstance(stream, io.BufferedIOBase):
            return stream  # type: ignore[return-value]
        binary: BinaryIO = stream.buffer
        return binary
