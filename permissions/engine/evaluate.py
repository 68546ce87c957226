"""One question, one answer: every term of the authority formula must cover it, then guardrails narrow it.

Default deny, then deny > escalate > mask > allow. An error in a condition makes a grant not apply and a guardrail apply, and
the answer names the error. A request that lists fields is allowed only if all of them are; one that lists none is told which it
has, and has nothing at all when no field is left.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from permissions.engine.attributes import merged
from permissions.engine.authority import Candidate, Term, purpose, terms
from permissions.engine.conditions import Condition, EvaluationError, Situation
from permissions.engine.types import (
    Decision,
    Effect,
    Entitlement,
    Failure,
    GuardrailFacts,
    Lost,
    Question,
    ResourceFacts,
    ResourceKey,
    Rule,
    TypeFacts,
    World,
)

_NOTHING: Final = ResourceFacts(type="", id="")
_OF_CHAIN: Final = frozenset({"risk", "signs"})
BUILT_IN: Final = frozenset({"type", "id", "kind", "name", "email", "teams"})


class Evaluation:
    """One question on its way through the formula: the situation is made once, errors are collected."""

    __slots__ = ("_situation", "failures", "question", "resource", "resource_type", "wanted", "world")

    def __init__(self, world: World, question: Question, resource_type: TypeFacts) -> None:
        self.world = world
        self.question = question
        self.resource_type = resource_type
        self.resource = world.resources.get((question.type, question.resource)) or _NOTHING
        self.wanted = resource_type.mask(question.fields) if question.fields else resource_type.full
        self.failures: list[Failure] = []
        self._situation: Situation | None = None

    @property
    def situation(self) -> Situation:
        """The eight variables that conditions can use."""
        if self._situation is None:
            question = self.question
            attributes = merged(self.resource_type.attributes, self.resource.attributes, question.resource_properties)
            attributes["type"] = question.type
            attributes["id"] = question.resource
            self._situation = situation_of(self.world, question, attributes)
        return self._situation

    def holds(self, condition: Condition, rule: Rule) -> bool | None:
        """Evaluate a condition; None stands for an error, which is noted."""
        try:
            return condition.holds(self._situation or self.situation)
        except EvaluationError as error:
            self.failures.append(Failure(rule, str(error)))
            return None

    def within(self, key: ResourceKey) -> bool:
        """Tell whether the object is that resource or lies in its subtree; a parent that is sent goes before the stored one."""
        question = self.question
        if (question.type, question.resource) == key:
            return True
        sent = question.resource_properties.get("parent")
        if sent is None:
            return key in self.resource.ancestors
        parent = _key_of(sent)
        if parent is None or parent == key:
            return parent is not None
        stored = self.world.resources.get(parent)
        return stored is not None and key in stored.ancestors

    def selects(self, entitlement: Entitlement) -> bool:
        """Tell whether the object is one that the entitlement names."""
        if entitlement.resource is not None and entitlement.resource != self.question.resource:
            return False
        return entitlement.subtree is None or self.within(entitlement.subtree)

    def covers(self, candidate: Candidate) -> bool:
        """Tell whether an entitlement covers the object in this situation; an error covers nothing."""
        entitlement, rule = candidate
        return (
            self.selects(entitlement)
            and (entitlement.where is None or self.holds(entitlement.where, rule) is True)
            and (entitlement.when is None or self.holds(entitlement.when, rule) is True)
        )

    def term_mask(self, term: Term, rules: list[Rule]) -> int:
        """Compute which of the wanted fields one term leaves, and note the rules through which; stops when it leaves all."""
        _, _, fault, mask, candidates, rule = term
        if fault:
            return 0
        if rule is not None:
            rules.append(rule)
        if candidates is None:
            return mask & self.wanted
        missing = self.wanted
        for candidate in candidates:
            if candidate[0].fields & missing and self.covers(candidate):
                missing &= ~candidate[0].fields
                rules.append(candidate[1])
                if not missing:
                    break
        return self.wanted & ~missing

    def suffices(self, mask: int) -> bool:
        """Tell whether these fields are enough: all that were listed, or any where none were."""
        return mask == self.wanted if self.question.fields else mask != 0

    def applies(self, rail: GuardrailFacts) -> bool:
        """Tell whether a guardrail's condition holds; an error does."""
        return rail.when is None or self.holds(rail.when, rail.rule) is not False

    def shortfall(self, term: Term, left: int) -> str:
        """Say in what a term falls short of the fields that the terms before it left."""
        if term.fault:
            return term.fault
        question = self.question
        needed = self.wanted if question.fields else left
        if term.candidates is None:
            missing = self.resource_type.names(needed & ~term.mask)
            return f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not within the {term.name} of {term.who}"
        what = f"{question.action} on {question.type}"
        if not term.candidates:
            return f"{term.who} holds nothing for {what}"
        offered = 0
        for entitlement, _ in term.candidates:
            offered |= entitlement.fields
        if not self.suffices(needed & offered):
            return f"{term.who} does not have the field {', '.join(self.resource_type.names(needed & ~offered))}"
        return f"nothing that {term.who} holds for {what} covers {question.resource} in this situation"


def situation_of(world: World, question: Question, resource: dict[str, Any]) -> Situation:
    """Lay out what conditions see; of a row that is not known yet, only what is the same for all rows is given."""
    subject = world.principals.get(question.subject)
    known: Mapping[str, Any] | None = None if subject is None else subject.view
    if known is not None and question.delegation:
        known = _with_delegators(world, question, known)
    view = known or {}
    if question.subject_properties:
        view = {**view, **{name: value for name, value in question.subject_properties.items() if name not in BUILT_IN}}
    agent: Mapping[str, Any] | None = None
    user: Mapping[str, Any] | None = view
    if subject is not None and subject.kind == "agent":
        on_behalf_of = world.principals.get(question.on_behalf_of) if question.on_behalf_of is not None else None
        agent, user = known, None if on_behalf_of is None else on_behalf_of.view
    return Situation(
        view,
        agent,
        user,
        resource,
        {"name": question.action, "properties": question.action_properties},
        question.context,
        {"id": question.task_id, "purpose": purpose(world, question)} if question.task_id else None,
        question.now,
    )


def _with_delegators(world: World, question: Question, known: Mapping[str, Any]) -> Mapping[str, Any]:
    """Let the worst risk of a chain be that of whoever acts in it; where one is not known, none is, and guardrails hold."""
    views = [known, *(facts.view for ref in question.delegation if (facts := world.principals.get(ref)) is not None)]
    if not all("risk" in each for each in views):
        return {name: value for name, value in known.items() if name not in _OF_CHAIN}
    signs: set[str] = set().union(*(each["signs"] for each in views))
    return {**known, "risk": max(each["risk"] for each in views), "signs": sorted(signs)}


def _key_of(parent: Any) -> ResourceKey | None:
    if isinstance(parent, Mapping) and isinstance(parent.get("type"), str) and isinstance(parent.get("id"), str):
        return parent["type"], parent["id"]
    return None


def refusal(world: World, question: Question) -> Lost | None:
    """Say what makes the question unanswerable by any grant: the organization, the type, the action, a field."""
    if world.inactive:
        return Lost("organization", world.organization, f"the organization {world.inactive}")
    resource_type = world.types.get(question.type)
    if resource_type is None:
        return Lost(
            "resource_type", question.type, f"the resource type {question.type} is unknown to the caller's organization"
        )
    if question.action not in resource_type.actions:
        return Lost("action", question.action, f"{question.type} declares no action {question.action}")
    for name in question.fields or ():
        if name not in resource_type.bits:
            return Lost("fields", name, f"{question.type} declares no field {name}")
    return None


def decide(world: World, question: Question) -> Decision:
    """Answer one question. Costs no I/O; the parts of the world that the question names must be loaded."""
    lost = refusal(world, question)
    if lost is not None:
        return Decision(Effect.DENY, lost)
    resource_type = world.types[question.type]
    return outcome(Evaluation(world, question, resource_type), terms(world, question, resource_type))


def outcome(evaluation: Evaluation, formula: Iterable[Term]) -> Decision:
    """Join the terms of a formula until one is lost, then apply the guardrails."""
    left = evaluation.wanted
    rules: list[Rule] = []
    for term in formula:
        mask = left & evaluation.term_mask(term, rules)
        if not evaluation.suffices(mask):
            lost = Lost(term.name, term.who, evaluation.shortfall(term, left))
            return Decision(Effect.DENY, lost, (), 0, 0, evaluation.wanted, tuple(evaluation.failures))
        left = mask
    question = evaluation.question
    rails = evaluation.world.guardrails_for(question.type, question.action)
    if not rails:
        denied = 0 if question.fields else evaluation.resource_type.full & ~left
        return Decision(Effect.ALLOW, None, tuple(rules), left, 0, denied, tuple(evaluation.failures))
    return _narrowed(evaluation, rails, left, rules)


def _narrowed(evaluation: Evaluation, rails: tuple[GuardrailFacts, ...], granted: int, rules: list[Rule]) -> Decision:
    """Take away what guardrails take: a request is refused when too little is left, by the strictest that leave too little."""
    reported: list[Rule] = []
    applying: dict[str, list[GuardrailFacts]] = {"deny": [], "require_approval": [], "mask": []}
    taken = dict.fromkeys(applying, 0)
    for rail in rails:
        scope = rail.scope(evaluation.resource_type)
        hit = granted if scope is None else granted & scope
        if hit and evaluation.applies(rail):
            if rail.report_only:
                reported.append(rail.rule)
            else:
                applying[rail.effect].append(rail)
                taken[rail.effect] |= hit
    left = granted
    failures = tuple(evaluation.failures)
    for kind, effect in (("deny", Effect.DENY), ("require_approval", Effect.ESCALATE)):
        left &= ~taken[kind]
        if not evaluation.suffices(left):
            deciding = sorted(applying[kind], key=lambda rail: rail.id)
            lost = Lost("guardrail", deciding[0].id, deciding[0].reason or f"the guardrail {deciding[0].id} applies")
            return Decision(
                effect, lost, tuple(rail.rule for rail in deciding), 0, 0, evaluation.wanted, failures, tuple(reported)
            )
    masked = left & taken["mask"]
    denied = 0 if evaluation.question.fields else evaluation.resource_type.full & ~left
    said = (*rules, *(rail.rule for rail in applying["mask"]))
    return Decision(Effect.ALLOW, None, said, left & ~masked, masked, denied, failures, tuple(reported))
