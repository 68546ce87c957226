"""A plan is the row condition of a yes: which rows of a type the subject would be allowed, for somebody else's database.

The same terms and guardrails as for one object, with every condition evaluated as far as it can be while the row is unknown.
For each class of fields that the rules treat alike there is one condition; a request that lists fields needs them all, one that
lists none needs one of them.
"""

from collections.abc import Iterable

from permissions.engine.authority import Candidate, Term, terms
from permissions.engine.conditions import FALSE, TRUE, Node, all_of, any_of, equals, is_false, is_true, within
from permissions.engine.evaluate import refusal, situation_of
from permissions.engine.types import GuardrailFacts, Lost, Question, World


class Planner:
    """Turns the terms of one question into conditions on the row."""

    __slots__ = ("left_open", "situation")

    def __init__(self, world: World, question: Question, *, left_open: tuple[str, ...] = ()) -> None:
        self.situation = situation_of(world, question, {"type": question.type})
        self.left_open = left_open

    def candidate(self, candidate: Candidate) -> Node:
        """Give the rows that an entitlement covers in this situation."""
        entitlement, _ = candidate
        parts: list[Node] = []
        if entitlement.resource is not None:
            parts.append(equals("id", entitlement.resource))
        if entitlement.subtree is not None:
            parts.append(within(*entitlement.subtree))
        parts.extend(
            is_true(condition.residual(self.situation, left_open=self.left_open))
            for condition in (entitlement.where, entitlement.when)
            if condition is not None
        )
        return all_of(parts)

    def term(self, term: Term, field: int) -> Node:
        """Give the rows on which a term leaves one field."""
        if term.fault or not term.mask & field:
            return FALSE
        if term.candidates is None:
            return TRUE
        return any_of([self.candidate(each) for each in term.candidates if each[0].fields & field])

    def spared(self, rail: GuardrailFacts) -> Node:
        """Give the rows on which a guardrail does not apply."""
        return FALSE if rail.when is None else is_false(rail.when.residual(self.situation, left_open=self.left_open))


def classes_of(wanted: int, masks: Iterable[int]) -> list[int]:
    """Split fields into classes that all these masks treat alike; give one field of each."""
    seen: dict[tuple[bool, ...], int] = {}
    known = tuple(masks)
    bit = 1
    while bit <= wanted:
        if wanted & bit:
            seen.setdefault(tuple(bool(mask & bit) for mask in known), bit)
        bit <<= 1
    return list(seen.values())


def plan(world: World, question: Question) -> tuple[Node, Lost | None]:
    """Give the condition that selects exactly the rows for which ``decide`` would say allow.

    The question's resource id and properties are not looked at. The second value says what lost where no row can be allowed.
    """
    lost = refusal(world, question)
    if lost is not None:
        return FALSE, lost
    resource_type = world.types[question.type]
    planner = Planner(world, question)
    formula = list(terms(world, question, resource_type))
    rails = [
        rail for rail in world.guardrails_for(question.type, question.action) if rail.effect != "mask" and not rail.report_only
    ]
    scopes = [(rail, rail.scope(resource_type)) for rail in rails]
    masks = [entitlement.fields for term in formula for entitlement, _ in term.candidates or ()]
    masks += [term.mask for term in formula] + [scope for _, scope in scopes if scope is not None]
    wanted = resource_type.mask(question.fields) if question.fields else resource_type.full
    classes = classes_of(wanted, masks)
    joined = all_of if question.fields else any_of
    rows: list[Node] = [TRUE for _ in classes]
    for term in formula:
        rows = [all_of((node, planner.term(term, field))) for node, field in zip(rows, classes, strict=True)]
        if joined(rows) == FALSE:
            return FALSE, Lost(term.name, term.who, term.fault or f"nothing of {term.who} covers any row in this situation")
    for rail, scope in scopes:
        spared = planner.spared(rail)
        rows = [
            all_of((node, spared)) if scope is None or scope & field else node
            for node, field in zip(rows, classes, strict=True)
        ]
        if joined(rows) == FALSE:
            return FALSE, Lost("guardrail", rail.id, rail.reason or f"the guardrail {rail.id} applies")
    return joined(rows), None
