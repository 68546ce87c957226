"""From what was asked to what the engine is asked: who the caller is decides whom it may ask about and what it is believed."""

from dataclasses import dataclass
from datetime import datetime

from agentiam.kit.problems import Problem
from permissions.access.requests import Asked, Entity
from permissions.engine.types import EMPTY, Lost, Question, Ref
from permissions.selectors.keys import KeyFacts
from permissions.worlds import Known, Needs

_KINDS = {"user": "user", "agent": "agent"}


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


def pose(asked: Asked, caller: KeyFacts, known: Known, now: datetime) -> Posed:
    """Make the question; raises a 403 problem when an agent asks about somebody else."""
    subject, user = _ref(asked.subject, known), None
    if asked.actor is not None:
        subject, user = asked.actor, subject
    if asked.on_behalf_of is not None:
        user = _ref(asked.on_behalf_of, known)
    if caller.kind == "agent" and subject != f"agent/{caller.holder}":
        raise Problem(403, "about-somebody-else", "An agent's key asks about the agent itself: the subject must be the agent.")
    question = Question(
        subject=subject,
        action=asked.action,
        type=asked.resource.type,
        resource=asked.resource.id,
        now=now,
        fields=asked.fields or None,
        subject_properties=asked.subject.properties if caller.believes_subject_properties and asked.actor is None else EMPTY,
        action_properties=asked.action_properties,
        resource_properties=asked.resource.properties if caller.believes_resource_properties else EMPTY,
        context=asked.context,
        on_behalf_of=user,
        delegation=asked.delegation,
        task_id=asked.task_id,
        task_purpose=asked.task_purpose,
    )
    return Posed(asked, question, _refused(question, caller, known))


def _refused(question: Question, caller: KeyFacts, known: Known) -> Lost | None:
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
