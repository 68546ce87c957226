"""Make an organization as a manifest says."""

import json
import sys
from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from agentiam.kit.actors import Actor, system
from agentiam.manifest.applying import Outcome, apply_manifest
from agentiam.manifest.mistakes import Refused, Unusable
from agentiam.manifest.planning.changes import Plan
from agentiam.manifest.reading import read_manifest
from agentiam.manifest.shape import schema_text
from agentiam.manifest.showing import change_lines, summary
from directory.models import User

REFUSED = 1
UNUSABLE = 2


class Command(BaseCommand):
    """Show what a manifest changes, then change it, all in one transaction: 0 done, 1 refused, 2 unusable."""

    help = "Make an organization as a manifest says (docs/organization-as-code.md)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the manifest, and how to apply it."""
        parser.add_argument("manifest", nargs="?", metavar="FILE|DIR", help="YAML or JSON, a directory of such files, or -")
        parser.add_argument("--dry-run", action="store_true", help="show what would change, and change nothing")
        parser.add_argument("--json", action="store_true", help="print the outcome, or the mistakes, as JSON")
        parser.add_argument("--prune", action="store_true", help="end what is there and not in a section of the manifest")
        parser.add_argument("--as", dest="username", metavar="USERNAME", help="act as this person; else the system acts")
        parser.add_argument("--reason", help="why, for the event log (apply FILE)")
        parser.add_argument("--schema", action="store_true", help="print the JSON Schema of the format, and do nothing else")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Apply."""
        if options["schema"]:
            self.stdout.write(schema_text(), ending="")
            return
        location = options["manifest"]
        if location is None:
            raise CommandError("Name a manifest: a file, a directory, or -.", returncode=UNUSABLE)
        by = system("apply") if options["username"] is None else _person(options["username"])
        as_json: bool = options["json"]
        try:
            outcome = apply_manifest(
                read_manifest(location, stdin=sys.stdin.buffer if location == "-" else None),
                by=by,
                reason=options["reason"] or f"apply {location if location == '-' else Path(location).resolve().name}",
                now=datetime.now(UTC),
                prune=options["prune"],
                dry_run=options["dry_run"],
                show=None if as_json else self._show,
            )
        except (Unusable, Refused) as error:
            self._tell(error, as_json=as_json)
            sys.exit(UNUSABLE if isinstance(error, Unusable) else REFUSED)
        self._report(outcome, as_json=as_json, dry_run=options["dry_run"])

    def _show(self, plan: Plan) -> None:
        for line in change_lines(plan.changes):
            self.stdout.write(line)
        for note in plan.notes:
            self.stdout.write(f"! {note}")
        self.stdout.write(summary(plan.changes))
        self.stdout.flush()

    def _tell(self, error: Unusable | Refused, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps({"errors": [mistake.as_json() for mistake in error.mistakes]}, ensure_ascii=False))
            return
        for mistake in error.mistakes:
            self.stderr.write(mistake.as_text())
        if isinstance(error, Unusable) and error.left_out:
            self.stderr.write(f"and {error.left_out} more mistakes.")
        self.stderr.write("Nothing was changed.")

    def _report(self, outcome: Outcome, *, as_json: bool, dry_run: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(outcome.as_json(), ensure_ascii=False))
            return
        if dry_run:
            self.stdout.write("Nothing was changed: this was a dry run.")
        if outcome.credentials:
            self.stdout.write("Keys, shown this once:")
            for holder, key in outcome.credentials.items():
                self.stdout.write(f"  {holder}: {key}")


def _person(username: str) -> Actor:
    person = User.objects.people().active().filter(username=username).first()
    if person is None:
        raise CommandError(f"There is no active person who logs in as {username}.", returncode=UNUSABLE)
    return person.as_actor()
