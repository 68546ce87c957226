"""What a token is for: scopes ``type:action`` and authorization details, and never more than the chain could do at all.

What is granted is what was asked for ∩ what the chain may do here at best (by the engine that decides) ∩ what the token before
had. Whether it is a yes is decided anew with every question; a token only ever narrows.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, TypeAlias

from agentiam.kit.texts import is_storable
from directory.models import Agent, Organization, Scope
from permissions.engine.effective import access
from permissions.engine.types import Entitlement, Question, Rule, World
from permissions.models import AccessToken, Application, DataClass, ResourceType
from permissions.oauth.chains import Chain
from permissions.oauth.errors import INVALID_DETAILS, INVALID_SCOPE, INVALID_TARGET, OAuthError
from permissions.oauth.issuers import Issuer
from permissions.questions import needs
from permissions.worlds import Needs, worlds_here

DETAIL_TYPE: Final = "entitlement"
MAX_SCOPE: Final = 4_000
MAX_DETAILS: Final = 50
MAX_DETAILS_BYTES: Final = 16_384
MAX_DEFAULT: Final = 200
OWN: Final = (Scope.DECIDE.value, Scope.READ.value, Scope.WRITE.value)
"""Scopes at agentiam itself."""

_SCOPE: Final = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")
_DETAIL: Final = frozenset({"type", "resource_type", "actions", "identifier", "datatypes", "locations"})

Pair: TypeAlias = tuple[str, str]
Detail: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a token is for: an application, another agent (its SPIFFE id), or agentiam itself."""

    audience: str
    application: Application | None = None
    agent: Agent | None = None

    @property
    def own(self) -> bool:
        """Whether it is agentiam itself."""
        return self.application is None and self.agent is None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request named; None for what it left to us."""

    scopes: tuple[str, ...] | None = None
    details: tuple[Detail, ...] | None = None


@dataclass(frozen=True, slots=True)
class Granted:
    """What a token is for."""

    scopes: tuple[str, ...] = ()
    details: tuple[Detail, ...] = ()

    @property
    def scope(self) -> str:
        """The scopes as one text."""
        return " ".join(self.scopes)


def read_scope(text: str) -> tuple[str, ...] | None:
    """Read the ``scope`` of a request (RFC 6749, section 3.3); raises OAuthError."""
    if not text:
        return None
    found = tuple(dict.fromkeys(text.split(" ")))
    if len(text) > MAX_SCOPE or not all(_SCOPE.fullmatch(each) for each in found):
        raise OAuthError(INVALID_SCOPE, "The scope is malformed.", cause="the scope is malformed")
    return found


def read_details(text: str) -> tuple[Detail, ...] | None:
    """Read ``authorization_details`` (RFC 9396, section 2); raises OAuthError."""
    if not text:
        return None
    try:
        value = json.loads(text) if len(text) <= MAX_DETAILS_BYTES else None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, list) or not 0 < len(value) <= MAX_DETAILS or not is_storable(value):
        raise _bad_details(f"authorization_details is a list of 1 to {MAX_DETAILS} objects.")
    return tuple(_detail(each) for each in value)


def _detail(value: Any) -> Detail:
    if not isinstance(value, dict) or value.get("type") != DETAIL_TYPE:
        raise _bad_details(f"The type of each is {DETAIL_TYPE!r}.")
    if not set(value) <= _DETAIL or not isinstance(value.get("resource_type"), str):
        raise _bad_details(f"Each names resource_type, and may name {', '.join(sorted(_DETAIL - {'type', 'resource_type'}))}.")
    for name in ("actions", "datatypes", "locations"):
        listed = value.get(name, [""])
        if not (isinstance(listed, list) and listed and all(isinstance(each, str) for each in listed)):
            raise _bad_details(f"{name} is a list of texts.")
    if not isinstance(value.get("identifier", ""), str) or not set(value.get("datatypes", ())) <= set(DataClass.values):
        raise _bad_details("identifier is a text; datatypes are classes of data.")
    return dict(value)


def _bad_details(description: str) -> OAuthError:
    return OAuthError(INVALID_DETAILS, description, cause="the authorization details are malformed")


def target_of(issuer: Issuer, resources: Sequence[str], wanted: Wanted) -> Target:
    """Find where a token is for (RFC 8707): as named, or the only possibility; raises OAuthError (invalid_target)."""
    if len(resources) > 1:
        raise OAuthError(INVALID_TARGET, "A token is for one resource; ask once for each.", cause="several resources")
    if resources:
        return named_target(issuer, resources[0])
    if wanted.scopes is not None and set(wanted.scopes) <= set(OWN):
        return Target(issuer.own_resource)
    found = list(_applications(issuer.organization).exclude(audience="")[:2])
    if len(found) == 1:
        return Target(found[0].audience, found[0])
    if not found:
        return Target(issuer.own_resource)
    raise OAuthError(INVALID_TARGET, "Name the resource: there is more than one.", cause="no resource named")


def named_target(issuer: Issuer, resource: str) -> Target:
    """Find an application by its audience, an agent by its SPIFFE id, agentiam by its address; raises OAuthError."""
    if resource in (issuer.own_resource, issuer.own_resource + "/"):
        return Target(issuer.own_resource)
    if resource.startswith("spiffe://"):
        agent = Agent.objects.filter(organization=issuer.organization, spiffe_id=resource).first()
        if agent is None:
            raise OAuthError(INVALID_TARGET, "There is no such resource here.", cause="an unknown agent")
        return Target(resource, agent=agent)
    found = list(_applications(issuer.organization).filter(audience=resource)[:2]) if 0 < len(resource) <= 500 else []
    if len(found) != 1:
        raise OAuthError(INVALID_TARGET, "There is no such resource here.", cause="an unknown resource")
    return Target(resource, found[0])


def _applications(organization: Organization) -> Any:
    return Application.objects.filter(organization=organization, state=Application.State.ACTIVE)


def granted(
    issuer: Issuer,
    chain: Chain,
    target: Target,
    wanted: Wanted,
    *,
    own_scopes: Iterable[str],
    task_id: str = "",
    within: Granted | None = None,
    now: datetime,
) -> Granted:
    """Answer what a token may be for; raises OAuthError (invalid_scope) when of what was asked for nothing is left.

    ``own_scopes`` are what the credential is good for at agentiam itself; ``within`` is what the token before was for.
    """
    question = question_about(chain, task_id, now)
    possible = _possible(issuer, target, question)
    if target.agent is not None:
        possible = sorted({*possible, *_handed_on(issuer, target, target.agent, chain, now)})
    allowed_own = [each for each in OWN if target.own and each in set(own_scopes)]
    scopes = _scopes(wanted, possible, allowed_own, within, default=not target.own)
    details = [each for each in wanted.details or () if _stands(each, target, possible, within)]
    if within is not None:
        # Actions that the type gets later are not those of the token before.
        details = [
            {"actions": [action for name, action in possible if name == each["resource_type"]], **each} for each in details
        ]
    if wanted.details is None and wanted.scopes is None and within is not None:
        details = [each for each in within.details if _stands(each, target, possible, None)]
    if Scope.DECIDE in scopes and not names_types(scopes, details):
        # A token for agentiam itself that names no type is as wide as its chain: more than was asked for, or had before.
        more = Granted() if within is None else _narrowing(target, possible, within)
        scopes, details = [*scopes, *more.scopes], [*details, *more.details]
        limited = within is not None or names_types(wanted.scopes or (), wanted.details or ())
        if limited and not names_types(scopes, details):
            scopes.remove(Scope.DECIDE)
    asked = wanted.scopes is not None or wanted.details is not None or within is not None
    if asked and not scopes and not details:
        raise OAuthError(INVALID_SCOPE, "Of what was asked for, nothing can be granted.", cause="nothing of the scope is left")
    return Granted(tuple(scopes), tuple(details))


def names_types(scopes: Iterable[str], details: Iterable[Mapping[str, Any]]) -> bool:
    """Tell whether a token is limited to types that it names; one that is not is as wide as its chain."""
    return bool(list(details)) or any(":" in scope for scope in scopes)


def _narrowing(target: Target, possible: Sequence[Pair], within: Granted) -> Granted:
    """Give what the token before named of types, as far as it is possible here."""
    names = {f"{name}:{action}" for name, action in possible}
    details = [each for each in within.details if _stands(each, target, possible, None)]
    return Granted(tuple(each for each in within.scopes if each in names), tuple(details))


def names_possible(issuer: Issuer, target: Target, chain: Chain, task_id: str, *, now: datetime) -> list[str]:
    """List as scopes what a chain could be allowed at a target on a task."""
    return [f"{name}:{action}" for name, action in _possible(issuer, target, question_about(chain, task_id, now))]


def only(within: Granted, names: Sequence[str]) -> Granted:
    """Keep of what a token is for what is among some scopes."""
    details = []
    for each in within.details:
        possible = [name.rpartition(":")[2] for name in names if name.rpartition(":")[0] == each["resource_type"]]
        if actions := [action for action in each.get("actions", possible) if action in possible]:
            details.append({**each, "actions": actions})
    return Granted(tuple(each for each in within.scopes if ":" not in each or each in names), tuple(details))


def _scopes(
    wanted: Wanted, possible: Sequence[Pair], own: Sequence[str], within: Granted | None, *, default: bool
) -> list[str]:
    names = {f"{name}:{action}" for name, action in possible}
    if within is not None:
        names &= {*within.scopes, *_of_details(within, possible)}
        own = [each for each in own if each in within.scopes]
    if wanted.scopes is not None:
        return [each for each in wanted.scopes if each in names or each in own]
    if wanted.details is not None:
        return []
    found = [each for each in sorted(names) if _SCOPE.fullmatch(each)] if default or within is not None else []
    if within is not None:
        found = [each for each in found if each in within.scopes]
    if len(found) > MAX_DEFAULT:
        raise OAuthError(INVALID_SCOPE, f"There are over {MAX_DEFAULT} scopes here; name some.", cause="no scope named")
    return [*own, *found]


def _of_details(granted_before: Granted, possible: Sequence[Pair]) -> set[str]:
    """A whole type's action, held as a detail without further limits, may be asked for as a scope."""
    return {
        f"{name}:{action}"
        for name, action in possible
        for each in granted_before.details
        if each["resource_type"] == name
        and action in each.get("actions", [action])
        and not {"identifier", "datatypes", "locations"} & set(each)
    }


def _stands(detail: Detail, target: Target, possible: Sequence[Pair], within: Granted | None) -> bool:
    if target.audience not in detail.get("locations", [target.audience]):
        return False
    actions = {action for name, action in possible if name == detail["resource_type"]}
    wanted = set(detail.get("actions", actions))
    if not wanted or not wanted <= actions:
        return False
    return within is None or all(_held(detail, action, within) for action in wanted)


def _held(detail: Detail, action: str, within: Granted) -> bool:
    """Tell whether the token before was for this action of a detail."""
    if f"{detail['resource_type']}:{action}" in within.scopes:
        return True
    return any(
        each["resource_type"] == detail["resource_type"]
        and action in each.get("actions", [action])
        and each.get("identifier", detail.get("identifier")) == detail.get("identifier")
        and ("locations" not in each or ("locations" in detail and set(detail["locations"]) <= set(each["locations"])))
        and ("datatypes" not in each or set(detail.get("datatypes", DataClass.values)) <= set(each["datatypes"]))
        for each in within.details
    )


def _possible(issuer: Issuer, target: Target, question: Question) -> list[Pair]:
    """List the types and actions at a target that a chain could be allowed, whatever conditions and people say then."""
    types = ResourceType.objects.filter(organization=issuer.organization)
    if target.application is not None:
        types = types.filter(application=target.application)
    world = present_world(issuer.organization, question)
    names = sorted(set(types.values_list("name", flat=True)) & world.types.keys())
    return [
        (name, action)
        for name in names
        for action in sorted(world.types[name].actions)
        if access(world, replace(question, type=name, action=action)).effect != "deny"
    ]


def _handed_on(issuer: Issuer, target: Target, agent: Agent, chain: Chain, now: datetime) -> list[Pair]:
    """List what an agent that a token is made out to could be allowed for the chain: who hands on need not use it itself."""
    ref = f"agent/{agent.external_id}"
    return [] if ref in chain.agents else _possible(issuer, target, question_about(chain.through(ref), "", now))


def question_about(chain: Chain, task_id: str, now: datetime) -> Question:
    """Ask what a chain may do, of whatever type and action."""
    return Question(
        subject=chain.actor,
        action="",
        type="",
        resource="",
        now=now,
        on_behalf_of=chain.on_behalf_of,
        delegation=chain.delegation,
        task_id=task_id,
    )


def present_world(organization: Organization, question: Question) -> World:
    """Answer an organization as it stands, with all that a question is about."""
    worlds = worlds_here()
    known = worlds.current(organization.pk)
    wanted = needs(question)
    return worlds.with_needs(known, Needs(wanted.principals, frozenset(), wanted.runs)).world


def world_of(
    organization: Organization, chain: Chain, task_id: str, now: datetime, *, token: AccessToken
) -> tuple[World, Callable[[str, str], Question]]:
    """Answer the present world, and how to ask in it about a type and an action with a token."""
    question = question_about(chain, task_id, now)
    world = present_world(organization, question)
    within = entitlements(token.scopes, token.details, world, str(token.pk))
    return world, lambda name, action: replace(question, type=name, action=action, within=within)


def entitlements(
    scopes: Iterable[str], details: Iterable[Mapping[str, Any]], world: World, jti: str
) -> tuple[Entitlement, ...]:
    """Turn what a token is for into what the engine knows: entitlements that limit, and give nothing."""
    rule = Rule("token", jti)
    found = []
    for scope in scopes:
        name, colon, action = scope.rpartition(":")
        if colon:
            found.append(Entitlement(name, frozenset({action}), rule))
    for each in details:
        facts = world.types.get(each["resource_type"])
        if facts is None:
            continue
        classes = each.get("datatypes")
        fields = -1 if classes is None else facts.class_mask(frozenset(classes))
        actions = frozenset(each["actions"]) if "actions" in each else None
        found.append(Entitlement(each["resource_type"], actions, rule, resource=each.get("identifier"), fields=fields))
    return tuple(found)
