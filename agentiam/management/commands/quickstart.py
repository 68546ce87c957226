"""Make a fresh checkout ready: database, example organization, administrator, and the first requests to paste."""

import json
from io import StringIO
from typing import Any, Final

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils import timezone

from agentiam.administrators import create_administrator
from agentiam.kit.actors import system
from directory.models import Organization

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
        "May it refund 250? That asks a person.",
        {"action": {"name": "refund", "properties": {"amount": 250}}, "resource": {"type": "case", "id": "case-1"}},
    ),
)


class Command(BaseCommand):
    """Migrate; on the first run load the example and say everything that is needed to go on. Later runs only migrate."""

    help = "Prepare the database; on the first run load the example organization and print how to go on."

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what is missing."""
        call_command("migrate", interactive=False, verbosity=0)
        if Organization.objects.exists():
            self.stdout.write(f"Sign in at {settings.BASE_URL}/ (another administrator: manage.py create_administrator).")
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

    def _greet(self, organization: Organization, username: str, password: str, key: str) -> None:
        lines = [
            "",
            f"The example organization {organization.name} is loaded from docs/examples/acme.yaml.",
            "",
            f"  Sign in at   {settings.BASE_URL}/",
            f"  User name    {username}",
            f"  Password     {password}",
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
