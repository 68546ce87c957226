"""From what was asked to what the engine is asked: who the caller is decides whom it may ask about and what it is believed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol

from agentiam.kit.problems import Problem
from permissions.engine.types import EMPTY, Entitlement, Lost, Question, Ref
from permissions.worlds import Known, Needs

_KINDS = {"user": "user", "agent": "agent"}


@dataclass(frozen=True, slots=True)
class Entity:
    """A subject or a resource as it was sent; the id is empty where a search leaves it out."""

    type: str
    id: str
    properties: Mapping[str, Any] = EMPTY


@dataclass(frozen=True, slots=True)
class Asked:
    """One question as it was sent."""

    subject: Entity
    action: str
    resource: Entity
    action_properties: Mapping[str, Any] = EMPTY
    context: Mapping[str, Any] = EMPTY
    fields: tuple[str, ...] = ()
    on_behalf_of: Entity | None = None
    actor: str | None = None
    """The acting agent, where the subject is the user (``subject.properties.act.sub``)."""
    delegation: tuple[str, ...] = ()
    task_id: str = ""
    task_purpose: str = ""
    explain: bool | None = None


class Caller(Protocol):
    """Who asks: an application or an agent by its key, or a part of the product in somebody's name."""

    @property
    def kind(self) -> str:
        """``agent`` asks about itself, ``application`` on its own types; anybody else about everything of the organization."""

    @property
    def holder(self) -> str:
        """The id that the organization uses."""

    @property
    def label(self) -> str:
        """The name."""

    @property
    def believes_resource_properties(self) -> bool:
        """Whether what it sends of a resource counts."""

    @property
    def believes_subject_properties(self) -> bool:
        """Whether what it sends of a subject counts."""

    @property
    def requires_tokens(self) -> bool:
        """Whether it asks about an agent only with a token that the agent gave it."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Somebody who asks without a key of their own; what is believed is said by the code that asks in their name."""

    kind: str
    holder: str
    label: str
    believes_resource_properties: bool = False
    believes_subject_properties: bool = False
    requires_tokens: bool = False


LOOKING: Final = Asker("system", "what-if", "agentiam", believes_resource_properties=True)
"""Nobody who enforces anything: whoever looks at what would be says what the resource would be."""


class Named(NamedTuple):
    """Who acts for whom, through whom and on what task, as a request names it; empty for what it leaves out."""

    subject: Ref
    on_behalf_of: Ref | None
    delegation: tuple[Ref, ...]
    task_id: str
    task_purpose: str


@dataclass(frozen=True, slots=True)
class Proven:
    """The chain that a token proves, what the token is for, and what ends it; who shows it asks about no other chain."""

    token: str
    """Its ``jti``."""
    client: str
    chain: Named
    within: tuple[Entitlement, ...] | None
    ended: str = ""
    """Why it has ended for good; empty while it has not."""
    ends: tuple[tuple[datetime, str], ...] = ()
    """When it ends by the clock, and what ends then."""

    def fault(self, now: datetime) -> str:
        """Say why the token is good for nothing now; empty when it stands."""
        return self.ended or next((why for end, why in self.ends if end <= now), "")

    def completed(self, named: Named) -> Named:
        """Fill in what a request leaves out; raises a 403 problem where it says something else."""
        chain = self.chain
        of_user = named.subject == chain.on_behalf_of and named.on_behalf_of in (None, chain.on_behalf_of)
        fits = (
            (named.subject == chain.subject or of_user)
            and named.on_behalf_of in (None, chain.on_behalf_of)
            and named.delegation in ((), chain.delegation)
            and named.task_id in ("", chain.task_id)
            and named.task_purpose in ("", chain.task_purpose)
        )
        if not fits:
            raise Problem(403, "another-chain", "The request names another chain, or another task, than the token proves.")
        return chain


@dataclass(frozen=True, slots=True)
class Posed:
    """A question ready for the engine; ``refused`` is what makes it a no before that."""

    asked: Asked
    question: Question
    refused: Lost | None = None


def kind_of(type_name: str, known: Known) -> str | None:
    """Tell which kind of principal a type on the wire means; the organization may have names of its own."""
    return _KINDS.get(type_name) or known.shared.subject_types.get(type_name)


def _ref(entity: Entity, known: Known) -> Ref:
    return f"{kind_of(entity.type, known) or entity.type}/{entity.id}"


def pose(asked: Asked, caller: Caller, known: Known, now: datetime, proven: Proven | None = None) -> Posed:
    """Make the question, of the chain that a token proves where there is one.

    Raises a 403 problem when an agent asks about somebody else, or anybody about another chain than the token's.
    """
    named = _named(asked, known)
    who = named if proven is None else proven.completed(named)
    if caller.kind == "agent" and who.subject != f"agent/{caller.holder}":
        raise Problem(403, "about-somebody-else", "An agent's key asks about the agent itself: the subject must be the agent.")
    about_subject = asked.actor is None and named.subject == who.subject
    question = Question(
        subject=who.subject,
        action=asked.action,
        type=asked.resource.type,
        resource=asked.resource.id,
        now=now,
        fields=asked.fields or None,
        subject_properties=asked.subject.properties if caller.believes_subject_properties and about_subject else EMPTY,
        action_properties=asked.action_properties,
        resource_properties=asked.resource.properties if caller.believes_resource_properties else EMPTY,
        context=asked.context,
        on_behalf_of=who.on_behalf_of,
        delegation=who.delegation,
        task_id=who.task_id,
        task_purpose=who.task_purpose,
        within=None if proven is None else proven.within,
    )
    return Posed(asked, question, _refused(question, caller, known) or _unproven(question, caller, proven))


def _named(asked: Asked, known: Known) -> Named:
    subject, user = _ref(asked.subject, known), None
    if asked.actor is not None:
        subject, user = asked.actor, subject
    if asked.on_behalf_of is not None:
        user = _ref(asked.on_behalf_of, known)
    return Named(subject, user, asked.delegation, asked.task_id, asked.task_purpose)


def _unproven(question: Question, caller: Caller, proven: Proven | None) -> Lost | None:
    """Say why the token loses before anything is looked at: it has ended, or is missing where one is demanded."""
    if proven is not None:
        fault = proven.fault(question.now)
        return Lost("token", question.subject, fault) if fault else None
    if caller.requires_tokens and question.subject.startswith("agent/"):
        return Lost("token", question.subject, f"{caller.label} asks about agents with their tokens only, and sent none")
    return None


def _refused(question: Question, caller: Caller, known: Known) -> Lost | None:
    facts = known.world.types.get(question.type)
    if facts is None or (caller.kind == "application" and facts.application != caller.holder):
        # The same words for a type of another application: a caller does not learn what others hold.
        return Lost("resource_type", question.type, f"the resource type {question.type} is unknown to {caller.label}")
    if question.on_behalf_of is not None and not question.on_behalf_of.startswith("user/"):
        return Lost("user", question.on_behalf_of, "an agent acts on behalf of a user")
    return None


def needs(question: Question) -> Needs:
    """List what must be in the world before the question can be answered."""
    principals = {question.subject, *question.delegation}
    if question.on_behalf_of is not None:
        principals.add(question.on_behalf_of)
    resources = {(question.type, question.resource)}
    parent = question.resource_properties.get("parent")
    if isinstance(parent, dict) and isinstance(parent.get("type"), str) and isinstance(parent.get("id"), str):
        key = (parent["type"], parent["id"])
        # A name with NUL is in no database, and PostgreSQL would not even be asked for it.
        if "\0" not in "".join(key):
            resources.add(key)
    runs = {(question.subject, question.task_id)} if question.task_id else set()
    return Needs(frozenset(principals), frozenset(resources), frozenset(runs))
