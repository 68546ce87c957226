"""A plan as a ``Q`` for the ORM: one expression, compiled for the database at hand when the query is."""

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.db.models.expressions import Expression

from permissions.engine.conditions import Field, Node, Op, negation, two_valued
from permissions.engine.conditions.tree import walk
from permissions.plans.compiler import Column, Compiler, types_in
from permissions.plans.dialects import Dialect, Sql, dialect_named
from permissions.plans.errors import Unplannable

Within = Callable[[str, str], Q]
_STORED_AS: dict[str, tuple[type[Any], ...]] = {
    "string": (models.CharField, models.TextField),
    "int": (models.IntegerField, models.AutoField),
    "double": (models.FloatField,),
    "bool": (models.BooleanField,),
    "timestamp": (models.DateTimeField,),
    "duration": (models.DurationField,),
    **dict.fromkeys(("list<string>", "list<int>", "list<double>"), (models.JSONField,)),
}


def to_q(node: Node, fields: Mapping[str, str], *, types: Mapping[str, str] | None = None, within: Within | None = None) -> Q:
    """Make the ``Q`` that selects exactly the rows that a two-valued plan does, NULLs and negation included.

    ``fields`` maps attributes to lookup paths (``"region"``, ``"account__region"``); ``types`` gives the declared types
    where the plan does not know them; ``within`` makes the ``Q`` of the rows in the subtree of a resource. Raises
    ``Unplannable`` for what a database would answer differently: at once where the plan shows it, else when the query is
    compiled.
    """
    if not two_valued(node):
        raise ValueError("a plan that selects rows must be two-valued: wrap it in is_true or is_false")
    for each in walk(node):
        if isinstance(each, Field) and each.name not in fields:
            raise Unplannable(f"there is no column for {each.name}", each)
    known = types_in(node, types)
    names = tuple((name, fields[name], kind) for name, kind in known.items())
    return _q(node, names, within)


def _q(node: Node, names: tuple[tuple[str, str, str | None], ...], within: Within | None) -> Q:
    if not any(isinstance(each, Op) and each.op == "within" for each in walk(node)):
        return Q(Rows(node, names))
    match node:
        case Op("and", args):
            return reduce(lambda left, right: left & right, (_q(each, names, within) for each in args))
        case Op("or", args):
            return reduce(lambda left, right: left | right, (_q(each, names, within) for each in args))
        case Op("within", (resource_type, resource_id)):
            if within is None:
                raise Unplannable("nothing says which rows are within a resource", node)
            return within(resource_type.value, resource_id.value)  # type: ignore[union-attr]
        case Op("not", (Op("within"),)):
            return ~_q(node.args[0], names, within)
        case Op("not", (part,)):
            return _q(negation(part), names, within)
    raise Unplannable("a subtree within another question", node)


class Rows(Expression):
    """The condition of a plan, true or false for every row and never NULL."""

    output_field: Any = models.BooleanField()

    def __init__(self, node: Node, names: tuple[tuple[str, str, str | None], ...]) -> None:
        super().__init__(output_field=models.BooleanField())
        self.node = node
        self.names = names
        self.sources: list[Any] = [F(path) for _, path, _ in names]

    def get_source_expressions(self) -> list[Any]:
        """Return the columns."""
        return self.sources

    def set_source_expressions(self, exprs: Any) -> None:
        """Take the columns, resolved."""
        self.sources = list(exprs)

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """Write the condition for the connection's database."""
        dialect = dialect_named(connection.vendor, "%s")
        if dialect is None:
            raise Unplannable(f"plans are not written for {connection.vendor}", self.node)
        columns = {
            name: _column(Sql(*_compiled(compiler, source)), source.output_field, kind, dialect, name)
            for (name, _, kind), source in zip(self.names, self.sources, strict=True)
        }
        text, params = Compiler(dialect, lambda field: columns[field.name], None).rows(self.node)
        return text, params


def _compiled(compiler: Any, source: Any) -> tuple[str, tuple[Any, ...]]:
    text, params = compiler.compile(source)
    return text, tuple(params)


def _column(sql: Sql, stored: object, kind: str | None, dialect: Dialect, name: str) -> Column:
    if kind is None:
        return Column(sql, "list<string>" if isinstance(stored, models.JSONField) else None)
    if isinstance(stored, _STORED_AS.get(kind, ())):
        return Column(sql, kind)
    if kind == "string" and isinstance(stored, models.UUIDField):
        return Column(dialect.as_text(sql, "uuid"), kind)
    if kind == "string" and isinstance(stored, models.IntegerField | models.AutoField):
        return Column(dialect.as_text(sql, "integer"), kind)
    raise Unplannable(f"a {kind} is not stored in a {type(stored).__name__}", Field(name, kind))
