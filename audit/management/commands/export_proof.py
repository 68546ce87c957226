"""Export one signed statement as a file that verifies offline."""

import io
import sys
from argparse import ArgumentParser
from typing import Any, BinaryIO
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from audit import selectors
from audit.attestations import proof_of
from audit.models import Attestation
from audit.names import recorded_organization


class Command(BaseCommand):
    """Write the proof to standard output."""

    help = "Write a signed statement to standard output; verify_proof and python -m audit.offline verify it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the organization, and which statement."""
        parser.add_argument("organization", metavar="ORGANIZATION", help="its name (slug) or id")
        parser.add_argument("subject", metavar="ID", help="the statement's id, or the id of what it is about: the newest then")
        parser.add_argument("--kind", default="offboarding", help="of which kind; offboarding unless another is given")

    def handle(self, *_args: Any, organization: str, subject: str, kind: str, **_options: Any) -> None:
        """Find the statement and write it."""
        organization_id = recorded_organization(organization, selectors.organizations_in_log())
        known = Attestation.objects.for_organization(organization_id)
        found = known.filter(kind=kind, target_id=subject).order_by("-id").first() or _by_id(known, subject)
        if found is None:
            raise CommandError(f"there is no {kind} statement about {subject!r}", returncode=2)
        self._binary().write(proof_of(found))

    def _binary(self) -> BinaryIO:
        """The bytes beneath the output that Django wraps, or a stream that a caller handed in."""
        stream: Any = getattr(self.stdout, "_out", sys.stdout)
        if isinstance(stream, io.BufferedIOBase):
            return stream  # type: ignore[return-value]
        binary: BinaryIO = stream.buffer
        return binary


def _by_id(known: Any, subject: str) -> Attestation | None:
    try:
        found: Attestation | None = known.filter(pk=UUID(subject)).first()
    except ValueError:
        return None
    return found
