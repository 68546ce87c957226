"""The authority formula as a list of terms: whatever acts holds what every single term leaves it.

    authority = the agent's own grants (direct and through roles)
              ∩ its blueprint's and its own declared ceiling
              ∩ its parent's authority, up to the root                 (if spawned)
              ∩ the user's consent ∩ the user's own authority           (if on behalf of a user)
              ∩ the delegation ∩ the delegator's authority, link by link (if delegated)
              ∩ the trust between the organizations                     (if from a partner)
              ∩ what the task allows                                    (if the run is bound to a task)
              ∩ what the token was issued for                           (if it is asked with one)

A term is lost at once (``fault``), limits the fields whatever the object (``mask``), or offers candidates: entitlements of
which at least one must cover the object in this situation.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias

from permissions.engine.types import (
    Assignment,
    Ceiling,
    Entitlement,
    Index,
    Mode,
    Principal,
    Question,
    Ref,
    Rule,
    RunFacts,
    TypeFacts,
    World,
)

MAX_GENERATIONS: Final = 32


Candidate: TypeAlias = tuple[Entitlement, Rule]
"""An entitlement that could cover the object, and the rule that put it into somebody's hands."""


class Term(NamedTuple):
    """One term of the formula for one principal."""

    name: str
    who: Ref
    fault: str = ""
    mask: int = -1
    candidates: tuple[Candidate, ...] | None = None
    rule: Rule | None = None


def standing(mode: int, not_before: datetime | None, until: datetime | None, need: int, now: datetime) -> str:
    """Say why a holding does not count now; empty when it does."""
    if not mode & need:
        return "may not be handed on" if need == Mode.DELEGATE else "may be handed on, not used"
    if not_before is not None and now < not_before:
        return f"starts at {not_before.isoformat()}"
    if until is not None and now >= until:
        return f"ended at {until.isoformat()}"
    return ""


def held(world: World, principal: Principal) -> tuple[list[Index], tuple[Assignment, ...]]:
    """Collect what is in somebody's hands, whether or not it counts now: their own, their blueprint's, their teams'."""
    grants = [principal.grants] if principal.grants else []
    assignments = principal.assignments
    blueprint = world.blueprints.get(principal.blueprint) if principal.blueprint is not None else None
    if blueprint is not None:
        assignments += blueprint.roles
    for name in principal.teams:
        team = world.teams.get(name)
        if team is not None:
            grants.append(team.grants)
            assignments += team.assignments
    return grants, assignments


def candidates(world: World, principal: Principal, key: tuple[str, str], need: int, now: datetime) -> tuple[Candidate, ...]:
    """List what a principal holds now for one type and action: directly, through roles, teams and its blueprint."""
    grants, assignments = held(world, principal)
    keys = (key, (key[0], "*"))
    found: list[Candidate] = []
    for index in grants:
        for wanted in keys:
            for entitlement, mode, not_before, until, rule in index.get(wanted, ()):
                if mode & need and (until is None or now < until) and (not_before is None or now >= not_before):
                    found.append((entitlement, rule))
    for name, mode, not_before, until, rule in assignments:
        role = world.roles.get(name)
        if role and mode & need and (until is None or now < until) and (not_before is None or now >= not_before):
            for wanted in keys:
                for entitlement in role.get(wanted, ()):
                    found.append((entitlement, rule))  # noqa: PERF401  (a comprehension costs more on short lists)
    return tuple(found)


def inactive(principal: Principal | None, now: datetime) -> str:
    """Say why a principal may not act at all; empty when it may."""
    if principal is None:
        return "is unknown"
    if principal.inactive:
        return principal.inactive
    if principal.until is not None and now >= principal.until:
        return f"expired at {principal.until.isoformat()}"
    return ""


def _ceiling(ceiling: Ceiling, name: str, who: Ref, question: Question) -> Term:
    mask = ceiling.mask(question.type, question.action)
    fault = "" if mask else f"{question.action} on {question.type} is beyond the ceiling"
    return Term(name, who, fault, mask)


def _trust(world: World, principal: Principal, partner: str, question: Question) -> Term:
    who = principal.ref
    trust = world.trusts.get(partner)
    if trust is None or not trust.agreed:
        return Term("trust", who, "there is no trust that both organizations agreed to")
    fault, mask = "", -1
    if trust.until is not None and question.now >= trust.until:
        fault = f"the trust ended at {trust.until.isoformat()}"
    elif trust.agents is not None and principal.id not in trust.agents:
        fault = "the trust does not name this agent"
    elif trust.fields is not None:
        mask = trust.fields.get(question.type, 0)
        fault = "" if mask else f"the trust does not cover {question.type}"
    return Term("trust", who, fault, mask, None, trust.rule)


def _own(world: World, principal: Principal, question: Question, need: int, name: str) -> Iterator[Term]:
    """Give the terms of one agent, its ancestors left out: what it holds, its ceilings, the trust."""
    who = principal.ref
    key = (question.type, question.action)
    yield Term(name, who, "", -1, candidates(world, principal, key, need, question.now))
    if principal.blueprint is not None:
        blueprint = world.blueprints.get(principal.blueprint)
        if blueprint is None:
            yield Term("blueprint", who, f"the blueprint {principal.blueprint} is unknown")
        elif blueprint.ceiling is not None:
            yield _ceiling(blueprint.ceiling, "blueprint", who, question)
    if principal.capabilities is not None:
        yield _ceiling(principal.capabilities, "capabilities", who, question)
    if principal.partner is not None:
        yield _trust(world, principal, principal.partner, question)


def _ancestors(world: World, principal: Principal, question: Question) -> Iterator[Term]:
    ref = principal.parent
    for _ in range(MAX_GENERATIONS):
        if ref is None:
            return
        parent = world.principals.get(ref)
        fault = inactive(parent, question.now)
        if fault or parent is None:
            yield Term("parent", ref, f"{ref} {fault}")
            return
        yield from _own(world, parent, question, Mode.ANY, "parent")
        ref = parent.parent
    if ref is not None:
        yield Term("parent", ref, f"there are more than {MAX_GENERATIONS} generations above the agent")


def purpose(world: World, question: Question) -> str:
    """Say what the task is for: what the question claims, else what the run on the task was started for."""
    if question.task_purpose or not question.task_id:
        return question.task_purpose
    runs = world.runs.get((question.subject, question.task_id))
    return runs[-1].purpose if runs else ""


def _consent(world: World, user: Principal, agent: Ref, question: Question, resource_type: TypeFacts) -> Term:
    mask, given, reason = 0, None, f"{user.ref} gave no consent to {agent}"
    task_purpose = purpose(world, question)
    for consent in user.consents.get(agent.partition("/")[2], ()):
        fault = standing(Mode.USE, consent.not_before, consent.until, Mode.USE, question.now)
        if fault:
            reason = f"the consent {fault}"
        elif consent.type != question.type or (consent.actions is not None and question.action not in consent.actions):
            reason = f"the consent does not cover {question.action} on {question.type}"
        elif consent.task and (consent.task != question.task_id or question.delegation):
            # Whoever it is handed on to works on a task of its own, which no run of this agent limits.
            reason = f"the consent is for the task {consent.task} of {agent} alone"
        elif consent.purpose and consent.purpose != task_purpose:
            named = f"the task is for {task_purpose}" if task_purpose else "no task with a purpose was named"
            reason = f"the consent is for {consent.purpose}, {named}"
        elif not consent.fields & resource_type.full:
            reason = f"the consent covers no field of {question.type}"
        else:
            mask |= consent.fields
            given = consent.rule
    return Term("consent", user.ref, "" if mask else reason, mask, None, given)


def _user(world: World, question: Question, ref: Ref, agent: Ref, resource_type: TypeFacts) -> Iterator[Term]:
    user = world.principals.get(ref)
    fault = inactive(user, question.now)
    if fault or user is None:
        yield Term("user", ref, f"{ref} {fault}")
        return
    yield _consent(world, user, agent, question, resource_type)
    found = candidates(world, user, (question.type, question.action), Mode.USE, question.now)
    yield Term("user", ref, "", -1, found)


def _delegation(principal: Principal, delegate: Ref, links: int, question: Question) -> Term:
    found: list[Candidate] = []
    reason = f"{principal.ref} does not delegate to {delegate}"
    for (entitlement, mode, not_before, until, rule), depth in principal.delegations.get(delegate.partition("/")[2], ()):
        fault = standing(mode, not_before, until, Mode.USE, question.now)
        if fault:
            reason = f"the delegation {fault}"
        elif depth < links:
            reason = f"the delegation allows {depth} further agents in a row, the chain has {links}"
        elif entitlement.type != question.type or not entitlement.covers(question.action):
            reason = f"the delegation does not cover {question.action} on {question.type}"
        else:
            found.append((entitlement, rule))
    return Term("delegation", principal.ref, "" if found else reason, -1, tuple(found))


def _link(world: World, question: Question, delegator: Ref, delegate: Ref, links: int) -> Iterator[Term]:
    """Give the terms of one link: the delegation, and the authority of the one who delegates, with its ancestors."""
    principal = world.principals.get(delegator)
    fault = inactive(principal, question.now)
    if fault or principal is None:
        yield Term("delegator", delegator, f"{delegator} {fault}")
        return
    yield _delegation(principal, delegate, links, question)
    yield from _own(world, principal, question, Mode.DELEGATE, "delegator")
    yield from _ancestors(world, principal, question)


def _run_fault(run: RunFacts, question: Question) -> str:
    task = f"the task {run.task_id}"
    if question.now < run.started_at:
        return f"{task} has not started"
    if run.until is not None and question.now >= run.until:
        return f"{task} has ended"
    if run.on_behalf_of is not None and run.on_behalf_of != question.on_behalf_of:
        return f"{task} is for {run.on_behalf_of}"
    if question.task_purpose and run.purpose and run.purpose != question.task_purpose:
        return f"{task} is for {run.purpose}"
    if run.allows is not None and not run.allows.mask(question.type, question.action):
        return f"{task} does not allow {question.action} on {question.type}"
    return ""


def _task(runs: tuple[RunFacts, ...], question: Question) -> Term:
    """Join what the runs on the task allow now: ending one of them never gives more than there was."""
    mask, reason, rule = 0, "", runs[-1].rule
    for run in runs:
        fault = _run_fault(run, question)
        if fault:
            reason = fault
        else:
            mask |= -1 if run.allows is None else run.allows.mask(question.type, question.action)
            rule = run.rule
    return Term("task", question.subject, "" if mask else reason, mask, None, rule)


def _token(within: tuple[Entitlement, ...], question: Question) -> Term:
    found = tuple((each, each.rule) for each in within if each.type == question.type and each.covers(question.action))
    reason = "" if found else f"the token was not issued for {question.action} on {question.type}"
    return Term("token", question.subject, reason, -1, found)


def terms(world: World, question: Question, resource_type: TypeFacts) -> Iterator[Term]:
    """List the terms of the formula for one question, those that are lost outright included, in the order of the formula."""
    ref = question.subject
    subject = world.principals.get(ref)
    fault = inactive(subject, question.now)
    if fault or subject is None:
        yield Term("subject", ref, f"{ref} {fault}")
        return
    user, chain = question.on_behalf_of, question.delegation
    if subject.kind == "user":
        if user is not None or chain:
            yield Term("subject", ref, "a person acts in their own name only")
        else:
            yield Term(
                "grants", ref, "", -1, candidates(world, subject, (question.type, question.action), Mode.USE, question.now)
            )
        return
    if question.within is not None:
        yield _token(question.within, question)
    yield from _own(world, subject, question, Mode.USE, "grants")
    if subject.parent is not None:
        yield from _ancestors(world, subject, question)
    if user is not None:
        yield from _user(world, question, user, chain[0] if chain else ref, resource_type)
    for position, delegator in enumerate(chain):
        delegate = chain[position + 1] if position + 1 < len(chain) else ref
        yield from _link(world, question, delegator, delegate, len(chain) - position)
    runs = world.runs.get((ref, question.task_id)) if question.task_id else None
    if runs:
        yield _task(runs, question)
