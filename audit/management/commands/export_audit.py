"""Export an organization's event log: whole and verifiable offline, or chosen events in a format that others read."""

import io
import sys
from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from agentiam.kit.actors import system
from audit import selectors
from audit.export import BadFilter, Filters, Format, export
from audit.export.jsonl import export_events
from audit.names import recorded_organization

PROOF: Final = "proof"
_CHOOSING: Final = ("since", "until", "types", "actor", "target", "effects", "newest_first", "after")


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a time like 2026-01-31 or 2026-01-31T09:00:00Z") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not the id of an event") from None


class Command(BaseCommand):
    """Write the export to standard output, and the cursor to go on from to standard error."""

    help = (
        "Write an organization's event log to standard output. Without --format it is the whole log, which python -m "
        "audit.offline verifies; with one it is the chosen events (docs/exports.md)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the organization, the format, and what to leave out."""
        parser.add_argument("organization", metavar="ORGANIZATION", help="its name (slug) or id")
        parser.add_argument("--reason", default="", help="why, for the event log itself")
        parser.add_argument(
            "--format",
            choices=[PROOF, *(each.value for each in Format)],
            default=PROOF,
            help="proof: the whole log, verifiable offline",
        )
        parser.add_argument("--from", dest="since", type=_instant, metavar="TIME", help="events from this time on (UTC)")
        parser.add_argument("--to", dest="until", type=_instant, metavar="TIME", help="events before this time (UTC)")
        parser.add_argument("--type", dest="types", action="append", metavar="TYPE", help="this event type; may be repeated")
        parser.add_argument("--actor", metavar="ID", help="what this person, agent or application did")
        parser.add_argument("--target", metavar="ID", help="what was done to this")
        parser.add_argument(
            "--effect", dest="effects", action="append", metavar="EFFECT", help="decisions: allow, deny, escalate"
        )
        parser.add_argument("--newest-first", action="store_true", help="read backwards")
        parser.add_argument("--after", type=_id, metavar="CURSOR", help="go on after this event, as the last export said")

    def handle(self, *_args: Any, organization: str, reason: str, **options: Any) -> None:
        """Export; the export itself is an event."""
        proof = options["format"] == PROOF
        if proof and any(options[name] for name in _CHOOSING):
            raise CommandError("The proof is of the whole log: choose events with another --format.", returncode=2)
        organization_id = recorded_organization(organization, selectors.organizations_in_log())
        by = system("export_audit")
        if proof:
            export_events(organization_id=organization_id, stream=self._binary(), by=by, reason=reason)
            return
        filters = Filters(
            since=options["since"],
            until=options["until"],
            types=tuple(options["types"] or ()),
            actor=options["actor"] or "",
            target=options["target"] or "",
            effects=tuple(options["effects"] or ()),
            newest_first=options["newest_first"],
        )
        try:
            found = export(
                organization_id=organization_id,
                format=options["format"],
                filters=filters,
                after=options["after"],
                by=by,
                reason=reason,
                now=datetime.now(UTC),
            )
        except BadFilter as error:
            raise CommandError(error.message, returncode=2) from None
        stream = self._binary()
        for chunk in found:
            stream.write(chunk)
        stream.flush()
        cursor = "" if found.cursor is None else f" Go on with --after {found.cursor}"
        self.stderr.write(f"{found.count} events.{cursor}")

    def _binary(self) -> BinaryIO:
        """The bytes beneath the output that Django wraps, or a stream that a caller handed in."""
        stream: Any = getattr(self.stdout, "_out", sys.stdout)
        if isinstance(stream, io.BufferedIOBase):
            return stream  # type: ignore[return-value]
        binary: BinaryIO = stream.buffer
        return binary
