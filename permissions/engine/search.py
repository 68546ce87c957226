"""Search is deciding many times: what is listed is exactly what would be allowed, page by page, in a stable order."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from permissions.engine.evaluate import decide
from permissions.engine.types import Decision, Question, Ref, World


def subjects(world: World, question: Question, refs: Iterable[Ref]) -> Iterator[tuple[Ref, Decision]]:
    """Give those of these principals that would be allowed."""
    for ref in refs:
        decision = decide(world, replace(question, subject=ref))
        if decision.allows:
            yield ref, decision


def resources(world: World, question: Question, ids: Iterable[str]) -> Iterator[tuple[str, Decision]]:
    """Give those of these resources of the question's type for which the subject would be allowed."""
    for resource_id in ids:
        decision = decide(world, replace(question, resource=resource_id))
        if decision.allows:
            yield resource_id, decision


def actions(world: World, question: Question) -> Iterator[tuple[str, Decision]]:
    """Give the declared actions that would be allowed, by name."""
    resource_type = world.types.get(question.type)
    for name in sorted(resource_type.actions) if resource_type is not None else ():
        decision = decide(world, replace(question, action=name))
        if decision.allows:
            yield name, decision
