"""How two databases say the same: the spelling of every primitive that the translation of plans uses.

Facts relied on. SQLite compares text by bytes under BINARY and PostgreSQL under ``COLLATE "C"``, which for UTF-8 is the
order of code points. Integer arithmetic that leaves 64 bits becomes a REAL on SQLite; on PostgreSQL it is done in
``numeric``. PostgreSQL orders NaN above every number. Times are stored as Django stores them: on SQLite as UTC text and
microseconds.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

from permissions.engine.conditions.values import INT_MAX, INT_MIN

DialectName = Literal["sqlite", "postgresql"]


class Sql(NamedTuple):
    """A piece of SQL with its parameters."""

    text: str
    params: tuple[Any, ...] = ()


def joined(template: str, *pieces: Sql) -> Sql:
    """Fill ``{}`` in a template with pieces; the parameters follow in order."""
    return Sql(template.format(*(piece.text for piece in pieces)), tuple(param for piece in pieces for param in piece.params))


class SQLite:
    """SQLite, 3.38 or later (JSON)."""

    true, false = "1", "0"
    collation = " COLLATE BINARY"
    ordered = " COLLATE BINARY"
    nan_possible = False

    def __init__(self, marker: str) -> None:
        self.marker = marker
        self.percent = "%%" if marker == "%s" else "%"

    def param(self, kind: str, value: Any) -> Sql:
        """Bind a constant of a type."""
        if kind == "timestamp":
            value = str(value.astimezone(UTC).replace(tzinfo=None))
        elif kind == "duration":
            value = value // timedelta(microseconds=1)
        elif kind == "bool":
            value = int(value)
        return Sql(self.marker, (value,))

    def starts_with(self, text: Sql, part: Sql) -> Sql:
        """Compare the beginning of a text."""
        return joined("substr({}, 1, length({})) = {} COLLATE BINARY", text, part, part)

    def ends_with(self, text: Sql, part: Sql) -> Sql:
        """Compare the end of a text; -0 would be its beginning."""
        return joined("(length({}) = 0 OR substr({}, -length({})) = {} COLLATE BINARY)", part, text, part, part)

    def contains(self, text: Sql, part: Sql) -> Sql:
        """Look for a text in a text."""
        return joined("instr({}, {}) > 0", text, part)

    def integer(self, operation: str, left: Sql, right: Sql) -> tuple[Sql, Sql]:
        """Compute with integers; returns the value and whether it is one."""
        symbol = {"add": "+", "sub": "-", "mul": "*", "div": "/", "mod": self.percent}[operation]
        value = joined(f"({{}} {symbol} {{}})", left, right)
        proof = joined("({} / {})", left, right) if operation == "mod" else value
        return value, joined("typeof({}) = 'integer'", proof)

    def negated(self, value: Sql) -> tuple[Sql, Sql]:
        """Negate an integer; returns the value and whether it is one."""
        result = joined("(-{})", value)
        return result, joined("typeof({}) = 'integer'", result)

    def is_list(self, column: Sql) -> Sql:
        """Tell whether a JSON column has a list."""
        return joined("json_type({}) = 'array'", column)

    def is_present_list(self, column: Sql) -> Sql:
        """Tell whether a JSON column has anything but null."""
        return joined("json_type({}) <> 'null'", column)

    def list_size(self, column: Sql) -> Sql:
        """Count the elements of a list."""
        return joined("json_array_length({})", column)

    def list_has(self, column: Sql, kind: str, value: Any) -> Sql:
        """Look for a constant in a list."""
        types = Sql("'text'" if kind == "string" else "'integer', 'real'")
        template = "EXISTS (SELECT 1 FROM json_each({}) AS element WHERE element.type IN ({}) AND element.value = {})"
        return joined(template, column, types, Sql(self.marker, (value,)))

    def as_text(self, column: Sql, stored: str) -> Sql:
        """Write an integer or a UUID (32 digits) as its text."""
        if stored == "integer":
            return joined("CAST({} AS TEXT)", column)
        parts = [f"substr({{}}, {start}, {length})" for start, length in ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))]
        return joined(f"({' || char(45) || '.join(parts)})", *[column] * 5)


class PostgreSQL:
    """PostgreSQL, 12 or later, with lists as ``jsonb``."""

    true, false = "TRUE", "FALSE"
    collation = ""
    ordered = ' COLLATE "C"'
    nan_possible = True
    casts = {
        "string": "text",
        "int": "bigint",
        "double": "double precision",
        "bool": "boolean",
        "timestamp": "timestamptz",
        "duration": "interval",
    }

    def __init__(self, marker: str) -> None:
        self.marker = marker

    def param(self, kind: str, value: Any) -> Sql:
        """Bind a constant of a type."""
        if kind == "timestamp" and isinstance(value, datetime):
            value = value.astimezone(UTC)
        # Not ``::``, which binds tighter than the minus of a number that the client writes out.
        return Sql(f"CAST({self.marker} AS {self.casts[kind]})", (value,))

    def starts_with(self, text: Sql, part: Sql) -> Sql:
        """Compare the beginning of a text."""
        return joined("left({}, length({})) = {}", text, part, part)

    def ends_with(self, text: Sql, part: Sql) -> Sql:
        """Compare the end of a text."""
        return joined("right({}, length({})) = {}", text, part, part)

    def contains(self, text: Sql, part: Sql) -> Sql:
        """Look for a text in a text."""
        return joined("strpos({}, {}) > 0", text, part)

    def integer(self, operation: str, left: Sql, right: Sql) -> tuple[Sql, Sql]:
        """Compute with integers; returns the value and whether it fits 64 bits."""
        if operation in {"div", "mod"}:
            quotient = joined("div(({})::numeric, NULLIF(({})::numeric, 0))", left, right)
            value = quotient if operation == "div" else joined("mod(({})::numeric, NULLIF(({})::numeric, 0))", left, right)
            return value, joined(f"({{}} <> 0 AND {{}} BETWEEN {INT_MIN} AND {INT_MAX})", right, quotient)
        symbol = {"add": "+", "sub": "-", "mul": "*"}[operation]
        value = joined(f"(({{}})::numeric {symbol} ({{}})::numeric)", left, right)
        return value, joined(f"{{}} BETWEEN {INT_MIN} AND {INT_MAX}", value)

    def negated(self, value: Sql) -> tuple[Sql, Sql]:
        """Negate an integer; returns the value and whether it fits 64 bits."""
        result = joined("(-({})::numeric)", value)
        return result, joined(f"{{}} BETWEEN {INT_MIN} AND {INT_MAX}", result)

    def is_list(self, column: Sql) -> Sql:
        """Tell whether a JSON column has a list."""
        return joined("jsonb_typeof({}) = 'array'", column)

    def is_present_list(self, column: Sql) -> Sql:
        """Tell whether a JSON column has anything but null."""
        return joined("jsonb_typeof({}) <> 'null'", column)

    def list_size(self, column: Sql) -> Sql:
        """Count the elements of a list; of anything else there is no size, and no error."""
        return joined("(CASE WHEN jsonb_typeof({}) = 'array' THEN jsonb_array_length({}) END)", column, column)

    def list_has(self, column: Sql, kind: str, value: Any) -> Sql:
        """Look for a constant in a list."""
        if kind == "string":
            wanted = joined("to_jsonb({})", self.param("string", value))
        else:
            wanted = joined("to_jsonb({}::numeric)", self.param(kind, value))
        elements = joined("jsonb_array_elements(CASE WHEN jsonb_typeof({}) = 'array' THEN {} ELSE '[]' END)", column, column)
        return joined("EXISTS (SELECT 1 FROM {} AS element WHERE element = {})", elements, wanted)

    def as_text(self, column: Sql, stored: str) -> Sql:
        """Write an integer or a UUID as its text."""
        del stored
        return joined("({})::text", column)


Dialect = SQLite | PostgreSQL


def dialect_named(name: str, marker: str) -> Dialect | None:
    """Find a dialect by its name; None if there is no such."""
    if name == "sqlite":
        return SQLite(marker)
    return PostgreSQL(marker) if name == "postgresql" else None
