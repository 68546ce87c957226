#!/usr/bin/env python
"""Run a management command of agentiam."""

import os
import sys


def main() -> None:
    """Hand the command line to Django; say in one line what is wrong with the settings, if something is."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agentiam.settings")
    # Databases, keys and exports are nobody else's to read, whatever the directory around them allows.
    os.umask(0o077)
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"agentiam does not start: {error}")
    except OperationalError as error:
        sys.exit(f"The database does not answer: {error}\nIs DATABASE_URL right, and does the server run?")


if __name__ == "__main__":
    main()
