"""A plan as one SQL condition that is never NULL: true exactly for the rows that ``matches`` selects.

Every leaf is written as "it has an answer, and the answer is this", so negation needs no third value of the database's.
What a database would answer differently raises ``Unplannable``: arithmetic of doubles, lists compared as a whole, times
added to times, text of unknown type, calls that have no counterpart.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from permissions.engine.conditions import Field, Node, Op, Value, two_valued
from permissions.engine.conditions.tree import COMPARISONS, MIRRORED, walk
from permissions.engine.conditions.values import INT_MAX, INT_MIN, NUMBERS, kind
from permissions.plans.dialects import Dialect, Sql, joined
from permissions.plans.errors import Unplannable
from permissions.plans.spans import moved

SCALARS = frozenset({"string", "int", "double", "bool", "timestamp", "duration"})
LISTS = frozenset({"list<string>", "list<int>", "list<double>"})
_SQL = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_BEYOND = {
    "eq": (False, False),
    "ne": (True, True),
    "lt": (True, False),
    "le": (True, False),
    "gt": (False, True),
    "ge": (False, True),
}


class Column(NamedTuple):
    """A column: its SQL and the declared type of the attribute in it, None if nobody says."""

    sql: Sql
    kind: str | None


def types_in(node: Node, given: Mapping[str, str] | None) -> dict[str, str | None]:
    """Return the type of every field of a plan: as given, else as the plan knows it."""
    fields = [each for each in walk(node) if isinstance(each, Field)]
    known = {each.name: each.type for each in fields if each.type is not None}
    return {each.name: (given or {}).get(each.name) or known.get(each.name) for each in fields}


class Term(NamedTuple):
    """A scalar in SQL: ``guards`` are the conditions under which it has a value, ``constant`` its node if it is one."""

    sql: Sql
    kind: str
    guards: tuple[Sql, ...] = ()
    constant: Value | None = None


class Compiler:
    """Writes plans for one table in one dialect."""

    def __init__(self, dialect: Dialect, column: Callable[[Field], Column], within: Callable[[str, str], Sql] | None) -> None:
        self.dialect = dialect
        self.column = column
        self.within = within

    def rows(self, node: Node) -> Sql:
        """Write a two-valued plan."""
        if not two_valued(node):
            raise ValueError("a plan that selects rows must be two-valued: wrap it in is_true or is_false")
        return self._outcome(node, wanted=True)

    def _outcome(self, node: Node, *, wanted: bool) -> Sql:
        """Write the condition that a node comes out as wanted, which is itself never NULL."""
        match node:
            case Value(value):
                return self._always(holds=value is wanted)
            case Field():
                return self._flag(node, wanted=wanted)
            case Op("and" | "or" | "not" | "is_true" | "is_false" | "if"):
                return self._logic(node, wanted=wanted)
            case Op("within", (Value(resource_type), Value(resource_id))):
                return self._subtree(node, resource_type, resource_id, wanted=wanted)
            case Op("error"):
                return self._always(holds=False)
            case Op("has", (Field() as part,)):
                present = self._presence(self.column(part))
                return present if wanted else joined("NOT ({})", present)
            case Op(op, (left, right)) if op in COMPARISONS:
                return self._comparison(node, op, left, right, wanted=wanted)
            case Op("in", (needle, haystack)):
                return self._membership(node, needle, haystack, wanted=wanted)
            case Op("starts_with" | "ends_with" | "contains" as op, (text, part)):
                return self._text(op, text, part, wanted=wanted)
        raise Unplannable("it has no counterpart in a database", node)

    def _logic(self, node: Op, *, wanted: bool) -> Sql:
        match node:
            case Op("and" | "or" as op, args):
                return self._connected(
                    [self._outcome(each, wanted=wanted) for each in args], " AND " if (op == "and") is wanted else " OR "
                )
            case Op("not", (part,)):
                return self._outcome(part, wanted=not wanted)
            case Op("is_true" | "is_false" as op, (part,)):
                inner = self._outcome(part, wanted=op == "is_true")
                return inner if wanted else joined("NOT ({})", inner)
        return self._choice(*node.args, wanted=wanted)

    def _always(self, *, holds: bool) -> Sql:
        return Sql("1 = 1" if holds else "1 = 0")

    def _connected(self, pieces: list[Sql], word: str) -> Sql:
        return pieces[0] if len(pieces) == 1 else joined(f"({word.join(['{}'] * len(pieces))})", *pieces)

    def _guarded(self, guards: tuple[Sql, ...], answer: Sql, *, wanted: bool) -> Sql:
        """Write that all guards hold and the answer is as wanted."""
        return self._connected([*dict.fromkeys(guards), answer if wanted else joined("NOT ({})", answer)], " AND ")

    def _typed(self, field: Field) -> tuple[Column, str]:
        """Return a column and its type, which must be known."""
        column = self.column(field)
        if column.kind not in SCALARS and column.kind not in LISTS:
            raise Unplannable(f"the type of {field.name} is not known", field)
        return column, str(column.kind)

    def _presence(self, column: Column) -> Sql:
        stored = joined("{} IS NOT NULL", column.sql)
        return joined("({} AND {})", stored, self.dialect.is_present_list(column.sql)) if column.kind in LISTS else stored

    def _flag(self, field: Field, *, wanted: bool) -> Sql:
        column, name = self._typed(field)
        if name != "bool":
            return self._always(holds=False)
        return self._guarded((self._presence(column),), joined(f"{{}} = {self.dialect.true}", column.sql), wanted=wanted)

    def _choice(self, test: Node, then: Node, otherwise: Node, *, wanted: bool) -> Sql:
        sides = [
            self._connected([self._outcome(test, wanted=taken), self._outcome(side, wanted=wanted)], " AND ")
            for taken, side in ((True, then), (False, otherwise))
        ]
        return self._connected(sides, " OR ")

    def _subtree(self, node: Node, resource_type: str, resource_id: str, *, wanted: bool) -> Sql:
        if self.within is None:
            raise Unplannable("nothing says which rows are within a resource", node)
        inside = self.within(resource_type, resource_id)
        return joined("({})", inside) if wanted else joined(f"NOT COALESCE(({{}}), {self.dialect.false})", inside)

    def _term(self, node: Node) -> Term:
        """Write a scalar."""
        match node:
            case Value(value):
                return self._constant(node, value)
            case Field():
                column, name = self._typed(node)
                if name in LISTS:
                    raise Unplannable("a list cannot be compared as a whole", node)
                return Term(column.sql, name, (self._presence(column),))
            case Op("add" | "sub" | "mul" | "div" | "mod" as op, (left, right)):
                return self._arithmetic(node, op, self._term(left), self._term(right))
            case Op("neg", (part,)):
                inner = self._term(part)
                if inner.kind != "int":
                    raise Unplannable("only integers can be computed with", node)
                value, proof = self.dialect.negated(inner.sql)
                return Term(value, "int", (*inner.guards, proof))
            case Op("size", (Field() as field,)) if self._typed(field)[1] in LISTS:
                column = self.column(field)
                return Term(
                    self.dialect.list_size(column.sql), "int", (self._presence(column), self.dialect.is_list(column.sql))
                )
            case Op("size", (part,)):
                inner = self._term(part)
                if inner.kind != "string":
                    raise Unplannable("only texts and lists have a size", node)
                return Term(joined("length({})", inner.sql), "int", inner.guards)
        raise Unplannable("it has no counterpart in a database", node)

    def _constant(self, node: Value, value: Any) -> Term:
        name = kind(value)
        if name == "string" and ("\0" in value or any("\ud800" <= each <= "\udfff" for each in value)):
            raise Unplannable("a text that the database cannot hold", node)
        writable = name in SCALARS and not (name == "int" and not INT_MIN <= value <= INT_MAX)
        return Term(self.dialect.param(name, value) if writable else Sql("NULL"), name, (), node)

    def _arithmetic(self, node: Node, op: str, left: Term, right: Term) -> Term:
        if left.kind == right.kind == "int" and "NULL" not in {left.sql.text, right.sql.text}:
            value, proof = self.dialect.integer(op, left.sql, right.sql)
            return Term(value, "int", (*left.guards, *right.guards, proof))
        if left.kind == right.kind == "string" and op == "add":
            return Term(joined("({} || {})", left.sql, right.sql), "string", (*left.guards, *right.guards))
        raise Unplannable("only integers can be computed with", node)

    def _comparison(self, node: Node, op: str, left: Node, right: Node, *, wanted: bool) -> Sql:
        shifted = moved(op, left, right)
        if shifted is not None and self.column(shifted.field).kind == "timestamp":
            limits = [
                self._moment(bound, shifted.field, limit) for bound, limit in (("ge", shifted.earliest), ("le", shifted.latest))
            ]
            return self._guarded(
                (self._presence(self.column(shifted.field)), *limits),
                self._moment(shifted.op, shifted.field, shifted.moment),
                wanted=wanted,
            )
        first, second = self._term(left), self._term(right)
        if first.constant is not None:
            op, first, second = MIRRORED[op], second, first
        if first.constant is not None:
            raise Unplannable("two constants are no question for a database", node)
        guards = (*first.guards, *second.guards)
        numbers = first.kind in NUMBERS and second.kind in NUMBERS
        if first.kind != second.kind and not numbers:
            if op not in {"eq", "ne"}:
                return self._always(holds=False)
            return self._guarded(guards, self._always(holds=op == "ne"), wanted=wanted)
        answer = self._numbers(node, op, first, second) if numbers else self._plain(op, first, second)
        return self._guarded(guards, answer, wanted=wanted)

    def _moment(self, op: str, field: Field, moment: Any) -> Sql:
        if isinstance(moment, float):
            return self._always(holds=_BEYOND[op][moment < 0])
        return joined(f"{{}} {_SQL[op]} {{}}", self.column(field).sql, self.dialect.param("timestamp", moment))

    def _plain(self, op: str, first: Term, second: Term) -> Sql:
        collation = "" if first.kind != "string" else self.dialect.collation if op in {"eq", "ne"} else self.dialect.ordered
        return joined(f"{{}} {_SQL[op]} {{}}{collation}", first.sql, second.sql)

    def _numbers(self, node: Node, op: str, first: Term, second: Term) -> Sql:
        if second.constant is not None:
            return self._against_number(node, op, first, second.constant.value)
        if first.kind != second.kind:
            raise Unplannable("integers and doubles of different columns do not compare exactly", node)
        return self._not_nan(op, joined(f"{{}} {_SQL[op]} {{}}", first.sql, second.sql), first, second)

    def _against_number(self, node: Node, op: str, first: Term, number: Any) -> Sql:
        """Compare with a constant on one number line, whatever the types: the constant takes the column's type."""
        if math.isnan(number):
            return self._always(holds=op == "ne")
        if first.kind == "int":
            if not INT_MIN <= number <= INT_MAX:
                return self._always(holds=_BEYOND[op][number < 0])
            if number != int(number):
                if op in {"eq", "ne"}:
                    return self._always(holds=op == "ne")
                number = math.floor(number) if op in {"le", "gt"} else math.ceil(number)
            value = self.dialect.param("int", int(number))
        else:
            value = self.dialect.param("double", self._as_double(node, number))
        return self._not_nan(op, joined(f"{{}} {_SQL[op]} {{}}", first.sql, value), first)

    def _not_nan(self, op: str, answer: Sql, *terms: Term) -> Sql:
        """Make NaN unequal to and unordered with everything, where the database has another mind."""
        if not self.dialect.nan_possible or all(term.kind != "double" for term in terms):
            return answer
        is_number = [joined("{} <> 'NaN'::double precision", term.sql) for term in terms]
        if op == "ne":
            opposite = joined("NOT ({})", answer)
            return answer if len(terms) == 1 else joined("NOT ({})", self._connected([*is_number, opposite], " AND "))
        return self._connected([*is_number, answer], " AND ")

    def _membership(self, node: Node, needle: Node, haystack: Node, *, wanted: bool) -> Sql:
        if isinstance(haystack, Field):
            return self._list_membership(node, needle, haystack, wanted=wanted)
        if not isinstance(haystack, Value) or kind(haystack.value) == "map":
            raise Unplannable("it has no counterpart in a database", node)
        if kind(haystack.value) != "list":
            return self._always(holds=False)
        term = self._term(needle)
        answers = [self._equality(node, term, Value(each)) for each in haystack.value]
        fixed = [each for each in answers if each is not None]
        answer = joined(
            f"{{}}{self.dialect.collation if term.kind == 'string' else ''} IN ({', '.join(['{}'] * len(fixed))})",
            term.sql,
            *fixed,
        )
        return self._guarded(term.guards, answer if fixed else self._always(holds=False), wanted=wanted)

    def _equality(self, node: Node, term: Term, value: Value) -> Sql | None:
        """Write the constant that a term could equal; None if it cannot."""
        name, number = kind(value.value), value.value
        if name == term.kind and name not in NUMBERS:
            return self._constant(value, number).sql
        if name not in NUMBERS or term.kind not in NUMBERS or math.isnan(number):
            return None
        if term.kind == "int":
            return self.dialect.param("int", int(number)) if INT_MIN <= number <= INT_MAX and number == int(number) else None
        return self.dialect.param("double", self._as_double(node, number))

    def _as_double(self, node: Node, number: float) -> float:
        if isinstance(number, int) and abs(number) > 2**53:
            raise Unplannable("an integer that not every double can be told from", node)
        return float(number)

    def _list_membership(self, node: Node, needle: Node, haystack: Field, *, wanted: bool) -> Sql:
        column, listed = self._typed(haystack)
        if listed not in LISTS:
            return self._always(holds=False)
        if not isinstance(needle, Value):
            raise Unplannable("only a constant can be looked for in a list", node)
        guards = (self._presence(column), self.dialect.is_list(column.sql))
        name = kind(needle.value)
        if name == "string":
            self._constant(needle, needle.value)
        elif name not in NUMBERS:
            return self._guarded(guards, self._always(holds=False), wanted=wanted)
        elif not math.isfinite(needle.value) or abs(needle.value) > 2**53:
            raise Unplannable("a number that JSON does not hold exactly", node)
        return self._guarded(guards, self.dialect.list_has(column.sql, name, needle.value), wanted=wanted)

    def _text(self, op: str, text: Node, part: Node, *, wanted: bool) -> Sql:
        first, second = self._term(text), self._term(part)
        if not first.kind == second.kind == "string":
            return self._always(holds=False)
        write = {
            "starts_with": self.dialect.starts_with,
            "ends_with": self.dialect.ends_with,
            "contains": self.dialect.contains,
        }[op]
        return self._guarded((*first.guards, *second.guards), write(first.sql, second.sql), wanted=wanted)
