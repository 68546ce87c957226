"""Serve decisions and pages over HTTP."""

import os
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from agentiam import serving
from agentiam.health import pending_migrations


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise ArgumentTypeError(f"{text!r} is not a port: 0 to 65535")
    return int(text)


class Command(BaseCommand):
    """Run the server until SIGTERM or SIGINT; it refuses to start with unsafe settings or on an old database."""

    help = "Serve decisions and pages over HTTP until SIGTERM or Ctrl-C."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the address and the number of processes."""
        parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (127.0.0.1)")
        parser.add_argument(
            "--port", type=_port, default=None, help="the port to listen on (that of AGENTIAM_BASE_URL, if local)"
        )
        parser.add_argument("--workers", type=int, default=1, help="the number of processes (1)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Check, bind, run, and leave with the server's exit code."""
        if options["workers"] < 1:
            raise CommandError("--workers is at least 1.")
        self._require_shared_counters(options["workers"])
        self.check(include_deployment_checks=settings.PRODUCTION)
        if pending := pending_migrations():
            raise CommandError(f"The database lacks {len(pending)} migrations: run `.venv/bin/python manage.py migrate` first.")
        try:
            listener = serving.listen(options["host"], serving.usual_port() if options["port"] is None else options["port"])
        except serving.AddressTaken as error:
            raise CommandError(f"{error} {error.remedy}".rstrip()) from None
        host, port = listener.getsockname()[:2]
        self.stdout.write(f"agentiam listens on http://{host}:{port} (process {os.getpid()}).")
        self.stdout.flush()
        code = serving.run(listener, workers=options["workers"], trusted_proxies=settings.TRUSTED_PROXIES)
        if code:
            raise CommandError("The server could not start; the log says why.", returncode=code)

    def _require_shared_counters(self, workers: int) -> None:
        """Refuse several processes that cannot count together; outside production, say what that means."""
        if workers == 1 or settings.REDIS_URL:
            return
        words = (
            f"--workers {workers} without Redis: each process counts requests, tries to sign in and used SAML assertions for "
            f"itself, so whoever guesses has {workers} times the tries. Set REDIS_URL, or serve with --workers 1."
        )
        if settings.PRODUCTION:
            raise CommandError(words)
        self.stderr.write(self.style.WARNING(words))
