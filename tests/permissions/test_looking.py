"""Explanations and plans for those who only look: the answer of the engine at an instant, and no record of it."""

from datetime import timedelta

import pytest

from audit.models import Event
from permissions.engine.conditions import matches
from permissions.plans.errors import Unplannable
from permissions.selectors.explanations import explain_access
from permissions.selectors.plans import plan_access
from tests.factories import NOW
from tests.permissions.factories import make_grant, spec
from tests.permissions.scene import LATER, let_act_for_alice, remembered_scene


@pytest.fixture
def scene(db):
    return remembered_scene()


def explained(scene, resource="record-1", **more):
    values = {"action": "read", "resource_type": "record", "resource": resource, "at": NOW} | more
    return explain_access(scene.runner, **values)


def test_an_explanation_has_every_term_and_what_was_tried(scene):
    told = explained(scene, "record-2").as_json()
    assert (told["decision"], told["effect"]) == (False, "deny")
    assert [each["term"] for each in told["terms"]] == ["grants", "blueprint"]
    [tried] = told["terms"][0]["tried"]
    assert (tried["covers"], tried["conditions"][0]["seen"]) == (False, "US")
    assert told["would_allow"][0]["sufficient"]
    assert explained(scene).as_json()["guardrails"][0]["applies"]


def test_not_in_full_it_says_neither_what_was_seen_nor_what_is_held(scene):
    told = explained(scene, "record-2").as_json(in_full=False)
    assert "US" not in str(told)
    assert "would_allow" not in told
    assert told["guardrails"] == []
    assert all("tried" not in each for each in told["terms"])
    assert told["lost"]["term"] == "grants"


def test_what_a_resource_would_be_can_be_supposed(scene):
    assert not explained(scene, "new").decision.allows
    assert explained(scene, "new", resource_properties={"region": "EU"}).decision.allows


def test_an_instant_to_come_is_looked_at_by_its_own_clock(scene):
    assert explained(scene, at=LATER - timedelta(seconds=1)).decision.allows
    assert not explained(scene, at=LATER).decision.allows


def test_on_a_users_behalf(scene):
    assert explained(scene, acting_for=scene.alice).decision.lost.term == "consent"
    let_act_for_alice(scene)
    assert explained(scene, acting_for=scene.alice).decision.allows


def test_a_question_about_what_does_not_exist_is_a_no(scene):
    assert explained(scene, action="fly").as_json()["lost"]["term"] == "action"
    assert explained(scene, resource_type="starship").as_json()["lost"]["term"] == "resource_type"


def test_a_plan_selects_rows_and_says_what_is_masked_on_them(scene):
    found = plan_access(scene.runner, action="read", resource_type="record", at=NOW)
    assert matches(found.rows, {"id": "x", "region": "EU"})
    assert not matches(found.rows, {"id": "x"})
    told = found.as_json()
    masked = sorted((each["fields"], each["masked"] == {"value": False}) for each in told["fields"])
    assert masked == [(["email"], False), (["iban"], True), (["title"], True)]
    listed = plan_access(scene.runner, action="read", resource_type="record", fields=("title",), at=NOW)
    assert [each.fields for each in listed.fields] == [("title",)]


@pytest.mark.parametrize(("dialect", "mark"), [("sqlite", "?"), ("postgresql", "%s")])
def test_a_plan_as_sql_keeps_every_value_out_of_the_text(scene, dialect, mark):
    found = plan_access(scene.runner, action="read", resource_type="record", at=NOW)
    sql = found.as_sql({"region": "customers.region"}, dialect=dialect)
    assert sql["params"] == ["EU"]
    assert '"customers"."region"' in sql["text"]
    assert mark in sql["text"]
    assert "EU" not in sql["text"]


def test_a_column_that_nobody_named_is_an_error(scene):
    found = plan_access(scene.runner, action="read", resource_type="record", at=NOW)
    with pytest.raises(Unplannable, match="region"):
        found.as_sql({"status": "status"}, dialect="sqlite")


def test_a_subtree_has_no_column(scene):
    make_grant(scene.acme, scene.runner.user, spec(subtree=("record", "record-1")))
    found = plan_access(scene.runner, action="read", resource_type="record", at=NOW)
    with pytest.raises(Unplannable):
        found.as_sql({"region": "region", "id": "id"}, dialect="sqlite")


def test_nothing_that_is_only_looked_at_is_recorded(scene):
    before = Event.objects.count()
    explained(scene)
    plan_access(scene.runner, action="read", resource_type="record", at=NOW)
    assert Event.objects.count() == before
