import pytest

from audit import events
from audit.events import BadEventName, DuplicateEventType, EventType, UnknownEventType


@pytest.mark.parametrize(
    "name", ["revoked", "Credential.revoked", "credential.", ".revoked", "credential.re-voked", "a.b.c", "a b.c"]
)
def test_a_name_that_is_not_noun_and_participle_is_refused(name):
    with pytest.raises(BadEventName):
        EventType(name, "label")


def test_a_registered_type_is_found_by_name():
    approved = EventType("request.approved", "A request was approved", events.Severity.HIGH)
    events.register(approved)
    assert events.event_type("request.approved") is approved
    assert approved in events.event_types()


def test_an_unknown_name_raises():
    with pytest.raises(UnknownEventType, match=r"nothing\.done"):
        events.event_type("nothing.done")


def test_two_types_of_one_name_are_refused_and_none_is_registered():
    events.register(EventType("role.given", "A role was given"))
    with pytest.raises(DuplicateEventType):
        events.register(EventType("role.taken", "A role was taken"), EventType("role.given", "Something else"))
    with pytest.raises(UnknownEventType):
        events.event_type("role.taken")


def test_one_call_with_the_same_name_twice_is_refused():
    with pytest.raises(DuplicateEventType):
        events.register(EventType("role.split", "Split"), EventType("role.split", "Split"))


def test_registering_the_same_type_again_changes_nothing():
    events.register(EventType("role.merged", "Merged"))
    events.register(EventType("role.merged", "Merged"))
    assert events.event_type("role.merged").label == "Merged"
