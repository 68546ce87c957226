"""Records enter the database here, many at a time and together with the head that they move, or not at all."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection

from agentiam.kit.errors import Conflict
from agentiam.kit.ids import uuid7
from audit.encoding import Head, Row
from audit.models import Chain

COLUMNS: Final = (
    "id, organization_id, chain_id, sequence, type, at, actor_kind, actor_id, actor_label, "
    "target_type, target_id, target_label, effect, request_id, reason, body, hash"
)
_INSERT: Final = f"INSERT INTO audit_event ({COLUMNS}) VALUES ({', '.join(['%s'] * 17)})"  # noqa: S608 (constants)
_COPY: Final = f"COPY audit_event ({COLUMNS}) FROM STDIN"
_MOVE: Final = "UPDATE audit_chain SET last_sequence = %s, last_hash = %s WHERE id = %s AND last_sequence = %s"
_COPY_FROM: Final = 2
_SQLITE_ROW: Final = f"({', '.join(['?'] * 17)})"
_MOST_ROWS: Final = 64
_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


class ChainMoved(Conflict):
    """The chain's head is not where its writer left it; nothing was written."""


def locked_head(organization_id: UUID, writer: str, *, now: datetime) -> Head:
    """Lock the head of a writer's chain until the transaction ends; open the chain if there is none.

    One query, three when it opens.
    """
    chains = Chain.objects.for_organization(organization_id).filter(writer=writer).select_for_update()
    found = chains.values_list("id", "last_sequence", "last_hash").first()
    if found is None:
        # Of two transactions that open the same chain, the second waits here for the first and then finds its row.
        opened = Chain(id=uuid7(), organization_id=organization_id, writer=writer, opened_at=now)
        Chain.objects.bulk_create([opened], ignore_conflicts=True)
        found = chains.values_list("id", "last_sequence", "last_hash").get()
    chain_id, sequence, last_hash = found
    return Head(
        chain_id=chain_id,
        organization_id=organization_id,
        chain=str(chain_id),
        organization=str(organization_id),
        sequence=sequence,
        hash=last_hash,
    )


def _copy_line(row: Row) -> str:
    """A row as COPY's text format has it; a clean row, which is nearly every one, is only joined."""
    columns = (*row[:3], str(row[3]), *row[4:])
    line = "\t".join(columns)
    if "\\" in line or "\n" in line or "\r" in line or line.count("\t") != 16:
        line = "\t".join([column.translate(_ESCAPES) for column in columns])
    return line


def _sqlite_row(row: Row) -> tuple[Any, ...]:
    """A row as Django stores it in SQLite: identifiers without hyphens, instants with a space and no zone."""
    at = row[5][:10] + " " + row[5][11:-1].removesuffix(".000000")
    return (row[0].replace("-", ""), row[1].replace("-", ""), row[2].replace("-", ""), row[3], row[4], at, *row[6:])


def _insert_into_sqlite(rows: Sequence[tuple[Any, ...]]) -> None:
    """Write many rows with few statements.

    Python gives its lock away for each step of a statement, and a busy process is slow to give it back: a step a row made
    a batch of 64 wait 64 times. The sizes are powers of two, so that the prepared statements are few and are kept.
    """
    connection.ensure_connection()
    start = 0
    with connection.wrap_database_errors:
        while start < len(rows):
            size = min(_MOST_ROWS, 1 << (len(rows) - start).bit_length() - 1)
            values = ", ".join([_SQLITE_ROW] * size)
            columns = [column for row in rows[start : start + size] for column in row]
            connection.connection.execute(f"INSERT INTO audit_event ({COLUMNS}) VALUES {values}", columns)  # noqa: S608 (constants)
            start += size


def insert_rows(rows: Sequence[Row]) -> None:
    """Write records in one statement: COPY on PostgreSQL, a prepared INSERT on SQLite."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            _insert_into_sqlite([_sqlite_row(row) for row in rows])
        elif len(rows) < _COPY_FROM:
            cursor.execute(_INSERT, rows[0])
        else:
            block = "\n".join([_copy_line(row) for row in rows])
            with connection.wrap_database_errors, cursor.copy(_COPY) as copy:
                copy.write(block + "\n")


def move_heads(moves: Iterable[tuple[Head, int]]) -> None:
    """Move chains from the sequence they were at to their heads. Raises ChainMoved if one is not there any more."""
    sqlite = connection.vendor == "sqlite"
    parameters = [(h.sequence, h.hash, h.chain_id.hex if sqlite else h.chain_id, former) for h, former in moves]
    with connection.cursor() as cursor:
        if len(parameters) == 1:
            cursor.execute(_MOVE, parameters[0])
        else:
            cursor.executemany(_MOVE, parameters)
        if cursor.rowcount != len(parameters):
            raise ChainMoved("a chain was moved by somebody else")
