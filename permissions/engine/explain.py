"""Why: every term with what was tried and why it did not cover, every guardrail, and the smallest change that would allow.

The same functions as for deciding, without stopping at the first loss; so the explanation cannot say anything else than the
decision. What would make it a yes is tried out before it is said.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Any, Final, NamedTuple

from permissions.engine.authority import Candidate, Term, held, standing, terms
from permissions.engine.conditions import Change, Clause, Condition, EvaluationError
from permissions.engine.evaluate import BUILT_IN, Evaluation, decide, outcome, refusal
from permissions.engine.types import Decision, Effect, GuardrailFacts, Lost, Mode, Question, Rule, World

MAX_TRIED: Final = 20
MAX_CLAUSED: Final = 3
"""For so many rules that fail, the clauses of their conditions are given: they cost far more than the rest."""
MAX_SUGGESTED: Final = 3
_MAX_ATTEMPTS: Final = 8
NEED: Final = {"grants": Mode.USE, "user": Mode.USE, "parent": Mode.ANY, "delegator": Mode.DELEGATE}
_GIFTS: Final = {
    **dict.fromkeys(NEED, ("grant", "a grant or role that lets {who} {what}")),
    "consent": ("consent", "the consent of {who} to {what}"),
    "delegation": ("delegation", "a delegation from {who} that covers {what}"),
    "token": ("token", "a token that was issued to {who} to {what}"),
}
_STEP: Final = " (a step; not enough by itself)"


class Tried(NamedTuple):
    """One rule that could have covered the object, and what came of it."""

    rule: Rule
    covers: bool
    reason: str
    clauses: tuple[Clause, ...] = ()
    changes: tuple[Change, ...] | None = None


class TermReport(NamedTuple):
    """One term of the formula: whether it holds, the wanted fields it leaves, and what was tried."""

    name: str
    who: str
    holds: bool
    fields: tuple[str, ...]
    reason: str
    tried: tuple[Tried, ...]


class GuardrailReport(NamedTuple):
    """One guardrail over the action: whether it applies, and what its condition saw."""

    rule: Rule
    effect: str
    applies: bool
    report_only: bool
    clauses: tuple[Clause, ...]


class Suggestion(NamedTuple):
    """One way to a yes: what would have to be otherwise. ``sufficient`` if that alone was found to be enough."""

    kind: str
    text: str
    changes: tuple[dict[str, Any], ...] = ()
    sufficient: bool = True


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that was looked at for one answer."""

    decision: Decision
    terms: tuple[TermReport, ...] = ()
    guardrails: tuple[GuardrailReport, ...] = ()
    would_allow: tuple[Suggestion, ...] = ()


def explain(world: World, question: Question) -> Explanation:
    """Explain one answer in full. Its decision equals that of ``decide``."""
    decision = decide(world, question)
    if refusal(world, question) is not None:
        return Explanation(decision)
    evaluation = Evaluation(world, question, world.types[question.type])
    reports = tuple(_report_term(evaluation, judged) for judged in _judged(evaluation))
    rails = tuple(_report_rail(evaluation, rail) for rail in world.guardrails_for(question.type, question.action))
    return Explanation(decision, reports, rails, suggestions(world, question, decision, reports))


def explain_loss(world: World, question: Question, decision: Decision, *, suggest: bool = True) -> Explanation:
    """Explain the term that lost and nothing else: what an answer and its record carry. Cheaper than ``explain``.

    Without ``suggest`` it does not look for what would make it a yes, which costs most of it.
    """
    lost = decision.lost
    if lost is None or refusal(world, question) is not None:
        return Explanation(decision)
    evaluation = Evaluation(world, question, world.types[question.type])
    reports: tuple[TermReport, ...] = ()
    rails: tuple[GuardrailReport, ...] = ()
    if lost.term == "guardrail":
        over = world.guardrails_for(question.type, question.action)
        rails = tuple(_report_rail(evaluation, rail) for rail in over if rail.rule in decision.rules)
    else:
        losing = next(judged for judged in _judged(evaluation) if not judged.holds)
        reports = (_report_term(evaluation, losing, suggest=suggest),)
    return Explanation(decision, reports, rails, suggestions(world, question, decision, reports) if suggest else ())


def _formula(evaluation: Evaluation) -> Iterator[Term]:
    return terms(evaluation.world, evaluation.question, evaluation.resource_type)


class _Judged(NamedTuple):
    """A term, the fields that the terms before it left, and those that it leaves."""

    term: Term
    left: int
    mask: int
    holds: bool


def _judged(evaluation: Evaluation) -> Iterator[_Judged]:
    """Judge every term; one that is lost takes nothing away, so that those after it are judged by what the others leave."""
    left = evaluation.wanted
    for term in _formula(evaluation):
        mask = evaluation.term_mask(term, [])
        holds = evaluation.suffices(left & mask)
        yield _Judged(term, left, mask, holds)
        if holds:
            left &= mask


def _report_term(evaluation: Evaluation, judged: _Judged, *, suggest: bool = True) -> TermReport:
    """Try every candidate of one term, and say what came of it."""
    term, left, mask, holds = judged
    reason = "" if holds else evaluation.shortfall(term, left)
    tried: list[Tried] = []
    detailed = MAX_CLAUSED
    for candidate in (term.candidates or ())[:MAX_TRIED]:
        found = _try(evaluation, candidate, detailed=detailed > 0, suggest=suggest)
        detailed -= bool(found.clauses)
        tried.append(found)
    if not holds and not term.fault:
        tried += islice(_out_of_time(evaluation, term), MAX_TRIED)
    return TermReport(term.name, term.who, holds, evaluation.resource_type.names(mask), reason, tuple(tried))


def _try(evaluation: Evaluation, candidate: Candidate, *, detailed: bool, suggest: bool) -> Tried:
    entitlement, rule = candidate
    if entitlement.resource is not None and entitlement.resource != evaluation.question.resource:
        return Tried(rule, covers=False, reason=f"it is for {entitlement.resource} only")
    if entitlement.subtree is not None and not evaluation.within(entitlement.subtree):
        return Tried(rule, covers=False, reason=f"it is for what lies in {'/'.join(entitlement.subtree)}")
    if not entitlement.fields & evaluation.wanted:
        return Tried(rule, covers=False, reason="it is for none of the fields")
    conditions = [each for each in (entitlement.where, entitlement.when) if each is not None]
    failing = [(each, reason) for each in conditions if (reason := _fails(evaluation, each))]
    if not failing:
        return Tried(rule, covers=True, reason="", changes=())
    reason = "; ".join(reason for _, reason in failing)
    if not detailed:
        return Tried(rule, covers=False, reason=reason)
    clauses: list[Clause] = []
    needed: list[tuple[Change, ...] | None] = []
    for condition, _ in failing:
        found = condition.clauses(evaluation.situation)
        clauses += found
        needed.append(_least(condition, found, evaluation) if suggest else None)
    changes = None if None in needed else tuple(change for each in needed for change in each or ())
    return Tried(rule, covers=False, reason=reason, clauses=tuple(clauses), changes=changes)


def _least(condition: Condition, clauses: tuple[Clause, ...], evaluation: Evaluation) -> tuple[Change, ...] | None:
    """Give the fewest changes with which a condition would hold; of a lone clause that is what it needs, without a search."""
    if len(clauses) == 1 and clauses[0].needed["op"] != "holds":
        return (Change(clauses[0].reference, clauses[0].needed, clauses[0].seen),)
    return condition.smallest_change(evaluation.situation)


def _fails(evaluation: Evaluation, condition: Condition) -> str:
    try:
        return "" if condition.holds(evaluation.situation) else f"the condition {condition.source} does not hold"
    except EvaluationError as error:
        return f"the condition {condition.source} cannot be computed: {error}"


def _out_of_time(evaluation: Evaluation, term: Term) -> Iterator[Tried]:
    """Give what the principal of a term holds for this action but not now, or not for this use."""
    world, question = evaluation.world, evaluation.question
    principal, need = world.principals.get(term.who), NEED.get(term.name)
    if principal is None or need is None:
        return
    keys = ((question.type, question.action), (question.type, "*"))
    grants, assignments = held(world, principal)
    for holding in (each for index in grants for key in keys for each in index.get(key, ())):
        why = standing(holding.mode, holding.not_before, holding.until, need, question.now)
        if why:
            yield Tried(holding.rule, covers=False, reason=f"it {why}")
    for each in assignments:
        why = standing(each.mode, each.not_before, each.until, need, question.now)
        if why and any(key in world.roles.get(each.role, {}) for key in keys):
            yield Tried(each.rule, covers=False, reason=f"it {why}")


def _report_rail(evaluation: Evaluation, rail: GuardrailFacts) -> GuardrailReport:
    clauses = () if rail.when is None else rail.when.clauses(evaluation.situation)
    return GuardrailReport(rail.rule, rail.effect, evaluation.applies(rail), rail.report_only, clauses)


def suggestions(
    world: World, question: Question, decision: Decision, reports: tuple[TermReport, ...]
) -> tuple[Suggestion, ...]:
    """Say the smallest changes that would make it a yes; what is enough alone first, then the fewest changes, three at most."""
    lost = decision.lost
    if lost is None or refusal(world, question) is not None:
        return ()
    found = [*_fewer_fields(world, question)]
    losing = next((report for report in reports if not report.holds), None)
    if losing is not None and decision.effect is Effect.DENY:
        found += [_condition(world, question, each.changes) for each in losing.tried if not each.covers and each.changes]
        if lost.term in _GIFTS and not any(each.sufficient for each in found):
            found.append(_gift(world, question, lost))
    return tuple(sorted(found, key=lambda each: (not each.sufficient, len(each.changes)))[:MAX_SUGGESTED])


def _fewer_fields(world: World, question: Question) -> Iterator[Suggestion]:
    """Suggest to ask only for the fields that a question without a list is told it has."""
    if question.fields is None or len(question.fields) < 2:
        return
    resource_type = world.types[question.type]
    open_question = decide(world, replace(question, fields=None))
    had = resource_type.names(open_question.allowed | open_question.masked)
    fewer = tuple(name for name in question.fields if name in had)
    if fewer and decide(world, replace(question, fields=fewer)).allows:
        missing = [name for name in question.fields if name not in had]
        yield Suggestion("fields", f"leave out {', '.join(missing)}", tuple({"field": name} for name in missing))


def _gift(world: World, question: Question, lost: Lost) -> Suggestion:
    """Suggest to give what the lost term lacks; enough if everything else holds without that term."""
    kind, text = _GIFTS[lost.term]
    said = text.format(who=lost.who, what=f"{question.action} on {question.type} {question.resource}")
    evaluation = Evaluation(world, question, world.types[question.type])
    others = (term for term in _formula(evaluation) if (term.name, term.who) != (lost.term, lost.who))
    sufficient = world.principals.get(lost.who) is not None and outcome(evaluation, others).allows
    return Suggestion(kind, said if sufficient else said + _STEP, sufficient=sufficient)


def _condition(world: World, question: Question, changes: tuple[Change, ...]) -> Suggestion:
    said = " and ".join(_said(each) for each in changes)
    changed = islice(_changed(question, changes), _MAX_ATTEMPTS)
    sufficient = any(decide(world, each).allows for each in changed)
    plain = tuple({"reference": each.reference, "needed": each.needed, "seen": each.seen} for each in changes)
    return Suggestion("condition", said if sufficient else said + _STEP, plain, sufficient)


def _said(change: Change) -> str:
    """Write a change; presence and absence have no value."""
    value = f" {change.needed['value']!r}" if "value" in change.needed else ""
    return f"{change.reference} {change.needed['op']}{value}"


def _changed(question: Question, changes: tuple[Change, ...]) -> Iterator[Question]:
    """Give the question with values that meet the changes; none where a change is not in the request's hands."""
    wanted: dict[str, list[Any]] = {}
    for change in changes:
        wanted.setdefault(change.reference, []).extend(_values(change.needed))
    for values in product(*wanted.values()):
        changed: Question | None = question
        for reference, value in zip(wanted, values, strict=True):
            changed = None if changed is None else _with(changed, reference, value)
        if changed is not None:
            yield changed


def _with(question: Question, reference: str, value: Any) -> Question | None:
    root, _, path = reference.partition(".")
    match root, path.split("."):
        case "resource", [name] if name not in {"type", "id"}:
            return replace(question, resource_properties={**question.resource_properties, name: value})
        case "subject", [name] if name not in BUILT_IN:
            return replace(question, subject_properties={**question.subject_properties, name: value})
        case "context", names:
            return replace(question, context=_placed(question.context, names, value))
        case "action", ["properties", *names] if names:
            return replace(question, action_properties=_placed(question.action_properties, names, value))
    return None


def _placed(holder: Any, names: list[str], value: Any) -> dict[str, Any]:
    """Put a value into nested objects; None takes it out."""
    first, *rest = names
    result = dict(holder) if isinstance(holder, Mapping) else {}
    if rest:
        result[first] = _placed(result.get(first), rest, value)
    elif value is None:
        result.pop(first, None)
    else:
        result[first] = value
    return result


def _values(needed: Mapping[str, Any]) -> Iterable[Any]:
    """Give values that may meet what a clause needs, the simplest first."""
    value = needed.get("value")
    match needed["op"]:
        case "absent":
            return (None,)
        case "present":
            return ("x", 1, 1.5, True)
        case "in":
            return value if isinstance(value, list) else ()
        case "contains":
            return (value, [value])
        case "in network":
            return (str(value).partition("/")[0],)
        case "<" | ">" | "!=" if isinstance(value, bool):
            return (not value,)
        case "<" | ">" | "!=" if isinstance(value, int | float):
            return (value + 1, value - 1)
        case "!=" | "not in" | "lacks" | "not contains" | "not startsWith" | "not endsWith" | "not in network":
            return ("", 0, "x", [])
    return (value,)
