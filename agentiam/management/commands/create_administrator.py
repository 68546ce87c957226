"""Add an administrator to an organization, or let one in again who is locked out."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email
from django.utils import timezone

from agentiam.administrators import create_administrator, readmit_administrator
from agentiam.kit.actors import system
from agentiam.kit.errors import Refusal
from directory.models import Organization, User


class Command(BaseCommand):
    """Add a security administrator, or readmit one, and print a password for one sign-in."""

    help = "Add a security administrator to an organization, or readmit a person; print a password for one sign-in."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the organization and the person."""
        parser.add_argument("--organization", required=True, metavar="SLUG")
        parser.add_argument("--name", default="", help="of a new person; needed for one")
        parser.add_argument(
            "--email",
            required=True,
            help="also the user name to sign in with; or either of who exists",
        )
        parser.add_argument("--id", default="", help="the id that the organization uses (the e-mail address)")
        parser.add_argument(
            "--reset-second-factor",
            action="store_true",
            help="of a person who exists: also remove their authenticator app, passkeys and recovery codes",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Create the account or reset it, and say how to sign in."""
        organization = Organization.objects.filter(slug=options["organization"]).first()
        if organization is None:
            raise CommandError(f"There is no organization {options['organization']!r}.")
        account = self._known(organization, options["email"])
        if account is not None and (account.organization_id != organization.pk or not account.is_person):
            raise CommandError(f"The user name {options['email']} is taken.")
        try:
            person, password = self._readmit(account, options) if account is not None else self._create(organization, options)
        except Refusal as refusal:
            raise CommandError(" ".join(filter(None, [refusal.message, refusal.remedy]))) from None
        self.stdout.write(
            f"User name: {person.username}\nPassword:  {password}\n"
            "(shown once, and good for one sign-in, where another is chosen. If that is left without one, this command lets\n"
            "them in again.)"
        )

    def _known(self, organization: Organization, email: str) -> User | None:
        """Find whom the address means: by user name, else the one person of the organization whose address it is."""
        account = User.objects.filter(username=email).first()
        if account is not None:
            return account
        people = list(User.objects.people().filter(organization=organization, email__iexact=email).order_by("username")[:5])
        if len(people) > 1:
            names = ", ".join(each.username for each in people)
            raise CommandError(f"Several people have the address {email}. Give one of their user names as --email: {names}.")
        return people[0] if people else None

    def _create(self, organization: Organization, options: dict[str, Any]) -> tuple[User, str]:
        try:
            validate_email(options["email"])
        except ValidationError:
            raise CommandError("--email is not an e-mail address.") from None
        if not options["name"]:
            raise CommandError("--name is missing: there is no such person yet.")
        return create_administrator(
            organization=organization,
            external_id=options["id"] or options["email"],
            username=options["email"],
            name=options["name"],
            email=options["email"],
            by=system("create_administrator"),
            now=timezone.now(),
        )

    def _readmit(self, person: User, options: dict[str, Any]) -> tuple[User, str]:
        if options["id"] and options["id"] != person.external_id:
            raise CommandError(f"The user name {options['email']} is taken, by the person with the id {person.external_id}.")
        said = ["they get a one-time password", "their sessions end"]
        if not person.is_active:
            said.insert(0, "their account is opened again")
        if User.ConsoleRole.SECURITY_ADMINISTRATOR not in person.console_roles:
            said.insert(0, "they are given the role of security administrator")
        self.stderr.write(f"{person.name} exists: {', '.join(said[:-1])}, and {said[-1]}.")
        return readmit_administrator(
            person=person,
            without_second_factor=options["reset_second_factor"],
            by=system("create_administrator"),
            now=timezone.now(),
        )
