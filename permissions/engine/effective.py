"""Effective access: what somebody can do at all, whatever is asked later: the terms of deciding, with the rest left open.

Of a question everything is fixed but the object, the context and the action's properties: what conditions say about those stays
as it is written. For each class of fields that the rules treat alike there are three conditions: on what it is allowed, on what
a person must approve it, and on what it is masked. Who asks for one field of the class is answered so, and not otherwise.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal, NamedTuple

from permissions.engine.authority import Candidate, Term, held, inactive, standing, terms
from permissions.engine.conditions import FALSE, TRUE, Node, Reference, all_of, any_of, negation
from permissions.engine.conditions.tree import walk
from permissions.engine.evaluate import refusal
from permissions.engine.explain import NEED
from permissions.engine.plan import Planner, classes_of
from permissions.engine.types import Entitlement, GuardrailFacts, Lost, Mode, Principal, Question, Rule, TypeFacts, World

LEFT_OPEN: Final = ("context", "action.properties")

Outcome = Literal["always", "depends", "never"]


class Source(NamedTuple):
    """One rule that offers something to a term: what it says, and whether it counts."""

    rule: Rule
    entitlement: Entitlement
    outcome: Outcome
    not_before: datetime | None = None
    until: datetime | None = None
    mode: int = Mode.ANY
    reason: str = ""
    """Why it never counts, where that lies in the rule's time or use."""


class TermAccess(NamedTuple):
    """One term of the formula: whether it stands in the way, and what it offers."""

    name: str
    who: str
    outcome: Outcome
    fields: tuple[str, ...]
    reason: str
    rule: Rule | None
    sources: tuple[Source, ...]
    until: datetime | None
    """When the last of what it offers is over; None where it has no end."""


class RailAccess(NamedTuple):
    """One guardrail over the action: whether it applies, and to which fields; ``whole`` where it is about the whole request."""

    rail: GuardrailFacts
    outcome: Outcome
    fields: tuple[str, ...]
    whole: bool


class FieldAccess(NamedTuple):
    """Fields that the rules treat alike, and on what they are had; no names stand for a type without fields."""

    fields: tuple[str, ...]
    allowed: Node
    escalated: Node
    masked: Node


@dataclass(frozen=True, slots=True)
class Access:
    """What one action on one type comes to: ``conditional`` and ``escalate`` are the best that can be answered."""

    type: str
    action: str
    effect: Literal["allow", "conditional", "escalate", "deny"]
    fields: tuple[FieldAccess, ...] = ()
    terms: tuple[TermAccess, ...] = ()
    rails: tuple[RailAccess, ...] = ()
    blocked: tuple[Lost, ...] = ()
    """Everything that alone is enough for a no, in the order of the formula."""
    until: datetime | None = None
    depends_on: tuple[str, ...] = ()
    """What was left open and is looked at: ``context.ip``, ``action.properties.amount``."""

    @property
    def lost(self) -> Lost | None:
        """The first that makes it a no."""
        return self.blocked[0] if self.blocked else None


def access(world: World, question: Question, *, left_open: tuple[str, ...] = LEFT_OPEN) -> Access:
    """Say what a subject's one action on one type comes to; the question's resource and properties are not looked at.

    ``left_open`` names what else is not: with nothing, the question's context and the properties of its action count.
    """
    lost = refusal(world, replace(question, fields=None))
    if lost is not None:
        return Access(question.type, question.action, "deny", blocked=(lost,))
    return _Reckoning(world, question, left_open).access()


class _Reckoning:
    """One action on one type on its way through the formula."""

    def __init__(self, world: World, question: Question, left_open: tuple[str, ...]) -> None:
        self.world = world
        self.question = question
        self.resource_type: TypeFacts = world.types[question.type]
        self.planner = Planner(world, question, left_open=left_open)
        self.wanted = self.resource_type.full
        self.formula = list(terms(world, question, self.resource_type))
        self.rails = world.guardrails_for(question.type, question.action)

    def access(self) -> Access:
        """Reckon everything."""
        classes = self._classes()
        groups = [self._group(field, members) for field, members in classes]
        judged = [self._term(term, classes) for term in self.formula]
        rails = tuple(self._rail(rail) for rail in self.rails)
        blocked = [Lost(each.name, each.who, each.reason) for each in judged if each.outcome == "never"]
        effect = _effect(groups)
        if effect == "deny":
            blocked += [
                Lost("guardrail", each.rail.id, each.rail.reason or f"the guardrail {each.rail.id} applies")
                for each in rails
                if each.outcome == "always" and each.rail.effect == "deny" and not each.rail.report_only
            ]
            blocked = blocked or [Lost("grants", self.question.subject, "what the terms leave never meets")]
        return Access(
            self.question.type,
            self.question.action,
            effect,
            tuple(groups),
            tuple(judged),
            rails,
            tuple(blocked),
            None if effect == "deny" else _earliest(each.until for each in judged),
            _open_references(groups),
        )

    def _classes(self) -> list[tuple[int, int]]:
        """Give one field of each class, and all fields that are treated like it."""
        masks = [entitlement.fields for term in self.formula for entitlement, _ in term.candidates or ()]
        masks += [term.mask for term in self.formula]
        masks += [scope for rail in self.rails if (scope := rail.scope(self.resource_type)) is not None]
        firsts = classes_of(self.wanted, masks)
        kinds = {tuple(bool(mask & field) for mask in masks): field for field in firsts}
        members = dict.fromkeys(firsts, 0)
        for bit in self.resource_type.bits.values() or (1,):
            members[kinds[tuple(bool(mask & bit) for mask in masks)]] |= bit
        return list(members.items())

    def _group(self, field: int, members: int) -> FieldAccess:
        left = all_of([self.planner.term(term, field) for term in self.formula])
        spared = {effect: all_of(self._spared(effect, field)) for effect in ("deny", "require_approval", "mask")}
        left = all_of((left, spared["deny"]))
        allowed = all_of((left, spared["require_approval"]))
        return FieldAccess(
            self.resource_type.names(members),
            allowed,
            all_of((left, negation(spared["require_approval"]))),
            all_of((allowed, negation(spared["mask"]))),
        )

    def _spared(self, effect: str, field: int) -> Iterator[Node]:
        for rail in self.rails:
            scope = rail.scope(self.resource_type)
            if rail.effect == effect and not rail.report_only and (scope is None or scope & field):
                yield self.planner.spared(rail)

    def _term(self, term: Term, classes: Sequence[tuple[int, int]]) -> TermAccess:
        nodes = [self.planner.term(term, field) for field, _ in classes]
        outcome = _outcome(any_of(nodes))
        fields = 0
        for node, (_, members) in zip(nodes, classes, strict=True):
            fields |= members if node != FALSE else 0
        sources = (*(self._source(each, term) for each in term.candidates or ()), *self._out_of_time(term))
        reason = ""
        if outcome == "never":
            what = f"{self.question.action} on {self.question.type}"
            reason = term.fault or (
                f"nothing that {term.who} holds for {what} can cover anything"
                if term.candidates
                else f"{term.who} holds nothing for {what}"
            )
        return TermAccess(
            term.name,
            term.who,
            outcome,
            self.resource_type.names(fields),
            reason,
            term.rule,
            sources,
            self._until(term, sources),
        )

    def _source(self, candidate: Candidate, term: Term) -> Source:
        entitlement, rule = candidate
        node = self.planner.candidate(candidate) if entitlement.fields & self.wanted else FALSE
        not_before, until, mode = self._window(rule, term)
        return Source(rule, entitlement, _outcome(node), not_before, until, mode)

    def _window(self, rule: Rule, term: Term) -> tuple[datetime | None, datetime | None, int]:
        """Look up from when to when, and for what use, a rule put something into the hands of a term's principal."""
        for found, _, mode, not_before, until in self._holdings(term):
            if found == rule:
                return not_before, until, mode
        return None, None, Mode.ANY

    def _holdings(self, term: Term) -> Iterator[tuple[Rule, Entitlement, int, datetime | None, datetime | None]]:
        """List what the principal of a term holds for this action, whether or not it counts now."""
        principal = self.world.principals.get(term.who)
        if principal is None:
            return
        keys = ((self.question.type, self.question.action), (self.question.type, "*"))
        if term.name == "delegation":
            yield from self._delegations(principal)
        elif term.name in NEED:
            grants, assignments = held(self.world, principal)
            for index in grants:
                for key in keys:
                    for entitlement, mode, not_before, until, rule in index.get(key, ()):
                        yield rule, entitlement, mode, not_before, until
            for each in assignments:
                role = self.world.roles.get(each.role, {})
                for key in keys:
                    for entitlement in role.get(key, ()):
                        yield each.rule, entitlement, each.mode, each.not_before, each.until

    def _delegations(self, delegator: Principal) -> Iterator[tuple[Rule, Entitlement, int, datetime | None, datetime | None]]:
        for given in delegator.delegations.values():
            for holding, _ in given:
                yield holding.rule, holding.entitlement, holding.mode, holding.not_before, holding.until

    def _out_of_time(self, term: Term) -> Iterator[Source]:
        """List what is in somebody's hands and does not count now, or not for this use."""
        need = NEED.get(term.name)
        for rule, entitlement, mode, not_before, until in self._holdings(term) if need is not None else ():
            why = standing(mode, not_before, until, need or Mode.ANY, self.question.now)
            if why:
                yield Source(rule, entitlement, "never", not_before, until, mode, f"it {why}")

    def _until(self, term: Term, sources: Iterable[Source]) -> datetime | None:
        """Say when a term's last source is over, or before that the principal itself."""
        ends = [each.until for each in sources if each.outcome != "never"]
        last = None if None in ends else max((each for each in ends if each is not None), default=None)
        principal = self.world.principals.get(term.who)
        own = None if principal is None or inactive(principal, self.question.now) else principal.until
        return _earliest((last, own, self._until_of_rule(term)))

    def _until_of_rule(self, term: Term) -> datetime | None:
        principal = self.world.principals.get(term.who)
        if principal is None:
            return None
        if term.name == "trust" and principal.partner is not None:
            trust = self.world.trusts.get(principal.partner)
            return None if trust is None else trust.until
        if term.name == "consent":
            acting = self.question.delegation[0] if self.question.delegation else self.question.subject
            given = [each for each in principal.consents.get(acting.partition("/")[2], ()) if each.type == self.question.type]
            ends = [each.until for each in given if each.actions is None or self.question.action in each.actions]
            return None if None in ends else max((each for each in ends if each is not None), default=None)
        if term.name == "task":
            runs = self.world.runs.get((term.who, self.question.task_id), ())
            ends = [each.until for each in runs]
            return None if None in ends else max((each for each in ends if each is not None), default=None)
        return None

    def _rail(self, rail: GuardrailFacts) -> RailAccess:
        scope = rail.scope(self.resource_type)
        outcome: Outcome = _outcome(negation(self.planner.spared(rail)))
        if scope is not None and not scope & self.wanted:
            outcome = "never"
        fields = self.resource_type.names(self.wanted if scope is None else scope)
        return RailAccess(rail, outcome, fields, whole=scope is None)


def _outcome(node: Node) -> Outcome:
    if node == TRUE:
        return "always"
    return "never" if node == FALSE else "depends"


def _effect(groups: Iterable[FieldAccess]) -> Literal["allow", "conditional", "escalate", "deny"]:
    found = list(groups)
    if any(each.allowed == TRUE for each in found):
        return "allow"
    if any(each.allowed != FALSE for each in found):
        return "conditional"
    return "escalate" if any(each.escalated != FALSE for each in found) else "deny"


def _earliest(instants: Iterable[datetime | None]) -> datetime | None:
    return min((each for each in instants if each is not None), default=None)


def _open_references(groups: Iterable[FieldAccess]) -> tuple[str, ...]:
    nodes = [node for each in groups for node in (each.allowed, each.escalated, each.masked)]
    found = {".".join((each.root, *each.path)) for node in nodes for each in walk(node) if isinstance(each, Reference)}
    return tuple(sorted(found))
