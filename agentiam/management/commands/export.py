"""Write an organization down as a manifest."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from agentiam.manifest.exporting import export_manifest
from directory.services.revisions import UnknownOrganization


class Command(BaseCommand):
    """Print the manifest of an organization, or write it to a file."""

    help = "Write an organization as a manifest: sorted, without secrets; applying it changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the organization and, perhaps, a file."""
        parser.add_argument("organization", metavar="ORGANIZATION", help="its slug")
        parser.add_argument("--output", type=Path, metavar="FILE", help="write to this file, and not to the standard output")

    def handle(self, *_args: Any, organization: str, output: Path | None, **_options: Any) -> None:
        """Export."""
        try:
            text = export_manifest(organization, now=datetime.now(UTC))
        except UnknownOrganization as error:
            raise CommandError(error.message, returncode=2) from None
        if output is None:
            self.stdout.write(text, ending="")
            return
        try:
            output.write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{output} cannot be written: {error.strerror}.", returncode=2) from None
