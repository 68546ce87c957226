"""What may be saved as a condition, and what a refusal says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from permissions.engine.conditions import ATTRIBUTE_TYPES, Condition, ConditionError, check, load
from permissions.engine.conditions.binding import parse
from tests.engine.conditions.grammar import ATTRIBUTES


def refusal(source, **options):
    with pytest.raises(ConditionError) as refused:
        check(source, **options)
    return refused.value


POSITIONS = [
    (
        "resource.regoin == 'EU'",
        1,
        9,
        "resource has no attribute 'regoin': did you mean 'region'?; declared are amount, closed, count",
    ),
    ('resource["regoin"] == "EU"', 1, 9, "did you mean 'region'"),
    ("resource.properties.regoin == 'EU'", 1, 20, "did you mean 'region'"),
    ("has(resource.regoin)", 1, 4, "did you mean 'region'"),
    ("agent.nmae == 'x'", 1, 6, "agent has no attribute 'nmae': did you mean 'name'?"),
    ("agent.properties.nmae == 'x'", 1, 17, "did you mean 'name'"),
    ("task.porpoise == 'x'", 1, 5, "did you mean 'purpose'"),
    ("action.verb == 'x'", 1, 7, "declared are name, properties"),
    ("true &&\n  resource.region == 1", 2, 19, "'==' cannot be applied to string and int"),
    ("resource.score > 1", 1, 16, "'>' cannot be applied to double and int; write the integer as a double, like 1.0"),
    ("resource.created > 1", 1, 18, "'>' cannot be applied to timestamp and int"),
    ('"😀é" == resource.region && nope', 1, 28, "there is no 'nope'"),
    (
        "resorce.region == 'EU'",
        1,
        1,
        "did you mean 'resource'?; known are subject, agent, user, resource, action, context, task, now",
    ),
    ("lower(resource.region) == 'eu'", 1, 1, "there is no function 'lower'"),
    ("resource.region.lower() == 'eu'", 1, 17, "there is no function 'lower'"),
    ("resource.region.matches('.*')", 1, 17, "'matches' cannot be used"),
    ("matches(resource.region, '.*')", 1, 1, "'matches' cannot be used"),
    ("type(resource.region) == string", 1, 1, "cannot be used"),
    ("context.x == int", 1, 14, "'int' cannot be used as a value"),
    ("context.x == b'a'", 1, 14, "bytes cannot be used"),
    ("context.x == 1u", 1, 14, "unsigned integers"),
    ("context.x == {'a': 1}", 1, 14, "maps and messages cannot be written"),
    ("context.list.map(x, x) == [1]", 1, 17, "of the macros only has, exists, all and exists_one"),
    ("context.list.filter(x, x == 1) == [1]", 1, 20, "of the macros only"),
    ("resource == context.x", 1, 1, "resource can be used with the name of an attribute only"),
    ("resource[context.x] == 1", 1, 9, "'[]' cannot be applied to Resource and dyn"),
    ('resource["a-b"] == 1', 1, 9, "resource has no attribute 'a-b'"),
    ("resource.created == null", 1, 18, "an attribute is never null"),
    ("resource.region == null", 1, 17, "cannot be applied to string and null"),
    ("null != resource.created", 1, 6, "an attribute is never null"),
    ("now.year == 2024", 1, 4, "timestamp has no attributes"),
    ("has(resource.properties)", 1, 4, "has() needs the name of an attribute"),
    ("timestamp('yesterday') < now", 1, 1, "'yesterday' is not an RFC 3339 timestamp"),
    ("now > timestamp('2024-02-30T00:00:00Z')", 1, 7, "RFC 3339"),
    ("duration('1 day') == resource.span", 1, 1, "is not a duration"),
    ("duration('999999999h') == resource.span", 1, 1, "10,000 years"),
    ("now.getHours('Mars/Base') == 1", 1, 14, "'Mars/Base' is not a time zone"),
    ("ipInRange(context.ip, '10.0.0.0/99')", 1, 23, "is not a network"),
    ("ipInRange(1, '10.0.0.0/8')", 1, 1, "'ipInRange' cannot be applied to int and string"),
    ("-(-9223372036854775808) == 1", 1, 1, "integer overflow"),
    ("string(resource.score) == '1'", 1, 1, "a double cannot be converted to a string"),
    ("resource.amount", 1, 1, "the condition gives a int, not true or false"),
    ("'text'", 1, 1, "the condition gives a string"),
    ("resource.tags", 1, 1, "the condition gives a list<string>"),
    ("null", 1, 1, "not true or false"),
    ("dyn(1)", 1, 1, "not true or false"),
    ("agent", 1, 1, "the condition gives a agent"),
    ("resource.region = 'EU'", 1, 17, "Syntax error: token recognition error"),
    ("resource.region ==", 1, 19, "Syntax error: mismatched input '<EOF>'"),
    ("", 1, 1, "Syntax error"),
    ("package == 1", 1, 1, "reserved identifier"),
    ("[1, 2].exists(a, [1].exists(b, [1].exists(c, true)))", 1, 42, "nested 2 deep at most"),
    ("1 in [" + "1," * 201 + "1]", 1, 6, "at most 200 elements"),
    ("context.a.exists(now.x, true)", 1, 21, "simple identifier"),
]


@pytest.mark.parametrize(("source", "line", "column", "message"), POSITIONS)
def test_a_refusal_says_what_is_wrong_and_where(source, line, column, message):
    refused = refusal(source, resource=ATTRIBUTES)
    assert message in refused.message
    assert (refused.line, refused.column) == (line, column)
    assert str(refused).startswith(f"line {line}, column {column}: ")


def test_a_refusal_points_at_the_place():
    refused = refusal("true &&\n\tresource.regoin == 1", resource=ATTRIBUTES)
    assert refused.caret() == " resource.regoin == 1\n         ^"
    assert ConditionError("wrong").caret() == "\n^"
    assert ConditionError("wrong", source="x", line=3).caret() == "\n^"


def test_a_rule_over_all_types_may_name_any_attribute():
    assert load("resource.anything == 1", check("resource.anything == 1")).references == {"resource.anything"}
    assert "never null" in refusal("resource.anything == null").message
    assert "by a constant only" in refusal("resource[context.x] == 1").message
    assert "never null" in refusal("resource['x'] == null").message
    assert "no attribute 'nmae'" in refusal("agent.nmae == 'x'").message


def test_every_spelling_of_an_attribute_is_one_reference():
    spellings = [
        "resource.region",
        "resource.properties.region",
        "resource.attributes.region",
        "resource['region']",
        'resource["region"]',
        'resource[ """region""" ]',
        "resource[r'region']",
        "resource.properties['region']",
        "resource.attributes[ 'region'\t]",
        "resource . region",
        ".resource.region",
    ]
    for declared in (ATTRIBUTES, None):
        trees = {load(f"{each} == 'EU'", check(f"{each} == 'EU'", resource=declared)).tree for each in spellings}
        assert len(trees) == 1
    for root in ("subject", "user"):
        for spelling in ("{}.role", "{}.properties.role", "{}.attributes.role", "{}['role']", "{}.properties['role']"):
            source = f"{spelling.format(root)} == 'x' && has({root}.properties.role) && 'role' in {root}.attributes"
            assert load(source, check(source)).references == {f"{root}.role", root}
    source = "agent['name'] == 'x' && agent.properties.depth > 1 && task['id'] == 'y' && action['properties']['level'] == 1"
    assert load(source, check(source)).references == {"agent.name", "agent.depth", "task.id", "action.properties.level"}


def test_an_attribute_may_be_called_like_a_keyword():
    declared = {"in": "int", "true": "string", "package": "string", "list_id": "int", "listId": "int"}
    source = "resource['in'] == 1 && resource['true'] == 'x' && resource.package == 'y' && resource.list_id == resource.listId"
    assert load(source, check(source, resource=declared)).references >= {"resource.in", "resource.true", "resource.package"}


def test_an_index_that_is_no_plain_constant_stays_an_index():
    assert "cannot be applied" in refusal("resource['region'\n] == 'EU'", resource=ATTRIBUTES).message
    source = "context['a'][0]['b'] == resource.tags[0] && context[subject.key] == 1"
    assert load(source, check(source, resource=ATTRIBUTES)).references == {
        "context.a",
        "context",
        "resource.tags",
        "subject.key",
    }
    assert check("[[1]][0][0] == 1 && context.x['resource[\"y\"]'] == 1 && (true ? [1] : [2])[0] == 1")


def test_a_condition_on_rows_may_look_at_the_resource_only():
    assert check("resource.region == 'EU'", resource=ATTRIBUTES, row_only=True)
    refused = refusal("resource.region == context.region", resource=ATTRIBUTES, row_only=True)
    assert refused.column == 20
    assert "context.region" in refused.message
    assert refusal("context.properties['x'] == subject.properties.y", row_only=True).line == 1


@pytest.mark.parametrize(
    "declared",
    [
        {"a-b": "string"},
        {"": "string"},
        {"ä": "string"},
        {"properties": "string"},
        {"attributes": "int"},
        {"a": "text"},
        {"a": "list<bool>"},
    ],
)
def test_an_impossible_declaration_is_refused(declared):
    with pytest.raises(ValueError, match=r"cannot be the name|is not a type") as refused:
        check("true", resource=declared)
    assert not isinstance(refused.value, ConditionError)


def test_every_type_can_be_declared():
    for kind in ATTRIBUTE_TYPES:
        assert check("has(resource.a)", resource={"a": kind})


HOSTILE = [
    "+".join(["1"] * 900) + " == 1",
    "(" * 900 + "true" + ")" * 900,
    "!" * 1990 + "true",
    "-" * 1990 + "1 == 1",
    "[" * 900 + "]" * 900,
    "context" + ".a" * 900,
    "context" + "[0]" * 600,
    "true ? true : " * 120 + "true",
    "context.exists(a, " * 80 + "true" + ")" * 80,
    "1" * 1900,
    "1e" + "9" * 1900 + " == 1.0",
    '"' + "a" * 1900,
    "'" + "\\" * 1900,
    "\0",
    "true\0",
    "true \x07",
    "\ud800",
    '"\udfff" == context.x',
    '"\\ud800" == context.x',
    '"\\U00110000" == context.x',
    "\U0001d4b6 == 1",
    "`" * 1000,
    "/" * 1999,
    "// only a comment",
    "{" * 1000,
    "resource['" * 200,
    "has(" * 400,
    "@result",
    "__result__ == 1",
    "context.exists(@x, true)",
    "%s %n {0} {}",
]


@pytest.mark.parametrize("source", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_refused_or_means_something(source):
    refused = None
    try:
        load(source, check(source))
    except ConditionError as raised:
        refused = raised
    assert refused is None or (refused.message and refused.caret())


def test_text_has_a_limit():
    assert check("true" + " " * 1996)
    assert "at most 2000 characters" in refusal("true" + " " * 1997).message


def test_characters_that_no_text_has_are_named():
    assert refusal("true\n&& \0").message == "the character U+0000 cannot be used"
    assert (refusal("true\n&& \0").line, refusal("true\n&& \0").column) == (2, 4)
    assert "U+D800" in refusal("'\ud800'").message


@given(st.text(max_size=60) | st.text("()[]{}.\"'\\=&|!<>+-*/%?:,abcresource 01", max_size=60))
def test_no_text_does_anything_but_be_refused(source):
    places = [(1, 1)]
    try:
        check(source, resource=ATTRIBUTES)
    except ConditionError as refused:
        places.append((refused.line, refused.column))
    assert min(map(min, places)) >= 1


NOT_CHECKED = [
    b"",
    b"nonsense",
    b"\n(type.googleapis.com/cel.expr.CheckedExpr",
    b"\n(type.googleapis.com/cel.expr.CheckedExpr\x12\x02\xff\xff",
    b"\n\x03abc\x12\x00",
    parse("now.x == 1"),
    parse("resource.x"),
    parse("1"),
]


@pytest.mark.parametrize("checked", NOT_CHECKED[:6])
def test_bytes_that_are_no_checked_condition_are_refused(checked):
    with pytest.raises(ConditionError):
        load("true", checked)


def test_bytes_are_looked_at_again_when_they_are_loaded():
    for source in ("context.x.matches('a')", "1 + 1", "dyn({})", "context.map(x, x)", "now['x'] == 1"):
        with pytest.raises(ConditionError):
            load(source, parse(source))


def test_a_loop_that_is_no_macro_is_refused():
    from google.protobuf import any_pb2

    from permissions.engine.conditions.wire import TYPE_URL, decode

    for source, change in (
        ("[1].exists(a, a == 1)", lambda loop: setattr(loop, "iter_var2", "b")),
        ("[1].exists(a, a == 1)", lambda loop: setattr(loop, "accu_var", "other")),
        ("[1].all(a, a == 1)", lambda loop: setattr(loop.accu_init.const, "bool", False)),
        ("[1].exists_one(a, a == 1)", lambda loop: setattr(loop.accu_init.const, "int", 1)),
        ("[1].exists_one(a, a == 1)", lambda loop: setattr(loop.loop_condition.const, "bool", False)),
        ("[1].exists_one(a, a == 1)", lambda loop: setattr(loop.result.call.args[1].const, "int", 2)),
    ):
        expression = decode(check(source))
        change(expression.expr.comprehension)
        envelope = any_pb2.Any(type_url=TYPE_URL, value=expression.SerializeToString())
        with pytest.raises(ConditionError, match="of the macros only"):
            load(source, envelope.SerializeToString())


def test_a_loaded_condition_is_a_value():
    import pickle

    source = "resource.region == 'EU'"
    checked = check(source)
    first = load(source, checked)
    assert load(source, checked) is first
    assert first == Condition(source, checked, first.tree)
    assert first != load("true", check("true"))
    assert first != source
    assert len({first, Condition(source, checked, first.tree)}) == 1
    assert repr(first) == "Condition(\"resource.region == 'EU'\")"
    assert pickle.loads(pickle.dumps(first)) == first  # noqa: S301 - our own bytes
    with pytest.raises(AttributeError, match="cannot be changed"):
        first.source = "true"
    with pytest.raises(AttributeError, match="cannot be changed"):
        del first.source


def test_references_name_everything_that_is_looked_at():
    source = "resource.region == context.request.region && now > timestamp('2024-01-01T00:00:00Z')"
    source += " && has(subject.properties.role) && agent == null"
    assert load(source, check(source)).references == {
        "resource.region",
        "context.request.region",
        "now",
        "subject.role",
        "agent",
    }
