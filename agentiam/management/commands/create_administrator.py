"""Add an administrator to an organization."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email
from django.utils import timezone

from agentiam.administrators import create_administrator
from agentiam.kit.actors import system
from agentiam.kit.errors import Refusal
from directory.models import Organization, User


class Command(BaseCommand):
    """Add a person with every right in one organization and print their password, once."""

    help = "Add an administrator to an organization and print a random password, once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the organization and the person."""
        parser.add_argument("--organization", required=True, metavar="SLUG")
        parser.add_argument("--name", required=True)
        parser.add_argument("--email", required=True, help="also the user name to sign in with")
        parser.add_argument("--id", default="", help="the id that the organization uses (the e-mail address)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Create the account and say how to sign in."""
        organization = Organization.objects.filter(slug=options["organization"]).first()
        if organization is None:
            raise CommandError(f"There is no organization {options['organization']!r}.")
        try:
            validate_email(options["email"])
        except ValidationError:
            raise CommandError("--email is not an e-mail address.") from None
        if User.objects.filter(username=options["email"]).exists():
            raise CommandError(f"The user name {options['email']} is taken.")
        try:
            person, password = create_administrator(
                organization=organization,
                external_id=options["id"] or options["email"],
                username=options["email"],
                name=options["name"],
                email=options["email"],
                by=system("create_administrator"),
                now=timezone.now(),
            )
        except Refusal as refusal:
            raise CommandError(" ".join(filter(None, [refusal.message, refusal.remedy]))) from None
        self.stdout.write(f"User name: {person.username}\nPassword:  {password}\n(shown once; nobody can read it again)")
