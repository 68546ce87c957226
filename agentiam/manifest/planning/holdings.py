"""What has no id of its own: assignments, grants, consents and delegations are known by what they say.

One that says something else is ended, and given anew; so the record tells what was held when.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from msgspec.structs import replace

from agentiam.manifest import documents
from agentiam.manifest.mistakes import Path
from agentiam.manifest.planning.changes import Hand, Phase, Plan, created, differences
from agentiam.manifest.planning.roles import entitlement_spec
from agentiam.manifest.present import instants_ahead
from agentiam.manifest.settling import (
    content,
    settled_assignment,
    settled_consent,
    settled_delegation,
    settled_grant,
)
from directory.models import Agent
from permissions.services.consents import end_consent, give_consent
from permissions.services.delegations import delegate, end_delegation
from permissions.services.grants import Terms, assign_role, end_assignment, end_grant, give_grant

P = TypeVar("P", bound=documents.Part)


@dataclass(frozen=True, slots=True)
class _Kind:
    """How one section is settled, named, given and ended; ``loose`` are the fields that do not tell two of them apart."""

    section: str
    noun: str
    settle: Callable[[Any], Any]
    loose: dict[str, Any]
    name: Callable[[Any], str]
    give: Callable[[Any, Hand], None]
    end: Callable[[Any, Hand], None]


def plan_assignments(plan: Plan, wanted: Sequence[documents.Assignment]) -> None:
    """Plan to assign roles and to end assignments."""
    loose = {"start": None, "until": None, "reason": ""}
    _plan(
        plan,
        wanted,
        _Kind("assignments", "assignment", settled_assignment, loose, lambda a: f"{a.to} {a.role}", _assign, _end_assignment),
    )


def plan_grants(plan: Plan, wanted: Sequence[documents.Grant]) -> None:
    """Plan to give and to end grants."""
    loose = {"start": None, "until": None, "reason": ""}
    _plan(plan, wanted, _Kind("grants", "grant", settled_grant, loose, _grant_name, _give_grant, _end_grant))


def plan_consents(plan: Plan, wanted: Sequence[documents.Consent]) -> None:
    """Plan to take over what users consented to, and to end consents."""
    name = _consent_name
    _plan(plan, wanted, _Kind("consents", "consent", settled_consent, {"until": None}, name, _give_consent, _end_consent))


def plan_delegations(plan: Plan, wanted: Sequence[documents.Delegation]) -> None:
    """Plan to let agents act for one another, and to end that."""
    loose = {"until": None, "reason": "", "depth": 1}
    kind = _Kind("delegations", "delegation", settled_delegation, loose, _delegation_name, _delegate, _end_delegation)
    _plan(plan, wanted, kind)


def _plan(plan: Plan, wanted: Sequence[Any], kind: _Kind) -> None:
    parts = _settled(plan, wanted, kind)
    present: dict[bytes, Any] = getattr(plan.present, kind.section)
    extra: dict[bytes, list[bytes]] = defaultdict(list)
    for key, part in present.items():
        if key not in parts:
            extra[content(replace(part, **kind.loose))].append(key)
    for key, (index, part) in parts.items():
        if key in present:
            continue
        path: Path = (kind.section, index)
        same = extra[content(replace(part, **kind.loose))]
        if same:
            former = same.pop(0)
            plan.change("update", kind.noun, kind.name(part), differences(present[former], part))
            _plan_end(plan, kind, former, path)
        else:
            plan.change("create", kind.noun, kind.name(part), created(part))
        plan.step(Phase.GIVEN, path, partial(kind.give, part))
    if plan.prune:
        for key in (key for keys in extra.values() for key in keys):
            plan.change("end", kind.noun, kind.name(present[key]), _ended(present[key]))
            _plan_end(plan, kind, key, (kind.section,))


def _settled(plan: Plan, wanted: Iterable[Any], kind: _Kind) -> dict[bytes, tuple[int, Any]]:
    parts: dict[bytes, tuple[int, Any]] = {}
    for index, each in enumerate(wanted):
        part = kind.settle(each)
        if not instants_ahead(part, now=plan.now):
            plan.notes.append(f"{plan.source.place((kind.section, index))}: this {kind.noun} is over, and left out.")
            continue
        key = content(part)
        if key in parts:
            first = plan.source.place((kind.section, parts[key][0]))
            plan.refuse((kind.section, index), f"This {kind.noun} is here twice; first at {first}.")
        parts.setdefault(key, (index, part))
    return parts


def _plan_end(plan: Plan, kind: _Kind, key: bytes, path: Path) -> None:
    for row in plan.present.rows[kind.section][key]:
        plan.step(Phase.ENDED, path, partial(kind.end, row))


def _ended(part: documents.Part) -> dict[str, tuple[Any, Any]]:
    return {name: (value, None) for name, (_, value) in created(part).items()}


def _selector(part: documents.Entitlement) -> str:
    if part.resource:
        return f"{part.type}/{part.resource}"
    if part.subtree is not None:
        return f"{part.type} within {part.subtree.type}/{part.subtree.id}"
    return f"{part.type} where {part.where}" if part.where else part.type


def _grant_name(part: documents.Grant) -> str:
    return f"{part.to} {', '.join(part.actions)} {_selector(part)}"


def _consent_name(part: documents.Consent) -> str:
    purpose = f" for {part.purpose}" if part.purpose else ""
    return f"user/{part.user} to agent/{part.agent} {', '.join(part.actions)} {part.type}{purpose}"


def _delegation_name(part: documents.Delegation) -> str:
    return f"{part.giver} to {part.to} {', '.join(part.actions)} {_selector(part)}"


def _holder(reference: str, hand: Hand) -> Any:
    kind, _, name = reference.partition("/")
    if kind == "team":
        return hand.rows["teams"][name]
    if kind == "user":
        return hand.rows["people"][name]
    return _agent(name, hand).user


def _agent(name: str, hand: Hand) -> Agent:
    agents = hand.rows["agents"]
    if name not in agents:
        # A partner's agent; that it is there was checked.
        agents[name] = Agent.objects.select_related("user").get(spiffe_id=name)
    agent: Agent = agents[name]
    return agent


def _terms(part: documents.Assignment | documents.Grant) -> Terms:
    return Terms(use=part.use, delegate=part.delegate, starts_at=part.start, ends_at=part.until)


def _why(part: Any, hand: Hand) -> dict[str, Any]:
    # The reason of a holding is part of what it says; that it came from a manifest is in the event's actor.
    return {**hand.acting, "reason": part.reason}


def _assign(part: documents.Assignment, hand: Hand) -> None:
    assign_role(role=hand.rows["roles"][part.role], holder=_holder(part.to, hand), terms=_terms(part), **_why(part, hand))


def _end_assignment(row: Any, hand: Hand) -> None:
    end_assignment(assignment=row, **hand.acting)


def _give_grant(part: documents.Grant, hand: Hand) -> None:
    give_grant(
        organization=hand.organization,
        holder=_holder(part.to, hand),
        entitlement=entitlement_spec(part),
        terms=_terms(part),
        **_why(part, hand),
    )


def _end_grant(row: Any, hand: Hand) -> None:
    end_grant(grant=row, **hand.acting)


def _give_consent(part: documents.Consent, hand: Hand) -> None:
    give_consent(
        user=hand.rows["people"][part.user],
        agent=_agent(part.agent, hand),
        resource_type=hand.rows["types"][part.type],
        actions=part.actions,
        data_classes=part.data_classes,
        purpose=part.purpose,
        ends_at=part.until,
        **hand.acting,
    )


def _end_consent(row: Any, hand: Hand) -> None:
    end_consent(consent=row, **hand.acting)


def _delegate(part: documents.Delegation, hand: Hand) -> None:
    delegate(
        delegator=_agent(part.giver.removeprefix("agent/"), hand),
        delegate=_agent(part.to.removeprefix("agent/"), hand),
        entitlement=entitlement_spec(part),
        depth=part.depth,
        ends_at=part.until,
        **_why(part, hand),
    )


def _end_delegation(row: Any, hand: Hand) -> None:
    end_delegation(delegation=row, **hand.acting)
