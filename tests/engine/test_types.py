"""Facts are immutable, and fields are bits."""

import dataclasses
import pickle
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from permissions.engine import types
from permissions.engine.evaluate import decide
from permissions.engine.types import EMPTY, Decision, Effect, Mode, Question, TypeFacts
from tests.engine.scenes import BLOB, EMAIL, IBAN, NOW, RECORD, TITLE, Scene, rail

FACTS: list[Any] = [
    each
    for each in vars(types).values()
    if isinstance(each, type)
    and each.__module__ == types.__name__
    and (dataclasses.is_dataclass(each) or hasattr(each, "_fields"))
]


@pytest.mark.parametrize("facts", FACTS, ids=lambda each: each.__name__)
def test_facts_cannot_be_changed(facts):
    if dataclasses.is_dataclass(facts):
        assert getattr(facts, "__dataclass_params__").frozen  # noqa: B009
        assert getattr(facts, "__slots__")  # noqa: B009
    else:
        assert issubclass(facts, tuple)


def test_a_made_world_cannot_be_changed():
    world, question = Scene().made()
    with pytest.raises(FrozenInstanceError):
        setattr(world, "revision", 8)  # noqa: B010
    with pytest.raises(FrozenInstanceError):
        setattr(question, "action", "write")  # noqa: B010
    with pytest.raises(AttributeError):
        setattr(decide(world, question), "effect", Effect.DENY)  # noqa: B010


def test_nothing_stays_nothing():
    nothing: Any = EMPTY
    with pytest.raises(TypeError):
        nothing["a"] = 1
    with pytest.raises(TypeError):
        nothing.update(a=1)
    with pytest.raises(TypeError):
        nothing.setdefault("a", 1)
    assert hash(EMPTY) == hash(Question("agent/a", "read", "record", "r", NOW).context)
    assert not EMPTY


def test_a_world_that_is_changed_forgets_the_guardrails_it_looked_up():
    world, question = Scene().made()
    assert decide(world, question).allows
    assert not decide(replace(world, guardrails=(rail("deny"),)), question).allows
    assert world.guardrails_for("record", "read") is world.guardrails_for("record", "read")


def test_fields_are_bits_in_the_order_of_declaration():
    assert (TITLE, EMAIL, IBAN) == (1, 2, 4)
    assert RECORD.full == 7
    assert RECORD.mask(None) == 7
    assert RECORD.mask(["iban", "phone"]) == 4
    assert RECORD.names(6) == ("email", "iban")
    assert RECORD.class_mask(None) == 7
    assert RECORD.class_mask(frozenset({"personal", "secret"})) == 2


def test_a_type_without_fields_has_one_bit():
    assert BLOB.full == BLOB.mask(None) == BLOB.class_mask(frozenset({"personal"})) == 1
    assert BLOB.names(1) == ()
    assert rail("deny", data_classes="personal").scope(BLOB) == 0
    assert rail("deny").scope(BLOB) is None


def test_a_type_may_declare_a_field_without_a_class():
    facts = TypeFacts("note", "crm", frozenset({"read"}), fields=("text",))
    assert facts.class_mask(frozenset({"internal"})) == 0


def test_modes_join_and_meet():
    assert Mode.USE | Mode.DELEGATE == Mode.ANY
    assert Mode.ANY & Mode.USE == Mode.USE
    assert not Mode(0) & Mode.ANY


def test_an_answer_travels():
    decision = Decision(Effect.ALLOW, allowed=1)
    assert pickle.loads(pickle.dumps(decision)) == decision  # noqa: S301
    assert decision.allows
