"""Search lists what would be allowed, in the order of what was given."""

from permissions.engine.search import actions, resources, subjects
from tests.engine.scenes import Scene, holding


def test_resources_are_listed_in_order():
    world, question = Scene().holds(holding(resource="b"), holding(resource="a")).made()
    assert [name for name, _ in resources(world, question, ["c", "b", "a"])] == ["b", "a"]


def test_subjects_are_listed_in_order():
    world, question = Scene().made()
    assert [ref for ref, _ in subjects(world, question, ["user/alice", "agent/ghost", "agent/worker"])] == [
        "user/alice",
        "agent/worker",
    ]


def test_actions_are_listed_by_name():
    world, question = Scene().holds(holding("write read delete")).made()
    assert [name for name, _ in actions(world, question)] == ["read", "write"]


def test_an_unknown_type_has_no_actions():
    world, question = Scene().ask(type="lead").made()
    assert list(actions(world, question)) == []
