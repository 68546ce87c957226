"""Worlds that many tests begin with: made once by the services, then put back row by row, which costs a tenth.

Only within a test's own transaction, where nobody else can see the rows; their ids are the same in each test.
"""

import pickle
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

from django.apps import apps
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management.color import no_style
from django.db import connection, models

from directory.models import Organization

World = TypeVar("World")
_MIGRATED = (ContentType, Permission)


class Remembered(Generic[World]):
    """What a maker makes in an empty database: the first call makes it, each later one puts the same rows back."""

    def __init__(self, make: Callable[[], World]) -> None:
        self._make = make
        self._world = b""
        self._rows: list[tuple[str, Any]] = []
        self._sequences: list[str] = []

    def __call__(self) -> World:
        """Give the world; what another fixture put there before is no reason to fail, only to make it anew."""
        if not connection.in_atomic_block or Organization.objects.exists():
            return self._make()
        if not self._world:
            world = self._make()
            self._remember(world)
            return world
        with connection.cursor() as cursor:
            for statement, rows in self._rows:
                if connection.vendor == "postgresql":
                    cursor.execute(statement, [rows])
                else:
                    cursor.executemany(statement, rows)
            for statement in self._sequences:
                cursor.execute(statement)
        return cast("World", pickle.loads(self._world))  # noqa: S301  (our own bytes)

    def _remember(self, world: World) -> None:
        filled: list[type[models.Model]] = []
        for model in apps.get_models(include_auto_created=True):
            options = model._meta
            if options.managed and not options.proxy and model not in _MIGRATED and self._keep(options):
                filled.append(model)
        self._sequences = connection.ops.sequence_reset_sql(no_style(), filled)
        self._world = pickle.dumps(world)

    def _keep(self, options: Any) -> bool:
        """Copy a table as the database has it, past every converter; answers whether it has rows."""
        table = connection.ops.quote_name(options.db_table)
        names = [connection.ops.quote_name(field.column) for field in options.local_concrete_fields]
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute(f"SELECT json_agg(row)::text FROM {table} AS row")
                [rows] = cursor.fetchone()
                statement = f"INSERT INTO {table} SELECT * FROM json_populate_recordset(NULL::{table}, %s::json)"
            else:
                # A plus takes the declared type away, and with it the conversion.
                cursor.execute(f"SELECT {', '.join(f'+{name}' for name in names)} FROM {table}")
                rows = cursor.fetchall()
                marks = ", ".join(["%s"] * len(names))
                statement = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"
        if rows:
            self._rows.append((statement, rows))
        return bool(rows)
