"""What would be if a user said yes: the same world, with a consent in it that nobody gave yet.

Who is asked for their consent is shown what it would be worth: everything but the consent is looked at as it is.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from permissions.engine.types import ConsentFacts, Ref, Rule, World

ASSUMED: Final = Rule("consent", "assumed")


def with_consent(world: World, user: Ref, agent: Ref, types: Iterable[str]) -> World:
    """Answer a world in which a user lets an agent do everything with objects of some types; what is there stays."""
    principal = world.principals.get(user)
    if principal is None:
        return world
    name = agent.partition("/")[2]
    given = tuple(ConsentFacts(each, None, -1, "", None, None, ASSUMED) for each in types)
    consents = {**principal.consents, name: (*principal.consents.get(name, ()), *given)}
    return replace(world, principals={**world.principals, user: replace(principal, consents=consents)})
