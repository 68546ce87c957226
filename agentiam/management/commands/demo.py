"""Load a company to look at."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from agentiam.demo.loading import CompanyLoaded, Loaded, load_company

HELP: Final = """\
Load Saltmark Line, a fictional ferry and freight operator with people, agents, applications, rules and a partner, beside
whatever is there. Running it again changes nothing, whatever was changed in the company since.

There is no way to remove it: the event log is append-only, and an organization that vanished from it would be a broken log.
Use a data directory of its own (AGENTIAM_DATA_DIR) and delete that. `demo_traffic` plays a working day of its
decisions.
"""


class Command(BaseCommand):
    """Load the company and print how to sign in; a company that is there is left alone."""

    help = HELP

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Keep the paragraphs of the help."""
        return super().create_parser(prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take nothing."""

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Load it."""
        try:
            loaded = load_company(now=timezone.now())
        except CompanyLoaded as there:
            self.stdout.write(f"{there.message} Nothing was changed.")
            return
        self.stdout.write("\n".join(greeting(loaded)))


_COUNTED: Final = (
    ("person", "people"),
    ("agent", "agents"),
    ("application", "applications"),
    ("resource", "resources"),
)


def greeting(loaded: Loaded) -> list[str]:
    """Say what was loaded and how to look at it."""
    of_kind = loaded.created.get
    return [
        "",
        f"{loaded.organization.name}, a fictional ferry operator, is loaded from docs/examples/demo:",
        ", ".join(f"{of_kind(kind)} {plural}" for kind, plural in _COUNTED) + ".",
        "",
        f"  Sign in at   {settings.BASE_URL}/",
        f"  User name    {loaded.username}",
        f"  Password     {loaded.password}",
        "               (for the first sign-in, where you choose your own)",
        "",
        "A working day of its decisions, while the server runs: .venv/bin/python manage.py demo_traffic",
        "",
    ]
