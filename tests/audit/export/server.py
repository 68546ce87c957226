"""``manage.py serve`` for tests of exports: in small pages, and the log cannot be read behind an event that a file names."""

import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import django


def main(limit: str, *arguments: str) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agentiam.settings")
    django.setup()
    from django.core.management import call_command
    from django.db import DatabaseError

    from audit.export import reading

    read = reading._exported

    def read_so_far(row: tuple[Any, ...]) -> Any:
        if Path(limit).exists() and str(row[0]) > Path(limit).read_text():
            raise DatabaseError("the disk is gone")
        return read(row)

    reading._exported = read_so_far
    reading._PAGE = 2
    reading.SETTLING = timedelta(seconds=-5)
    call_command(*arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
