"""Look after the keys that tokens are signed with: list, rotate, withdraw, and seal them anew."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from agentiam.kit.actors import system
from agentiam.kit.sealing import Unopenable
from directory.models import Organization
from permissions.models import TokenKey
from permissions.oauth import keys

_OPERATOR = system("token_keys")


class Command(BaseCommand):
    """Rotation happens by itself; this is for a key that was lost, and for a change of the key-encryption key."""

    help = "Keys that tokens are signed with: list them, make the next, withdraw one, or seal all under the current key."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take what is to be done."""
        what = parser.add_subparsers(dest="what", required=True)
        for name, told in (("list", "what is shown, and what signs"), ("rotate", "make the next keys")):
            one = what.add_parser(name, help=told)
            one.add_argument("--organization", required=True, metavar="SLUG")
            if name == "rotate":
                one.add_argument("--at-once", action="store_true", help="they sign now, and not after two days")
        lost = what.add_parser("withdraw", help="show a key no more: what it signed is refused")
        lost.add_argument("kid")
        lost.add_argument("--reason", required=True)
        what.add_parser("reseal", help="seal every key under the current AGENTIAM_KEY_ENCRYPTION_KEYS")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, and say what was done."""
        now = timezone.now()
        match options["what"]:
            case "reseal":
                self._reseal(now)
            case "withdraw":
                row = TokenKey.objects.filter(kid=options["kid"]).first()
                if row is None:
                    raise CommandError(f"There is no key {options['kid']!r}; `token_keys list` names them.")
                keys.withdraw_key(key=row, by=_OPERATOR, reason=options["reason"], now=now)
                self.stdout.write(f"{row} is withdrawn. Who keeps a copy of the key set believes it until the copy is over.")
            case "rotate":
                made = keys.rotate_keys(
                    organization=self._organization(options), at_once=options["at_once"], by=_OPERATOR, now=now
                )
                self._tell(made)
            case _:
                organization = self._organization(options)
                keys.ensure_keys(organization, now=now)
                self._tell(TokenKey.objects.filter(organization=organization).shown(now).order_by("algorithm", "signs_from"))

    def _reseal(self, now: Any) -> None:
        try:
            done = keys.reseal(now=now)
        except Unopenable as error:
            raise CommandError(
                f"A key does not open: {error}. Put the key-encryption key that sealed it back into "
                "AGENTIAM_KEY_ENCRYPTION_KEYS under its number, then run this again; or withdraw it."
            ) from None
        self.stdout.write(f"{done} keys were sealed anew. Those of lower numbers are needed no more.")

    def _organization(self, options: dict[str, Any]) -> Organization:
        found = Organization.objects.filter(slug=options["organization"]).first()
        if found is None:
            raise CommandError(f"There is no organization {options['organization']!r}.")
        return found

    def _tell(self, rows: Any) -> None:
        lines = [f"{row.algorithm:<6} {row.kid}  signs {_window(row)}" for row in rows]
        self.stdout.write("\n".join(lines) or "The next keys wait already.")


def _window(row: TokenKey) -> str:
    until = "" if row.signs_until is None else f" until {row.signs_until:%Y-%m-%d %H:%M} UTC"
    return f"from {row.signs_from:%Y-%m-%d %H:%M} UTC{until}"
