"""Make a fresh checkout ready: database, example organization, administrator, the first requests to paste, a demo company."""

import json
import select
import sys
from argparse import ArgumentParser
from io import StringIO
from typing import Any, Final

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from agentiam import serving
from agentiam.administrators import create_administrator
from agentiam.demo.loading import load_company
from agentiam.kit.actors import system
from agentiam.management.commands.demo import greeting
from directory.models import Organization

QUESTION_SECONDS: Final = 20
EXAMPLE: Final = settings.BASE_DIR / "docs" / "examples" / "acme.yaml"
REQUESTS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    (
        "May the agent read a case in the EU? Yes, with the e-mail address masked.",
        {"action": {"name": "read"}, "resource": {"type": "case", "id": "case-1"}},
    ),
    (
        "May it read a case in the US? No, and the answer says which condition failed.",
        {"action": {"name": "read"}, "resource": {"type": "case", "id": "case-2"}},
    ),
    (
        'May it refund 250? Not before a person has agreed: the answer is "escalate", and a no until then.',
        {"action": {"name": "refund", "properties": {"amount": 250}}, "resource": {"type": "case", "id": "case-1"}},
    ),
)


class Command(BaseCommand):
    """Migrate; on the first run load the example and say everything that is needed to go on. Later runs only migrate."""

    help = "Prepare the database; on the first run load the example organization and print how to go on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take whether the server is to be started next."""
        parser.add_argument(
            "--before-serve", action="store_true", help="first see that the port is free, before anything is printed only once"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what is missing."""
        if options["before_serve"]:
            self._require_port()
        call_command("migrate", interactive=False, verbosity=0)
        if Organization.objects.exists():
            another = ".venv/bin/python manage.py create_administrator"
            self.stdout.write(f"Sign in at {settings.BASE_URL}/ (another administrator: {another}).")
            return
        # All or nothing: a run that fails half-way would otherwise never print the password again.
        with transaction.atomic():
            answer = StringIO()
            call_command("apply", str(EXAMPLE), "--json", stdout=answer)
            loaded = json.loads(answer.getvalue())
            organization = Organization.objects.get(slug=loaded["organization"])
            person, password = create_administrator(
                organization=organization,
                external_id="admin",
                username=f"admin@{organization.slug}",
                name="Administrator",
                email=f"admin@{organization.trust_domain}",
                by=system("quickstart"),
                now=timezone.now(),
            )
        self._greet(organization, person.username, password, loaded["credentials"]["application/crm"])
        if self._wants_company():
            self.stdout.write("\n".join(greeting(load_company(now=timezone.now()))))

    def _require_port(self) -> None:
        port = serving.usual_port()
        try:
            serving.listen("127.0.0.1", port).close()
        except serving.AddressTaken as error:
            other = port + 1 if port < 65_535 else 8000
            raise CommandError(
                f"{error} Nothing was done yet. Run it on another: AGENTIAM_BASE_URL=http://127.0.0.1:{other} make run"
            ) from None

    def _wants_company(self) -> bool:
        """Ask whoever sits at a terminal, for a while; without one, only who said so beforehand gets the demo company."""
        if settings.DEMO != "ask":
            return bool(settings.DEMO == "yes")
        if not (sys.stdin.isatty() and self.stdout.isatty()):
            self.stdout.write("A larger company to look at can be loaded beside it: .venv/bin/python manage.py demo\n")
            return False
        self.stdout.write("Load a demo company to look at, too? [Y/n] ", ending="")
        self.stdout.flush()
        answered = select.select([sys.stdin], [], [], QUESTION_SECONDS)[0]
        answer = sys.stdin.readline() if answered else "\n"
        self.stdout.write("" if answered else "yes")
        # An input that has ended is nobody's yes.
        return bool(answer) and not answer.strip().lower().startswith("n")

    def _greet(self, organization: Organization, username: str, password: str, key: str) -> None:
        again = f".venv/bin/python manage.py create_administrator --organization {organization.slug} --email {username}"
        lines = [
            "",
            f"The example organization {organization.name} is loaded from docs/examples/acme.yaml.",
            "",
            f"  Sign in at   {settings.BASE_URL}/",
            f"  User name    {username}",
            f"  Password     {password}",
            "               (for the first sign-in, where you choose your own; if that is interrupted, get another by",
            f"               {again})",
            "",
            "Its application crm asks for decisions with this key (shown once, like the password):",
            "",
            f"  export KEY={key}",
            "",
        ]
        for sentence, request in REQUESTS:
            body = json.dumps({"subject": {"type": "agent", "id": "refund-runner"}} | request)
            lines += [
                f"# {sentence}",
                f"curl -s {settings.BASE_URL}/access/v1/evaluation \\",
                "  -H \"Authorization: Bearer $KEY\" -H 'Content-Type: application/json' \\",
                f"  -d '{body}'",
                "",
            ]
        self.stdout.write("\n".join(lines))
