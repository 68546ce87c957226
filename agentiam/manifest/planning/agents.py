"""Agents: registered or spawned, described, transferred, and moved along their lifecycle to the state that is wanted."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from msgspec.structs import astuple, replace

from agentiam.manifest import documents
from agentiam.manifest.mistakes import Path
from agentiam.manifest.planning.changes import Hand, Phase, Plan, created, differences, plain
from agentiam.manifest.references import in_order
from agentiam.manifest.settling import settled_agent
from directory.lifecycle import State
from directory.models import Agent, Blueprint
from directory.services.agents import AgentProfile, register_agent, update_agent
from directory.services.handover import transfer_agent
from directory.services.onboarding import activate_agent, given_sign_offs
from directory.services.spawning import spawn_agent
from directory.services.suspension import resume_agent, suspend_agent
from permissions.services.offboarding import offboard_agent

_ACCOUNTABLE = frozenset({"owner", "sponsor"})
_FOR_GOOD = ("parent", "blueprint")


def plan_agents(plan: Plan, wanted: Iterable[documents.Agent], blueprints: Mapping[str, documents.Blueprint]) -> None:
    """Plan to register, spawn, change, transfer, start and stop agents; one that is not wanted is retired.

    ``blueprints`` are those that will be there, by id.
    """
    parts = {part.id: (index, part) for index, part in enumerate(wanted)}
    known = dict(plan.present.agents)
    for name in in_order(parts, lambda each: parts[each][1].parent):
        index, part = parts[name]
        path: Path = ("agents", index)
        agent = known[name] = settled_agent(part, known)
        _check_child(plan, agent, known, path)
        present = plan.present.agents.get(name)
        if present is None:
            _plan_new(plan, agent, blueprints, path)
        else:
            _plan_known(plan, present, agent, blueprints, path)
    if plan.prune:
        for name, present in plan.present.agents.items():
            if name not in parts and present.state != "retired":
                plan.change("end", "agent", name, {"state": (present.state, "retired")})
                _plan_last_day(plan, name, ("agents",))


def _check_child(plan: Plan, agent: documents.Agent, known: Mapping[str, documents.Agent], path: Path) -> None:
    parent = known.get(agent.parent)
    for key in ("owner", "sponsor", "blueprint") if parent is not None else ():
        if getattr(agent, key) != getattr(parent, key):
            plan.refuse((*path, key), f"A spawned agent has the {key} of the agent that spawned it; leave this out.")


def _plan_new(plan: Plan, agent: documents.Agent, blueprints: Mapping[str, documents.Blueprint], path: Path) -> None:
    if agent.expires is not None and agent.expires <= plan.now:
        plan.refuse((*path, "expires"), "This is over already; a new agent needs an end that lies ahead, or none.")
        return
    changed = created(agent, besides=["id"])
    if agent.parent:
        plan.step(Phase.AGENTS, path, partial(_spawn, agent))
    else:
        plan.step(Phase.AGENTS, path, partial(_register, agent))
        missing = _missing_sign_offs(agent, None, blueprints)
        if agent.state in ("active", "suspended") and missing:
            _wait(plan, agent, missing)
            changed["state"] = (None, "pending")
            plan.change("create", "agent", agent.id, changed)
            return
        if agent.state in ("active", "suspended"):
            plan.step(Phase.AGENTS, path, partial(_activate, agent.id))
    plan.change("create", "agent", agent.id, changed)
    if agent.state == "active":
        _plan_key(plan, agent, blueprints)
    elif agent.state in ("suspended", "retired"):
        plan.step(Phase.AGENTS_STOPPED, path, partial(_suspend if agent.state == "suspended" else _retire, agent.id))


def _plan_key(plan: Plan, agent: documents.Agent, blueprints: Mapping[str, documents.Blueprint]) -> None:
    methods = blueprints[agent.blueprint].credentials.methods if agent.blueprint else []
    if methods and "api_key" not in methods:
        plan.notes.append(f"agent/{agent.id} gets no key: its blueprint allows {', '.join(methods)}.")
    else:
        plan.keys_for.append(("agents", agent.id))


def _wait(plan: Plan, agent: documents.Agent, missing: int) -> None:
    people = "1 person" if missing == 1 else f"{missing} people"
    plan.notes.append(f"agent/{agent.id} stays pending until {people} agreed to its onboarding, as its blueprint asks for.")


def _missing_sign_offs(agent: documents.Agent, row: Agent | None, blueprints: Mapping[str, documents.Blueprint]) -> int:
    needed = blueprints[agent.blueprint].sign_offs if agent.blueprint else 0
    given = 0 if row is None or not needed else given_sign_offs(row)
    return max(0, needed - given)


def _plan_known(
    plan: Plan,
    present: documents.Agent,
    agent: documents.Agent,
    blueprints: Mapping[str, documents.Blueprint],
    path: Path,
) -> None:
    if present.state == "retired":
        if agent.state != "retired":
            plan.refuse((*path, "state"), "A retired agent stays retired; register another.")
        return
    for key in _FOR_GOOD:
        if getattr(present, key) != getattr(agent, key):
            what = f"this is {getattr(present, key)}" if getattr(present, key) else "it has none"
            plan.refuse((*path, key), f"An agent keeps its {key}: {what}.")
    if agent.parent:
        # A spawned agent goes with its root, and its end is at the latest what was asked for.
        agent = replace(agent, owner=present.owner, sponsor=present.sponsor, expires=_earlier(present, agent))
    state = _state_ahead(plan, present, agent, blueprints, path)
    agent = replace(agent, state=state, parent=present.parent, blueprint=present.blueprint)
    changed = differences(present, agent)
    if not changed:
        return
    plan.change("update", "agent", agent.id, changed)
    if state == "retired":
        _plan_last_day(plan, agent.id, path)
        return
    if set(changed) - _ACCOUNTABLE - {"state"}:
        plan.step(Phase.AGENTS, path, partial(_update, agent))
    if changed.keys() & _ACCOUNTABLE:
        plan.step(Phase.AGENTS, path, partial(_transfer, agent))
    if "state" in changed:
        _plan_move(plan, agent.id, State(present.state), State(state), path)


def _plan_last_day(plan: Plan, name: str, path: Path) -> None:
    plan.notes.append(
        f"agent/{name} is offboarded for good: its credentials, roles, grants, delegations and runs end, and so do the agents "
        "that descend from it."
    )
    plan.step(Phase.AGENTS_STOPPED, path, partial(_retire, name))


def _earlier(present: documents.Agent, agent: documents.Agent) -> Any:
    ends = [end for end in (present.expires, agent.expires) if end is not None]
    return min(ends, default=None)


def _state_ahead(
    plan: Plan,
    present: documents.Agent,
    agent: documents.Agent,
    blueprints: Mapping[str, documents.Blueprint],
    path: Path,
) -> Any:
    """The state that can be reached: as wanted, or pending while sign-offs are missing."""
    if agent.state == "pending" and present.state != "pending":
        plan.refuse((*path, "state"), f"It is {present.state} and cannot be pending again; suspend or retire it.")
    if present.state == "pending" and agent.state in ("active", "suspended"):
        missing = _missing_sign_offs(agent, plan.present.rows["agents"][agent.id], blueprints)
        if missing:
            _wait(plan, agent, missing)
            return "pending"
    if present.state in ("active", "suspended") and agent.state == "active" and _waits_for_review(plan, present, agent):
        plan.notes.append(f"agent/{agent.id} is suspended until somebody has reviewed what changed of it.")
        return "suspended"
    return agent.state


def _waits_for_review(plan: Plan, present: documents.Agent, agent: documents.Agent) -> bool:
    """Whether an agent waits for a review, or will: a fingerprint that was known is to be another."""
    before, after = astuple(present.hashes), astuple(agent.hashes)
    drifted = any(known and known != wanted for known, wanted in zip(before, after, strict=True))
    return drifted or plan.present.rows["agents"][agent.id].review_needed


def _plan_move(plan: Plan, name: str, before: State, after: State, path: Path) -> None:
    if before is State.PENDING:
        plan.step(Phase.AGENTS, path, partial(_activate, name))
    if after is State.SUSPENDED:
        plan.step(Phase.AGENTS_STOPPED, path, partial(_suspend, name))
    elif before is State.SUSPENDED:
        plan.step(Phase.AGENTS, path, partial(_resume, name))


def _profile(wanted: documents.Agent, hand: Hand) -> AgentProfile:
    return AgentProfile(
        name=wanted.name,
        purpose=wanted.purpose,
        environment=str(wanted.environment),
        framework=wanted.framework or "",
        model=wanted.model or "",
        version=wanted.version or "",
        model_hash=wanted.hashes.model,
        charter_hash=wanted.hashes.charter,
        tools_hash=wanted.hashes.tools,
        capabilities=plain(wanted.capabilities),
        risk_tier=str(wanted.risk_tier),
        team=hand.rows["teams"][wanted.team] if wanted.team else None,
        expires_at=wanted.expires,
    )


def _answering(wanted: documents.Agent, hand: Hand) -> dict[str, Any]:
    people, teams = hand.rows["people"], hand.rows["teams"]
    sponsor = people.get(wanted.sponsor)
    return {
        "owner": people[wanted.owner],
        "sponsor": sponsor,
        "sponsor_team": teams[wanted.sponsor.removeprefix("team/")] if sponsor is None else None,
    }


def _register(wanted: documents.Agent, hand: Hand) -> None:
    blueprint: Blueprint | None = hand.rows["blueprints"][wanted.blueprint] if wanted.blueprint else None
    hand.rows["agents"][wanted.id] = register_agent(
        organization=hand.organization,
        external_id=wanted.id,
        profile=_profile(wanted, hand),
        blueprint=blueprint,
        **_answering(wanted, hand),
        **hand.acting,
    )


def _spawn(wanted: documents.Agent, hand: Hand) -> None:
    child = spawn_agent(
        parent=hand.rows["agents"][wanted.parent],
        external_id=wanted.id,
        name=wanted.name,
        purpose=wanted.purpose,
        capabilities=plain(wanted.capabilities),
        expires_at=wanted.expires,
        **hand.acting,
    )
    profile = _profile(replace(wanted, expires=child.expires_at), hand)
    if profile != AgentProfile.of(child):
        child = update_agent(agent=child, profile=profile, **hand.acting)
    hand.rows["agents"][wanted.id] = child


def _update(wanted: documents.Agent, hand: Hand) -> None:
    agent = hand.rows["agents"][wanted.id]
    hand.rows["agents"][wanted.id] = update_agent(agent=agent, profile=_profile(wanted, hand), **hand.acting)


def _transfer(wanted: documents.Agent, hand: Hand) -> None:
    transfer_agent(agent=hand.rows["agents"][wanted.id], **_answering(wanted, hand), **hand.acting)


def _activate(name: str, hand: Hand) -> None:
    hand.rows["agents"][name] = activate_agent(agent=hand.rows["agents"][name], **hand.acting)


def _resume(name: str, hand: Hand) -> None:
    hand.rows["agents"][name] = resume_agent(agent=hand.rows["agents"][name], **hand.acting)


def _suspend(name: str, hand: Hand) -> None:
    agent = hand.rows["agents"][name]
    # An agent whose fingerprint was changed is suspended by that.
    if Agent.objects.get(pk=agent.pk).state == State.ACTIVE:
        suspend_agent(agent=agent, **hand.acting)


def _retire(name: str, hand: Hand) -> None:
    agent = hand.rows["agents"][name]
    # Offboarding an agent offboards what descends from it.
    if Agent.objects.get(pk=agent.pk).state != State.RETIRED:
        offboard_agent(agent=agent, **hand.acting)
