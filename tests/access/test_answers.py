"""What a caller is told about a decision."""

from permissions.answers import obligations
from permissions.engine.types import Decision, Effect, TypeFacts


def _masked(fields: tuple[str, ...], mask: int) -> list[str]:
    facts = TypeFacts("record", "crm", frozenset(["read"]), fields=fields)
    [owed] = obligations(Decision(Effect.ALLOW, masked=mask), facts)
    found: list[str] = owed["properties"]["fields"]
    return found


def test_the_fields_to_mask_are_named() -> None:
    assert _masked(("title", "email"), 0b10) == ["email"]


def test_of_a_type_without_fields_everything_is_to_be_masked() -> None:
    assert _masked((), 1) == ["*"]


def test_nothing_is_owed_for_a_decision_that_masks_nothing() -> None:
    assert obligations(Decision(Effect.ALLOW), TypeFacts("record", "crm", frozenset(["read"]))) == []
