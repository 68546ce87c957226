"""An export says what is there: applied where it came from it changes nothing, applied elsewhere it makes the same."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agentiam.manifest.reading import read_text
from agentiam.manifest.yaml_text import yaml_text
from directory.models import Agent, Organization
from tests.manifest.worlds import ACME, NOW, apply, counts, export

_TRAPS = [
    "NO",
    "no",
    "~",
    "null",
    "1",
    "1.5",
    "0x1f",
    "a:\tb",
    "-",
    "#x",
    "'",
    '"',
    "\\",
    "*x",
    "&x",
    "!x",
    "%x",
    "@x",
    "true",
    "a,b",
    "[x]",
    "{x}",
    "|",
    ">",
    "?",
    "2028-01-01",
    "x:",
    "---",
]
_SPACED = ["", " a ", "- a", "a: b", "a #x", "a\nb", "a\n  b\n", "\ta", "a\n\nb", "\x85", "\u2028"]
_texts = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=20)
_texts |= st.sampled_from([*_TRAPS, *_SPACED])
_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(_texts, _values, min_size=1, max_size=4))
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@example({"x" * 120: [], "y" * 120: [{}, "z" * 120]})
def test_whatever_is_written_reads_back_the_same(document):
    assert read_text("k:\n  - 1\n" + yaml_text({"document": document}), name="x").plain["document"] == document


@pytest.mark.django_db
def test_applying_an_export_changes_nothing():
    apply(ACME)
    before = counts()
    outcome = apply(export(), prune=True)
    assert (outcome.changes, outcome.notes) == ([], [])
    assert counts() == before


@pytest.mark.django_db
def test_an_export_has_no_secrets_and_nothing_that_is_over():
    outcome = apply(ACME)
    text = export(now=NOW + timedelta(days=900))
    assert "onboarding" not in text
    assert "onboarding" in export()
    assert not any(key.rsplit("_", 1)[1] in text for key in outcome.credentials.values())
    assert "digest" not in text
    assert "password" not in text


@pytest.mark.django_db
def test_a_retired_agent_is_not_exported_with_what_it_held():
    apply(ACME)
    gone = ACME[: ACME.index("assignments:")].replace("sponsor: team/finance, state: suspended", "sponsor: bob, state: retired")
    gone = gone.replace("sponsor: bob, state: retired", "sponsor: team/finance, state: retired")
    apply(gone)
    assert Agent.objects.get(external_id="planner").state == "retired"
    text = export()
    assert "planner" not in text
    assert apply(text, prune=True).changes == []


def _world(draw_number: int) -> str:
    """A world that depends on a number: every bit of it turns something on."""

    def on(bit: int) -> bool:
        return bool(draw_number >> bit & 1)

    text = ACME
    if on(0):
        text = text.replace("sponsor: team/finance, state: suspended", "sponsor: team/finance, state: pending")
    if on(1):
        text = text.replace("name: Bob,", "name: 'Bob: \"NO\"', username: robert,")
    if on(2):
        text = text.replace("up, parent: refund-runner", "up, parent: refund-runner, environment: staging, risk_tier: low")
    if on(3):
        text = text.replace("reason: pilot", 'reason: "a\\nb", from: 2027-01-01T00:00:00+05:00, delegate: true').replace(
            "use: true, delegate: false, ", ""
        )
    if on(4):
        text = text.replace(
            "- slug: crm\n",
            "- slug: crm\n    audience: https://crm.example/\n    requires_tokens: true\n    state: suspended\n"
            "    token_format: reference\n    token_algorithm: EdDSA\n    token_seconds: 60\n",
        )
    if on(5):
        text = text.replace(
            "spawn: {depth: 2, children: 3}", "spawn: {depth: 2, children: 3, seconds: 86400}, credentials: {days: 7}"
        )
    if on(6):
        text = text.replace("effect: deny, state: report_only", "effect: mask, data_classes: [secret, personal], state: draft")
    if on(7):
        text = text.replace(
            "capabilities: [{type: record, actions: [read, write]}]", "capabilities: [], expires: 2027-01-01T00:00:00Z"
        )
    return text


@pytest.mark.django_db
@pytest.mark.parametrize("number", [0, 1, 2, 4, 8, 16, 32, 64, 128, 255, 0b10101010, 0b01010101])
def test_an_export_makes_the_same_world_elsewhere(number):
    apply(_world(number))
    text = export()
    assert apply(text, prune=True).changes == []
    # Another tenant of the same installation stands for another installation: names are by organization, but for three.
    elsewhere = text.replace("slug: acme", "slug: other", 1).replace("acme.example\n", "other.example\n", 1)
    elsewhere = elsewhere.replace("username: robert", "username: robert-2")
    apply(elsewhere)
    assert Organization.objects.count() == 2
    assert export("other") == elsewhere
    assert apply(elsewhere, prune=True).changes == []
