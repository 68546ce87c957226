"""Play a working day of decisions through a running server."""

import signal
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from agentiam.demo.day import ANOMALY, agents_with_keys, working_day
from agentiam.demo.keys import borrowed_keys
from agentiam.demo.manifests import COMPANY, PARTNER, ZONE, catalogue
from agentiam.demo.playing import Stage, Tally, play, summary
from agentiam.demo.routines import STRAY
from agentiam.demo.server import Server, Unreachable
from agentiam.kit.ids import uuid7
from audit.models import Event
from directory.models import Agent, Organization
from permissions.events import ACCESS_DECIDED

_MOST: Final = 200_000
_BAR: Final = 40


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST:
        raise ArgumentTypeError(f"{text!r} is not a number from 1 to {_MOST}")
    return int(text)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a day: YYYY-MM-DD") from None


class Command(BaseCommand):
    """Play a day with keys made for it, which are revoked at the end; the decisions are made, and recorded, now."""

    help = (
        "Play a working day of the demo company through the decision API of a running server: questions, batches, searches, "
        "and an agent that goes astray. The same day and seed give the same requests; all of them are made now."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the day, its size, and the server."""
        parser.add_argument(
            "--day", type=_day, metavar="YYYY-MM-DD", help="whose script to play (today's); weekends are calmer"
        )
        parser.add_argument("--decisions", type=_count, default=2000, help="at least so many (2000)")
        parser.add_argument("--seed", type=int, default=1, help="another seed plays another day of the same kind (1)")
        parser.add_argument("--base-url", default=settings.BASE_URL, metavar="URL", help=f"the server ({settings.BASE_URL})")
        parser.add_argument("--wait", type=float, default=0, metavar="SECONDS", help="so long for the server to answer (0)")
        parser.add_argument(
            "--first", action="store_true", help="only if the company is there and no decision has been made yet"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Play, and say what came of it."""
        organization = Organization.objects.filter(slug=COMPANY).first()
        if options["first"] and (organization is None or _has_decisions(organization)):
            return
        if organization is None:
            raise CommandError("The demo company is not there. Load it first: .venv/bin/python manage.py demo")
        try:
            with _interruptible():
                tally = self._play(organization, options)
        except Unreachable as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            self.stderr.write("\nInterrupted; the keys are revoked.")
            sys.exit(130)
        self.stdout.write("\n".join(summary(tally)))
        strange = tally.parts[ANOMALY]
        self.stdout.write(
            f"Worth a look: the agent {STRAY}, {strange} decisions late in the day, most of them asked from an address that it "
            f"never had; {tally.anomalous['deny']} times it was refused."
        )
        if tally.faults:
            raise CommandError(f"{tally.faults.total()} answers were no decisions; the server's log says why.")

    def _play(self, organization: Organization, options: dict[str, Any]) -> Tally:
        day = options["day"] or timezone.now().astimezone(ZONE).date()
        server = Server(options["base_url"])
        try:
            server.require_agentiam(organization=COMPANY, wait=options["wait"])
        finally:
            server.close()
        known = Agent.objects.filter(organization__slug=PARTNER).values_list("external_id", "spiffe_id")
        partners = {f"{PARTNER}/{name}": spiffe_id for name, spiffe_id in known}
        calls = working_day(catalogue(), partners=partners, day=day, decisions=options["decisions"], seed=options["seed"])
        self.stdout.write(f"Playing {day:%A}, {day.isoformat()}, on {options['base_url']}: {len(calls)} requests.")
        self.stdout.flush()
        with borrowed_keys(organization, agents=agents_with_keys()) as keys:
            playable = [call for call in calls if call.caller in keys]
            stage = Stage(options["base_url"], keys, f"demo-{uuid7().hex[:12]}")
            return play(playable, stage, progress=self._progress())

    def _progress(self) -> Callable[[int, int], None]:
        """Show how far it is: a bar on a terminal, else a line for each tenth."""
        told = [0]

        def bar(done: int, of: int) -> None:
            filled = _BAR * done // of
            end = "\n" if done == of else ""
            self.stdout.write(f"\r[{'#' * filled}{'.' * (_BAR - filled)}] {done}/{of}", ending=end)
            self.stdout.flush()

        def lines(done: int, of: int) -> None:
            tenth = 10 * done // of
            if tenth > told[0]:
                told[0] = tenth
                self.stdout.write(f"{tenth * 10} %: {done} of {of}")
                self.stdout.flush()

        return bar if self.stdout.isatty() else lines


@contextmanager
def _interruptible() -> Iterator[None]:
    """End on SIGTERM as on Ctrl-C, also where a shell that starts this in the background has switched Ctrl-C off."""

    def interrupt(number: int, frame: Any) -> None:
        # Once is enough: what follows revokes the keys, and is not to be interrupted.
        for each in before:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _has_decisions(organization: Organization) -> bool:
    return Event.objects.for_organization(organization.pk).filter(type=ACCESS_DECIDED.name).exists()
