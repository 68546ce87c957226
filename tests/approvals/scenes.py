"""A refund that people are asked about, and the people."""

from datetime import timedelta
from typing import Any

from approvals.rules import Ask, Cover, ReviewRule, Rung, Step, Verdict
from approvals.standing import Answer, Facts
from permissions.engine.conditions import Condition, Situation, check, load
from tests.engine.scenes import NOW

ROSTER = {
    "owner": frozenset({"olivia"}),
    "sponsor": frozenset({"sam"}),
    "team/finance": frozenset({"bob", "ben", "beth"}),
    "team/security": frozenset({"alice", "ada"}),
    "user/carol": frozenset({"carol"}),
}
MINUTE = 60


def when(source: str) -> Condition:
    return load(source, check(source))


def ask(**values: Any) -> Ask:
    given: dict[str, Any] = {
        "type": "case",
        "action": "refund",
        "risk": "medium",
        "requester": None,
        "acted_for": None,
        "owners": frozenset({"olivia"}),
        "behind": frozenset(),
        "data_classes": frozenset({"internal"}),
        "situation": Situation(action={"properties": {"amount": 250}}, now=NOW),
    }
    return Ask(**given | values)


def step(*reviewers: str, needed: int = 1, minutes: int = 10, then: tuple[str, ...] = ()) -> Step:
    rungs = (Rung(reviewers, minutes * MINUTE), *((Rung(then, minutes * MINUTE),) if then else ()))
    return Step("step", rungs, needed)


def rule(*steps: Step, name: str = "refunds", **values: Any) -> ReviewRule:
    return ReviewRule(name, 1, steps, **values)


def facts(*steps: Step, covers: tuple[Cover, ...] = (), asked: Ask | None = None, **values: Any) -> Facts:
    return Facts(rule(*steps, **values), asked or ask(), ROSTER, covers)


def cover(away: str, stand_in: str, *, minutes: float = 1_000, **values: Any) -> Cover:
    return Cover(away, stand_in, NOW - timedelta(days=1), NOW + timedelta(minutes=minutes), **values)


def yes(person: str, minutes: float = 1) -> Answer:
    return Answer(person, Verdict.APPROVE, NOW + timedelta(minutes=minutes))


def no(person: str, minutes: float = 1) -> Answer:
    return Answer(person, Verdict.DENY, NOW + timedelta(minutes=minutes))
