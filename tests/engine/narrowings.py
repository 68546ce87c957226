"""Every way to take one thing away from an organization: end it, drop it, make it smaller."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from permissions.engine.types import (
    Assignment,
    BlueprintFacts,
    Ceiling,
    ConsentFacts,
    DelegationFacts,
    Entitlement,
    GuardrailFacts,
    Holding,
    Mode,
    Principal,
    Rule,
    RunFacts,
    TrustFacts,
    World,
)
from tests.engine.scenes import NOW, cel

NEVER = cel("false")
EUROPE = cel('resource.region == "EU"')
NOTHING = Ceiling({})


def narrowed(world: World) -> Iterator[World]:
    """Give every world in which one thing less stands."""
    yield replace(world, inactive="is suspended")
    for effect in ("deny", "require_approval", "mask"):
        for fields in (None, frozenset({"email"})):
            added = GuardrailFacts("added", effect, Rule("guardrail", "added"), fields=fields)
            yield replace(world, guardrails=(*world.guardrails, added))
    for name, smaller in MEMBERS.items():
        members: dict[Any, Any] = getattr(world, name)
        for key, value in members.items():
            for less in smaller(value):
                changes: dict[str, Any] = {name: {**members, key: less}}
                yield replace(world, **changes)


def _one_less(items: tuple[Any, ...], smaller: Any) -> Iterator[tuple[Any, ...]]:
    for position, item in enumerate(items):
        before, after = items[:position], items[position + 1 :]
        yield (*before, *after)
        for each in smaller(item):
            yield (*before, each, *after)


def _indexes(index: Mapping[Any, tuple[Any, ...]], smaller: Any) -> Iterator[dict[Any, tuple[Any, ...]]]:
    for key, items in index.items():
        for less in _one_less(items, smaller):
            yield {**index, key: less}


def _entitlements(entitlement: Entitlement) -> Iterator[Entitlement]:
    for bit in (1, 2, 4):
        yield replace(entitlement, fields=entitlement.fields & ~bit)
    for name in ("where", "when"):
        if getattr(entitlement, name) is None:
            for condition in (NEVER, EUROPE):
                changes: dict[str, Any] = {name: condition}
                yield replace(entitlement, **changes)
    if entitlement.resource is None:
        yield replace(entitlement, resource="r1")
    if entitlement.subtree is None:
        yield replace(entitlement, subtree=("folder", "f2"))


def _holdings(holding: Holding) -> Iterator[Holding]:
    yield holding._replace(until=NOW)
    for mode in (Mode.USE, Mode.DELEGATE, Mode(0)):
        yield holding._replace(mode=holding.mode & mode)
    for entitlement in _entitlements(holding.entitlement):
        yield holding._replace(entitlement=entitlement)


def _assignments(assignment: Assignment) -> Iterator[Assignment]:
    yield assignment._replace(until=NOW)
    for mode in (Mode.USE, Mode.DELEGATE):
        yield assignment._replace(mode=assignment.mode & mode)


def _ceilings(ceiling: Ceiling | None) -> Iterator[Ceiling]:
    yield NOTHING
    if ceiling is None:
        yield Ceiling({("record", "*"): 2})
        return
    for key, mask in ceiling.allowed.items():
        yield Ceiling({**ceiling.allowed, key: mask & ~1})


def _principals(principal: Principal) -> Iterator[Principal | None]:
    yield None
    yield replace(principal, inactive="is suspended")
    yield replace(principal, until=NOW)
    yield from _held(principal)
    for consents in _indexes(principal.consents, _consents):
        yield replace(principal, consents=consents)
    for delegations in _indexes(principal.delegations, _delegations):
        yield replace(principal, delegations=delegations)
    if principal.teams:
        yield replace(principal, teams=principal.teams[1:])
    if principal.kind == "agent":
        for limit in _ceilings(principal.capabilities):
            yield replace(principal, capabilities=limit)
        if principal.parent is None and principal.id == "d":
            yield replace(principal, parent="agent/a")
        if principal.partner is None:
            yield replace(principal, partner="globex")


def _consents(consent: ConsentFacts) -> Iterator[ConsentFacts]:
    yield consent._replace(until=NOW)
    yield consent._replace(fields=consent.fields & ~2)
    yield consent._replace(actions=frozenset())
    if not consent.purpose:
        yield consent._replace(purpose="ads")
    if not consent.task:
        yield consent._replace(task="another")


def _delegations(delegation: DelegationFacts) -> Iterator[DelegationFacts]:
    yield delegation._replace(depth=delegation.depth - 1)
    for holding in _holdings(delegation.holding):
        yield delegation._replace(holding=holding)


def _trusts(trust: TrustFacts) -> Iterator[TrustFacts]:
    yield trust._replace(agreed=False)
    yield trust._replace(until=NOW)
    yield trust._replace(agents=frozenset())
    yield trust._replace(fields={name: mask & ~1 for name, mask in (trust.fields or {}).items()})


def _runs(run: RunFacts) -> Iterator[RunFacts]:
    yield run._replace(until=NOW)
    for limit in _ceilings(run.allows):
        yield run._replace(allows=limit)
    if run.on_behalf_of is None:
        yield run._replace(on_behalf_of="user/carol")


def _held(facts: Any) -> Iterator[Any]:
    for grants in _indexes(facts.grants, _holdings):
        yield replace(facts, grants=grants)
    for assignments in _one_less(facts.assignments, _assignments):
        yield replace(facts, assignments=assignments)


def _blueprints(blueprint: BlueprintFacts) -> Iterator[BlueprintFacts]:
    for limit in _ceilings(blueprint.ceiling):
        yield replace(blueprint, ceiling=limit)
    for roles in _one_less(blueprint.roles, _assignments):
        yield replace(blueprint, roles=roles)


def _all_runs(runs: tuple[RunFacts, ...]) -> Iterator[tuple[RunFacts, ...]]:
    """End or narrow a run; that there was one is never forgotten."""
    for position, run in enumerate(runs):
        for less in _runs(run):
            yield (*runs[:position], less, *runs[position + 1 :])


MEMBERS: dict[str, Callable[[Any], Iterator[Any]]] = {
    "principals": _principals,
    "roles": lambda role: _indexes(role, _entitlements),
    "blueprints": _blueprints,
    "teams": _held,
    "trusts": _trusts,
    "runs": _all_runs,
}
