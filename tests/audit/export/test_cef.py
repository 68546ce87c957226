import re

import pytest

from agentiam.kit.actors import Actor
from audit import events
from audit.export import cef
from audit.export.cef import extension_value, header_value, milliseconds
from audit.services import Target
from tests.audit.export.conftest import decision

pytestmark = pytest.mark.django_db

HEADER = re.compile(r"(?:[^\\|]|\\.)*")


def parsed(line):
    """Read a line as a receiver does: seven escaped header values, then key=value pairs."""
    rest, values = line, []
    for _ in range(7):
        value = HEADER.match(rest)[0]
        values.append(re.sub(r"\\([\\|])", r"\1", value))
        rest = rest[len(value) + 1 :]
    keys = list(re.finditer(r"(?:^|(?<= ))([A-Za-z0-9]+)=", rest))
    pairs = {}
    for at, key in enumerate(keys):
        end = keys[at + 1].start() - 1 if at + 1 < len(keys) else len(rest)
        text = rest[key.end() : end]
        pairs[key[1]] = re.sub(r"\\(.)", lambda found: {"n": "\n", "r": "\r"}.get(found[1], found[1]), text)
    return values, pairs


def first(exported):
    return exported("cef").decode().splitlines()[0]


def test_a_line_says_who_did_what_to_what_and_why(exported, happen):
    event = happen("agent.suspended", target=Target(type="agent", id="agent-7", label="Agent 7"), data={"n": 1})
    header, pairs = parsed(first(exported))
    assert header[:2] == ["CEF:0", "agentiam"]
    assert header[4:] == ["agent.suspended", "An agent was suspended", "5"]
    assert (pairs["suid"], pairs["suser"], pairs["src"]) == ("carol", "Carol Clark", "10.0.0.3")
    assert (pairs["duid"], pairs["duser"], pairs["reason"], pairs["externalId"]) == (
        "agent-7",
        "Agent 7",
        "because",
        str(event.id),
    )
    assert (pairs["cs5Label"], pairs["cs5"], pairs["cs6"]) == ("recordHash", event.hash, '{"n":1}')
    assert int(pairs["rt"]) == int(event.at.timestamp() * 1000)


@pytest.mark.parametrize(
    "text",
    [
        "a|b\\c",
        "x cs1=forged act=allow",
        "one\nCEF:0|evil|evil|1|x|x|10|act=allow",
        "one\r\ntwo\rthree",
        "end\\",
        "a\u2028b\x85c\x0bd",
    ],
)
def test_nobody_adds_a_field_or_a_line(exported, happen, text):
    event = happen("agent.suspended", reason=text, target=Target(type="agent", id="7", label=text))
    lines = exported("cef").decode().splitlines()
    assert len(lines) == 1
    header, pairs = parsed(lines[0])
    assert pairs["externalId"] == str(event.id)
    assert pairs["act"] == "agent.suspended"
    assert pairs["cs1"] == str(event.organization_id)
    assert pairs["reason"] == re.sub("\r\n|[\r\u2028\x85\x0b]", "\n", text)
    assert len(header) == 7


def test_the_header_is_escaped_too(exported, happen, monkeypatch):
    nasty = events.EventType("agent.suspended", "a|b\\c\nd", events.Severity.CRITICAL)
    monkeypatch.setitem(events._registered, "agent.suspended", nasty)
    happen("agent.suspended")
    header, pairs = parsed(first(exported))
    assert header[5:] == ["a|b\\c d", "10"]
    assert pairs["suid"] == "carol"


@pytest.mark.django_db(transaction=True)
def test_decisions_have_their_effect_as_action_and_outcome(exported, organization_id, writer):
    writer.submit([decision(organization_id, effect) for effect in ("allow", "deny", "escalate")]).result(10)
    found = [parsed(line)[1] for line in exported("cef").decode().splitlines()]
    said = {(pairs["act"], pairs["outcome"]) for pairs in found if pairs.get("outcome")}
    assert said == {("allow", "success"), ("deny", "failure"), ("escalate", "failure")}


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", {"src": "192.0.2.7"}),
        ("2001:db8::7", {"c6a2": "2001:db8::7", "c6a2Label": "Source IPv6 Address"}),
        ("unix", {"shost": "unix"}),
        ("", {}),
    ],
)
def test_an_address_stands_in_the_field_of_its_kind(exported, happen, address, expected):
    happen("agent.suspended", by=Actor(kind="system", id="clock", label="clock", address=address))
    pairs = parsed(first(exported))[1]
    assert {name: value for name, value in pairs.items() if name in {"src", "c6a2", "c6a2Label", "shost"}} == expected


def test_long_values_are_cut_before_they_are_escaped(exported, happen):
    happen("agent.suspended", reason="=" * 5000)
    assert parsed(first(exported))[1]["reason"] == "=" * 1023


def test_an_unregistered_type_keeps_its_name(exported, happen, monkeypatch):
    happen("agent.suspended")
    monkeypatch.delitem(events._registered, "agent.suspended")
    assert parsed(first(exported))[0][4:6] == ["agent.suspended", "agent.suspended"]


def test_escaping():
    assert header_value("a|b\\") == "a\\|b\\\\"
    assert extension_value("a=b|c\\d\0") == "a\\=b|c\\\\d"
    assert milliseconds("no time") == 0
    assert cef.milliseconds("2026-01-01T00:00:00.500000Z") == 1767225600500
