"""Random conditions as text, and random situations for them."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from permissions.engine.conditions import Situation

ATTRIBUTES = {
    "region": "string",
    "status": "string",
    "amount": "int",
    "count": "int",
    "score": "double",
    "public": "bool",
    "open": "bool",
    "created": "timestamp",
    "closed": "timestamp",
    "span": "duration",
    "tags": "list<string>",
    "sizes": "list<int>",
}
TEXTS = ["", "EU", "eu", "E", "Ünï", "ü", "a%b", "a_b", "%", "x'y", 'q"', "back\\slash", "😀", "\uff46", "{0}", "10"]
INTS = [0, 1, -1, 2, 7, 10, 200, -7, 2**53 + 1, 2**63 - 1, -(2**63)]
DOUBLES = [0.0, 1.0, -1.5, 2.5, 10.0, 1e300, 0.1]
MOMENTS = [
    datetime(2024, 2, 29, 12, 30, tzinfo=UTC),
    datetime(2024, 2, 29, 12, 30, 0, 500_000, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2024, 12, 31, 23, 0, tzinfo=UTC),
    datetime(9999, 12, 31, tzinfo=UTC),
    datetime(1, 1, 2, tzinfo=UTC),
]
SPANS = [
    timedelta(0),
    timedelta(hours=1),
    timedelta(days=-400),
    timedelta(seconds=1, milliseconds=500),
    timedelta(microseconds=1),
]

texts = st.sampled_from(TEXTS)
ints = st.sampled_from(INTS) | st.integers(-20, 20)
doubles = st.sampled_from(DOUBLES)
scalars = st.none() | st.booleans() | ints | doubles | texts
json = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abk"), inner, max_size=2),
    max_leaves=4,
)
times = st.sampled_from(MOMENTS)
spans = st.sampled_from(SPANS)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _infix(left, operators, right):
    return st.builds(lambda a, op, b: f"({a} {op} {b})", left, st.sampled_from(operators), right)


COMPARE = ["==", "!=", "<", "<=", ">", ">="]
text_leaves = texts.map(quoted) | st.sampled_from(
    ["resource.region", "resource.status", "subject.role", "context.text", 'resource["region"]', "subject.properties.role"]
)
text_terms = text_leaves | _infix(text_leaves, ["+"], text_leaves)
int_leaves = (
    ints.map(str)
    | st.sampled_from(["resource.amount", "resource.count", "subject.level", "context.number", "resource.attributes.amount"])
    | text_leaves.map(lambda text: f"size({text})")
    | st.just("resource.tags.size()")
)
int_terms = st.recursive(
    int_leaves,
    lambda inner: _infix(inner, ["+", "-", "*", "/", "%"], inner) | inner.map(lambda each: f"-({each})"),
    max_leaves=3,
)
double_terms = doubles.map(repr) | st.sampled_from(["resource.score", "context.ratio"])
moment_leaves = times.map(lambda moment: f'timestamp("{moment.replace(tzinfo=None).isoformat()}Z")') | st.sampled_from(
    ["resource.created", "resource.closed", "now"]
)
span_leaves = st.sampled_from(["0s", "1h", "-9600h", "1.5s", "1us", "2562047h"]).map('duration("{}")'.format) | st.just(
    "resource.span"
)
moment_terms = moment_leaves | _infix(moment_leaves, ["+", "-"], span_leaves)
span_terms = span_leaves | _infix(moment_leaves, ["-"], moment_leaves) | _infix(span_leaves, ["+", "-"], span_leaves)
zones = st.sampled_from(["", '"Europe/Berlin"', '"+05:30"', '"America/New_York"'])
calendar = st.builds(
    lambda moment, part, zone: f"{moment}.{part}({zone})",
    moment_leaves,
    st.sampled_from(
        [
            "getFullYear",
            "getMonth",
            "getDate",
            "getDayOfMonth",
            "getDayOfYear",
            "getDayOfWeek",
            "getHours",
            "getMinutes",
            "getSeconds",
        ]
    ),
    zones,
)
open_terms = st.sampled_from(
    ["context.any", "subject.any", "context.deep.k", 'context["any"]', "context.any.k", "context.any[0]"]
)
anything = (
    text_terms
    | int_terms
    | double_terms
    | moment_terms
    | span_terms
    | open_terms
    | st.sampled_from(["resource.public", "true", "resource.tags"])
)


def _list_of(items):
    return st.lists(items, max_size=3).map(lambda each: f"[{', '.join(each)}]")


leaves = st.one_of(
    _infix(text_terms, COMPARE, text_terms),
    _infix(int_terms, COMPARE, int_terms),
    _infix(double_terms, COMPARE, double_terms),
    _infix(moment_terms, COMPARE, moment_terms),
    _infix(span_terms, COMPARE, span_terms),
    _infix(calendar, COMPARE, int_leaves),
    _infix(open_terms, COMPARE, anything),
    _infix(anything, COMPARE, open_terms),
    _infix(anything, ["in"], open_terms),
    _infix(text_terms | open_terms, ["in"], _list_of(texts.map(quoted))),
    _infix(int_terms | open_terms, ["in"], _list_of(ints.map(str))),
    _infix(open_terms | double_terms, ["in"], _list_of(doubles.map(repr))),
    _infix(text_terms | open_terms, ["in"], st.just("resource.tags")),
    _infix(int_leaves | open_terms, ["in"], st.just("resource.sizes")),
    st.builds(
        lambda text, name, part: f"{text}.{name}({part})",
        text_terms | open_terms,
        st.sampled_from(["startsWith", "endsWith", "contains"]),
        text_leaves,
    ),
    st.sampled_from(
        [
            *(f"has(resource.{name})" for name in ATTRIBUTES),
            *(
                "has(resource.properties.region)",
                "has(subject.role)",
                "has(context.any)",
                "has(context.deep.k)",
                "has(agent.name)",
            ),
            *(
                "resource.public",
                "resource.open",
                "context.flag",
                "true",
                "false",
                "agent == null",
                "user == null",
                "context.any == null",
            ),
            *("resource.tags.exists(t, t == resource.region)", "context.list.exists(e, e == resource.region)"),
            *("context.list.all(e, e != resource.status && e != 1)", "resource.sizes.all(s, s > resource.amount)"),
            *("context.list.exists_one(e, e == resource.region)", "resource.tags.exists_one(t, t.startsWith(context.text))"),
            *("context.list.exists(e, resource.tags.exists(t, t == e))", "[1, 2, 3].exists(i, i == resource.amount)"),
            *(
                "agent.depth > 1",
                'action.name == "read"',
                "action.properties.level > 2",
                'task.purpose == "x"',
                "resource.public == true",
            ),
        ]
    ),
)


def _connected(inner):
    return st.one_of(
        _infix(inner, ["&&", "||"], inner),
        inner.map(lambda each: f"!({each})"),
        st.builds(lambda test, then, otherwise: f"({test} ? {then} : {otherwise})", inner, inner, inner),
        _infix(inner, ["==", "!="], inner),
    )


conditions = st.recursive(leaves, _connected, max_leaves=5)


def mostly(values):
    return st.one_of(values, values, values, values, st.none())


rows = st.fixed_dictionaries(
    {
        "region": mostly(texts),
        "status": mostly(texts),
        "amount": mostly(ints),
        "count": mostly(ints),
        "score": mostly(doubles),
        "public": mostly(st.booleans()),
        "open": mostly(st.booleans()),
        "created": mostly(times),
        "closed": mostly(times),
        "span": mostly(spans),
    },
    optional={"tags": mostly(st.lists(texts, max_size=3)), "sizes": mostly(st.lists(ints, max_size=3))},
)
contexts = st.fixed_dictionaries(
    {
        "any": json,
        "text": texts,
        "number": ints,
        "ratio": doubles,
        "flag": st.booleans(),
        "deep": st.fixed_dictionaries({}, optional={"k": json}),
        "list": st.lists(scalars, max_size=3),
    },
) | st.fixed_dictionaries({}, optional={"any": json, "flag": scalars, "list": scalars, "text": scalars})
subjects = st.fixed_dictionaries({"role": texts, "level": ints}, optional={"any": json})
situations = st.builds(
    lambda subject, agent, action, context, task, now: Situation(
        subject=subject, agent=agent, action=action, context=context, task=task, now=now
    ),
    subjects,
    st.none() | st.fixed_dictionaries({}, optional={"name": texts, "depth": st.integers(0, 3)}),
    st.fixed_dictionaries(
        {"name": st.sampled_from(["read", "write"]), "properties": st.fixed_dictionaries({}, optional={"level": ints})}
    ),
    contexts,
    st.none() | st.fixed_dictionaries({"id": texts, "purpose": texts}),
    times,
)


def with_resource(situation: Situation, row) -> Situation:
    return Situation(
        situation.subject,
        situation.agent,
        situation.user,
        row,
        situation.action,
        situation.context,
        situation.task,
        situation.now,
    )
