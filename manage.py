#!/usr/bin/env python
"""Run a management command of agentiam."""

import os
import sys
from pathlib import Path


def main() -> None:
    """Hand the command line to Django; say in one line what is wrong with the settings, if something is."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agentiam.settings")
    # Databases, keys and exports are nobody else's to read, whatever the directory around them allows.
    os.umask(0o077)
    try:
        from django.conf import settings
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line
        from django.db import OperationalError, ProgrammingError
    except ModuleNotFoundError:
        sys.exit(f"This Python lacks what agentiam needs. Run `make setup`, then: .venv/bin/python {' '.join(sys.argv)}")
    from agentiam.presence import RUN, as_finding, nothing_here, without_tables

    # The doctor changes nothing, and so does not make what it is to look at.
    if sys.argv[1:2] == ["doctor"] and (nothing := nothing_here(os.environ, Path(__file__).resolve().parent)):
        if "--json" in sys.argv:
            sys.stdout.write(as_finding(nothing) + "\n")
            sys.exit(1)
        sys.exit(f"{nothing} {RUN}")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"agentiam does not start: {error}")
    except (OperationalError, ProgrammingError) as error:
        if lacking := without_tables(error, name=str(settings.DATABASES["default"]["NAME"])):
            sys.exit(lacking)
        if isinstance(error, ProgrammingError):
            raise
        sys.exit(f"The database does not answer: {error}\nIs DATABASE_URL right, and does the server run?")


if __name__ == "__main__":
    main()
