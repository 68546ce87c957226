"""Verify an exported proof: 0 genuine, 1 not, 2 not asked properly."""

import sys
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit.attestations import verify_proof
from audit.chain import BadKey, PublicKey
from audit.statements import NotAProof, as_json, describe


class Command(BaseCommand):
    """Check one file against the keys of the configuration, or against one key."""

    help = "Verify that an exported proof is what a trusted key signed, byte for byte."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the file, perhaps the only key to trust, and whether to answer in JSON."""
        parser.add_argument("file", metavar="FILE", type=Path, help="the exported proof")
        parser.add_argument("--key", type=_key, help="the only public key to trust; PEM, JWK or base64")
        parser.add_argument("--json", action="store_true", help="print the finding as JSON")

    def handle(self, *_args: Any, file: Path, key: PublicKey | None = None, **options: Any) -> None:
        """Verify, say what was found, and exit with 1 if the proof is not genuine."""
        try:
            content = file.read_bytes()
        except OSError as error:
            raise CommandError(
                f"{file} cannot be read: {error.strerror or error}. Name the file that export_proof wrote.", returncode=2
            ) from None
        try:
            verdict = verify_proof(content, pinned=key)
        except NotAProof as error:
            raise CommandError(
                f"{file} is no exported proof: {error}. Name a file as export_proof wrote it, unchanged; an exported log is "
                "for python -m audit.offline.",
                returncode=2,
            ) from None
        except BadKey as error:
            raise CommandError(f"AUDIT_SIGNING_KEY names no key to trust: {error}", returncode=2) from error
        self.stdout.write(as_json(verdict) if options["json"] else "\n".join(describe(verdict)))
        if not verdict.genuine:
            sys.exit(1)


def _key(text: str) -> PublicKey:
    try:
        return PublicKey.from_text(text)
    except BadKey as error:
        raise ArgumentTypeError(f"not an Ed25519 public key: {error}") from error
