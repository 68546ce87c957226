"""Guardrails change by versions: what was published never changes, and nobody publishes what they did not read."""

import pytest

from directory.services.revisions import ForeignOrganization
from permissions.models import Guardrail, GuardrailVersion
from permissions.services.guardrails import (
    DraftChanged,
    NothingToPublish,
    NotInForce,
    UnknownEffect,
    Wording,
    draft_guardrail,
    publish_guardrail,
    withdraw_guardrail,
)
from permissions.services.terms import InvalidCondition, UnknownAction, UnknownDataClass, UnknownField
from tests.directory.recorded import data_of, last_event
from tests.factories import NOW, SYSTEM
from tests.permissions.factories import make_guardrail, make_resource_type


def draft(organization, external_id="g", name="G", **wording):
    wording = Wording(**{"effect": "deny"} | wording)
    return draft_guardrail(organization=organization, external_id=external_id, name=name, wording=wording, by=SYSTEM, now=NOW)


def publish(version, state="published", number=None):
    return publish_guardrail(guardrail=version.guardrail, number=number or version.number, state=state, by=SYSTEM, now=NOW)


def states(guardrail):
    return [(each.number, each.state) for each in guardrail.versions.order_by("number")]


def test_a_draft_decides_nothing_until_it_is_published(cast):
    version = draft(cast.acme)
    guardrail = version.guardrail
    assert (states(guardrail), version.published_at) == ([(1, "draft")], None)
    assert not Guardrail.objects.in_force().exists()
    assert publish(version).published_at == NOW
    assert states(guardrail) == [(1, "published")]
    assert list(Guardrail.objects.in_force()) == [guardrail]


def test_a_new_wording_supersedes_the_one_in_force(cast):
    first = draft(cast.acme, when="action.name == 'read'")
    publish(first)
    second = draft(cast.acme, effect="mask")
    assert states(first.guardrail) == [(1, "published"), (2, "draft")]
    publish(second, state="report_only")
    assert states(first.guardrail) == [(1, "superseded"), (2, "report_only")]
    assert GuardrailVersion.objects.get(number=1).when == "action.name == 'read'"
    assert data_of(last_event(cast.acme, "guardrail.published"))["superseded"] == 1


def test_a_draft_that_was_worded_anew_is_another_version(cast):
    read = draft(cast.acme)
    draft(cast.acme, effect="mask")
    assert states(read.guardrail) == [(2, "draft")]
    with pytest.raises(DraftChanged, match="version 2 is"):
        publish(read, number=1)
    publish(read, number=2)
    assert GuardrailVersion.objects.get().effect == "mask"
    assert list(GuardrailVersion.history.filter(state="draft").values_list("effect", flat=True)) == ["mask", "deny"]


def test_a_draft_that_says_the_same_keeps_its_number(cast):
    draft(cast.acme, when="true")
    assert draft(cast.acme, when=" true ", name="Renamed").number == 1
    assert Guardrail.objects.get().name == "Renamed"


def test_a_reporting_wording_goes_into_force_and_back(cast):
    version = publish(draft(cast.acme), state="report_only")
    assert publish(version).state == "published"
    with pytest.raises(NothingToPublish):
        publish(version)
    assert publish(version, state="report_only").state == "report_only"
    assert states(version.guardrail) == [(1, "report_only")]


def test_a_withdrawn_wording_stays_withdrawn_and_a_draft_stays_a_draft(cast):
    version = publish(draft(cast.acme))
    draft(cast.acme, effect="mask")
    withdraw_guardrail(guardrail=version.guardrail, by=SYSTEM, now=NOW)
    assert states(version.guardrail) == [(1, "withdrawn"), (2, "draft")]
    with pytest.raises(NotInForce):
        withdraw_guardrail(guardrail=version.guardrail, by=SYSTEM, now=NOW)
    publish(version, number=2)
    assert states(version.guardrail) == [(1, "withdrawn"), (2, "published")]


def test_without_a_draft_there_is_nothing_to_publish(cast):
    guardrail = make_guardrail(cast.acme)
    withdraw_guardrail(guardrail=guardrail, by=SYSTEM, now=NOW)
    with pytest.raises(NothingToPublish):
        publish_guardrail(guardrail=guardrail, number=1, by=SYSTEM, now=NOW)


@pytest.mark.parametrize(
    ("wording", "refusal"),
    [
        ({"effect": "allow"}, UnknownEffect),
        ({"actions": []}, UnknownAction),
        ({"actions": ["fly"]}, UnknownAction),
        ({"fields": ["phone"]}, UnknownField),
        ({"data_classes": ["private"]}, UnknownDataClass),
        ({"data_classes": []}, UnknownDataClass),
        ({"when": "resource.regoin == 'EU'"}, InvalidCondition),
        ({"when": "true &&"}, InvalidCondition),
    ],
)
def test_a_wording_that_says_something_unknown_is_refused(cast, wording, refusal):
    with pytest.raises(refusal):
        draft(cast.acme, resource_type=cast.record, **wording)
    assert not Guardrail.objects.exists()


def test_without_a_type_any_action_field_and_attribute_may_be_named(cast):
    version = draft(cast.acme, actions=["export"], fields=["phone"], when="resource.whatever == 'EU'")
    assert (version.actions, version.fields) == (["export"], ["phone"])
    with pytest.raises(InvalidCondition):
        draft(cast.acme, when="nonsense ==")


def test_every_action_is_stored_as_no_limit(cast):
    assert draft(cast.acme, actions=["*"]).actions is None
    assert draft(cast.acme, resource_type=cast.record, actions=["*"]).actions is None


def test_a_type_of_another_organization_is_refused(cast):
    with pytest.raises(ForeignOrganization):
        draft(cast.acme, resource_type=make_resource_type(cast.elsewhere))
