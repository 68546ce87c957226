"""A plan as the WHERE clause of a statement of somebody else's."""

from collections.abc import Callable, Mapping
from typing import Any

from permissions.engine.conditions import Field, Node
from permissions.plans.compiler import Column, Compiler, types_in
from permissions.plans.dialects import DialectName, Sql, dialect_named
from permissions.plans.errors import Unplannable

Within = Callable[[str, str], tuple[str, list[Any]]]


def to_sql(
    node: Node,
    columns: Mapping[str, str],
    *,
    dialect: DialectName,
    types: Mapping[str, str] | None = None,
    within: Within | None = None,
) -> tuple[str, list[Any]]:
    """Write a two-valued plan as a condition and its parameters (``?`` on SQLite, ``%s`` on PostgreSQL).

    ``columns`` maps attributes to columns (``name`` or ``table.name``), which hold values as Django stores them and lists
    as JSON; ``types`` gives the declared types where the plan does not know them, which includes lists that are only asked
    ``has()`` and may hold a JSON null. ``within`` writes the condition that a row lies in the subtree of a resource. No
    value is ever in the text. Raises ``Unplannable`` where the database would select other rows.
    """
    spoken = dialect_named(dialect, "?" if dialect == "sqlite" else "%s")
    if spoken is None:
        raise ValueError(f"there is no dialect {dialect}")

    kinds = types_in(node, types)

    def column(field: Field) -> Column:
        return Column(Sql(_quoted(columns, field)), kinds[field.name])

    def subtree(resource_type: str, resource_id: str) -> Sql:
        text, params = within(resource_type, resource_id) if within is not None else ("", [])
        return Sql(text, tuple(params))

    text, params = Compiler(spoken, column, subtree if within is not None else None).rows(node)
    return text, list(params)


def _quoted(columns: Mapping[str, str], field: Field) -> str:
    name = columns.get(field.name)
    if name is None:
        raise Unplannable(f"there is no column for {field.name}", field)
    if "\0" in name or "%" in name or "?" in name:
        raise ValueError(f"{name!r} cannot be the name of a column")
    return ".".join('"' + part.replace('"', '""') + '"' for part in name.split("."))
