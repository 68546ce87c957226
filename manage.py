#!/usr/bin/env python
"""Run a management command of agentiam."""

import os
import sys


def main() -> None:
    """Hand the command line to Django; say in one line what is wrong with the settings, if something is."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agentiam.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"agentiam does not start: {error}")


if __name__ == "__main__":
    main()
