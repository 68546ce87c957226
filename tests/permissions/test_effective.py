"""What an agent can do at all, where it comes from, until when, and what stands in the way; told as deep as one may look."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from directory.services.suspension import suspend_agent
from permissions.selectors import effective
from permissions.selectors.effective import TooMuch, effective_access
from permissions.selectors.telling import Look, effective_json
from permissions.services.grants import end_assignment
from permissions.worlds import worlds_here, worlds_of_process
from tests.factories import NOW, SYSTEM
from tests.permissions.factories import make_assignment, make_grant, make_resource_type, make_role, spec
from tests.permissions.scene import LATER, let_act_for_alice, make_scene, remembered_scene

EVERYTHING = Look(holdings_of=lambda who: True, guardrails=True)
NOTHING = Look(holdings_of=lambda who: False, guardrails=False)


@pytest.fixture
def scene(db):
    return remembered_scene()


def rows_of(scene, look=EVERYTHING, **how):
    found = effective_access(scene.runner, **({"at": NOW} | how))
    return {(row["type"], row["action"]): row for row in effective_json(found, look)["rows"]}


def test_there_is_a_row_for_every_type_and_action(scene):
    make_resource_type(scene.acme, "blob", actions=["open"], attributes={}, fields={})
    rows = rows_of(scene)
    assert {key: row["effect"] for key, row in rows.items()} == {
        ("blob", "open"): "deny",
        ("record", "delete"): "deny",
        ("record", "read"): "conditional",
        ("record", "write"): "conditional",
    }


def test_a_role_is_a_source_with_the_way_through_which_it_comes(scene):
    row = rows_of(scene)["record", "read"]
    [source] = row["terms"][0]["sources"]
    assert source["through"] == ["support", "reader"]
    assert source["rule"]["id"] == "support"
    assert source["where"] == 'resource.region == "EU"'
    assert sorted(source["fields"]) == ["email", "title"]  # not every database keeps the order in which they were declared
    assert source["until"] == LATER.isoformat()
    assert source["given"] == {"source": "manual", "reason": "", "by": f"system/{SYSTEM.id}"}
    assert row["until"] == LATER.isoformat()
    assert row["data_classes"] == ["internal", "personal"]


def test_fields_say_on_which_rows_they_are_had_and_where_they_are_masked(scene):
    groups = {tuple(each["names"]): each for each in rows_of(scene)["record", "read"]["fields"]}
    assert groups["title",]["allowed"]["holds"] == "depends"
    assert groups["title",]["allowed"]["plan"]["op"] == "is_true"
    assert groups["title",]["masked"]["holds"] == "never"
    assert groups["email",]["masked"] == groups["email",]["allowed"]
    assert groups["iban",]["best"] == "denied"


def test_what_is_asked_later_stays_open(scene):
    row = rows_of(scene)["record", "write"]
    assert row["depends_on"] == ["action.properties.amount", "context.hour"]
    assert row["guardrails"][0]["outcome"] == "depends"
    [open_still] = [each for each in row["fields"] if each["allowed"]["text"]]
    assert "context.hour < 18" in open_still["allowed"]["text"]
    assert open_still["allowed"]["plan"] is None


def test_a_ceiling_blocks_what_a_role_would_give(scene):
    row = rows_of(scene)["record", "delete"]
    assert [(each["term"], each["who"]) for each in row["blocked"]] == [("blueprint", "agent/runner")]
    assert row["terms"][0]["outcome"] == "always"
    assert row["terms"][0]["sources"][0]["rule"]["via"] == ["blueprint/clerk"]


def test_an_instant_to_come_sees_what_begins_and_ends_until_then(scene):
    make_grant(scene.acme, scene.runner.user, spec(), starts_at=LATER + timedelta(days=1))
    assert rows_of(scene, at=LATER)["record", "read"]["effect"] == "deny"
    assert rows_of(scene, at=LATER + timedelta(days=1))["record", "read"]["effect"] == "allow"
    [role, coming] = rows_of(scene)["record", "read"]["terms"][0]["sources"]
    assert (role["outcome"], coming["outcome"], coming["reason"][:12]) == ("depends", "never", "it starts at")


def test_acting_for_a_user_needs_what_the_user_has_and_agreed_to(scene):
    assert rows_of(scene, acting_for=scene.alice)["record", "read"]["blocked"][0]["term"] == "consent"
    let_act_for_alice(scene)
    row = rows_of(scene, acting_for=scene.alice)["record", "read"]
    assert row["effect"] == "conditional"
    had = [each["names"] for each in row["fields"] if each["best"] == "allowed"]
    assert had == [["title"]]


def test_a_suspended_agent_can_do_nothing_and_it_is_said_why(scene):
    suspend_agent(agent=scene.runner, by=SYSTEM, reason="odd", now=NOW)
    found = effective_access(scene.runner, at=NOW)
    assert found.inactive == "is suspended"
    assert {row.effect for row in found.rows} == {"deny"}
    assert {row.lost.term for row in found.rows} == {"subject"}
    child = effective_access(scene.helper, at=NOW)
    assert {row.effect for row in child.rows} == {"deny"}


def test_what_ends_is_gone_at_the_next_look(scene):
    assert rows_of(scene)["record", "read"]["effect"] == "conditional"
    end_assignment(assignment=scene.more["assignment"], by=SYSTEM, now=NOW)
    assert rows_of(scene)["record", "read"]["effect"] == "deny"


def test_types_and_actions_can_be_named(scene):
    assert list(rows_of(scene, types=["record"], actions=["read"])) == [("record", "read")]
    assert rows_of(scene, types=["nowhere"]) == {}


def test_too_much_is_refused(scene, monkeypatch):
    monkeypatch.setattr(effective, "MOST_ROWS", 2)
    with pytest.raises(TooMuch, match="at most 2"):
        effective_access(scene.runner, at=NOW)


def test_whoever_may_not_look_deep_is_told_the_outcome_only(scene):
    row = rows_of(scene, NOTHING)["record", "write"]
    assert row["effect"] == "conditional"
    told = str(row)
    assert "200" not in told
    assert "hour < 18" not in told
    assert row["depends_on"] == ["context.hour"]
    assert row["guardrails"][0]["effect"] == "require_approval"
    assert "when" not in row["guardrails"][0]
    assert all("sources" not in each for each in row["terms"])


def test_the_number_of_queries_does_not_grow_with_what_is_held(scene):
    effective_access(scene.runner, at=NOW)
    few = queries(scene)
    for number in range(20):
        make_grant(scene.acme, scene.runner.user, spec(actions=["write"]))
        make_assignment(make_role(scene.acme, f"role-{number}", spec()), scene.runner.user)
    assert queries(scene) == few


def queries(scene):
    with CaptureQueriesContext(connection) as captured:
        effective_access(scene.runner, at=NOW)
    return len(captured)


def test_within_a_transaction_nobody_elses_world_is_read_or_changed(scene):
    assert worlds_here() is not worlds_of_process()
    effective_access(scene.runner, at=NOW)
    assert worlds_of_process().peek(scene.acme.pk) is None


@pytest.mark.django_db(transaction=True)
def test_outside_of_transactions_the_worlds_of_the_process_are_used():
    scene = make_scene()
    assert worlds_here() is worlds_of_process()
    effective_access(scene.runner, at=NOW)
    assert worlds_of_process().peek(scene.acme.pk) is not None
