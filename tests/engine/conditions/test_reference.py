"""Our function, our exact evaluation and the binding's own evaluator give one answer, errors included."""

import contextlib
import re
from datetime import UTC

import pytest
from cel_expr_python import cel
from hypothesis import HealthCheck, assume, given, settings

from permissions.engine.conditions import ConditionError, EvaluationError, check, load
from permissions.engine.conditions.exact import Scope, evaluate
from tests.engine.conditions import grammar

DYN = cel.Type.DYN
NAMES = ("subject", "agent", "user", "resource", "action", "context", "task")
REFERENCE = cel.NewEnv(variables={**dict.fromkeys(NAMES, DYN), "now": cel.Type.TIMESTAMP})
TIMES = ("created", "closed", "span")


def reference_answer(source, situation):
    """Ask the binding: times that it does not take inside maps are put into the text."""
    row = {name: value for name, value in (situation.resource or {}).items() if value is not None}
    for name in TIMES:
        if name in row:
            value = row.pop(name)
            literal = (
                f'duration("{value.total_seconds():.6f}s")'
                if name == "span"
                else f'timestamp("{value.replace(tzinfo=None).isoformat()}Z")'
            )
            source = source.replace(f"has(resource.{name})", "true").replace(f"resource.{name}", literal)
    source = re.sub(r"(resource|subject)\.(properties|attributes)\.", r"\1.", source)
    data = {name: getattr(situation, name) for name in NAMES}
    data |= {"resource": row, "now": situation.now}
    if data["agent"] is not None:
        data["agent"] = {name: value for name, value in data["agent"].items() if value is not None}
    value = REFERENCE.compile(source).eval(data=data)
    return value.plain_value() if value.type() == cel.Type.BOOL else "error"


def our_answer(compute):
    try:
        return compute()
    except EvaluationError:
        return "error"


@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(source=grammar.conditions, situation=grammar.situations, row=grammar.rows)
def test_the_function_the_exact_evaluation_and_the_binding_agree(source, situation, row):
    situation = grammar.with_resource(situation, row)
    try:
        condition = load(source, check(source))
    except ConditionError:
        assume(False)
    exact = our_answer(lambda: evaluate(condition.tree, Scope(situation)))
    fast = our_answer(lambda: condition.holds(situation))
    assert fast == (exact if isinstance(exact, bool) else "error")
    with contextlib.suppress(RuntimeError):  # the binding's checker refuses some of the times put into the text
        assert fast == reference_answer(source, situation)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(source=grammar.conditions, situation=grammar.situations, row=grammar.rows)
def test_a_typed_condition_means_what_the_untyped_one_means(source, situation, row):
    situation = grammar.with_resource(situation, row)
    try:
        typed, untyped = (load(source, check(source, resource=each)) for each in (grammar.ATTRIBUTES, None))
    except ConditionError:
        assume(False)
    assert our_answer(lambda: typed.holds(situation)) == our_answer(lambda: untyped.holds(situation))


@pytest.mark.parametrize("moment", grammar.MOMENTS)
@pytest.mark.parametrize("zone", ["", '"Europe/Berlin"', '"Australia/Lord_Howe"', '"-09:30"', '"UTC"'])
def test_the_calendar_reads_as_the_binding_reads_it(moment, zone):
    from permissions.engine.conditions import Situation
    from permissions.engine.conditions.clocks import CALENDAR

    situation = Situation(now=moment.astimezone(UTC))
    for part in CALENDAR:
        expected = REFERENCE.compile(f"now.{part}({zone})").eval(data={"now": moment}).plain_value()
        source = f"now.{part}({zone}) == {expected!r}"
        answer = our_answer(lambda source=source: load(source, check(source)).holds(situation))
        assert answer is True or (answer == "error" and moment.year in {1, 9999}), source
