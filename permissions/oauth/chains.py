"""Who acts, through whom, for whom: the claims ``sub`` and ``act`` (RFC 8693, section 4.1) and what a decision calls the same.

``sub`` is whose authority is used; the outermost ``act`` is who acts now, the ones within are who acted before. A token of an
agent for itself has no ``act``. There is no token of a user's without an actor.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from permissions.engine.types import Ref

MAX_ACTORS: Final = 5
SUB_PROFILE: Final = "ai_agent"
"""draft-mcguinness-oauth-actor-profile-00."""


class BadChain(ValueError):
    """The claims do not say who acts for whom."""


@dataclass(frozen=True, slots=True)
class Chain:
    """``subject`` is ``agent/…`` or ``user/…``; ``actors`` are agents, the present one first."""

    subject: Ref
    actors: tuple[Ref, ...] = ()

    def __post_init__(self) -> None:
        kinds = {"agent", "user"} if self.actors else {"agent"}
        if self.subject.partition("/")[0] not in kinds or not all(each.startswith("agent/") for each in self.actors):
            raise BadChain("a user is acted for by an agent")

    @property
    def actor(self) -> Ref:
        """The agent that acts now."""
        return self.actors[0] if self.actors else self.subject

    @property
    def on_behalf_of(self) -> Ref | None:
        """The user that is acted for."""
        return self.subject if self.subject.startswith("user/") else None

    @property
    def delegation(self) -> tuple[Ref, ...]:
        """Who delegated, the outermost first, as a question names them."""
        earlier = tuple(reversed(self.actors[1:]))
        return earlier if self.on_behalf_of or not self.actors else (self.subject, *earlier)

    @property
    def agents(self) -> tuple[Ref, ...]:
        """All agents of the chain, the present actor first."""
        return (*self.actors, *(() if self.on_behalf_of else (self.subject,)))

    def through(self, agent: Ref) -> "Chain":
        """Put another agent in front: it acts from now on, and who acted until now delegates."""
        return Chain(self.subject, (agent, *self.actors))

    def claims(self, issuer: str) -> dict[str, Any]:
        """The claims ``sub`` and ``act``."""
        act: dict[str, Any] | None = None
        for each in reversed(self.actors):
            act = {"sub": each, "iss": issuer, "sub_profile": SUB_PROFILE, **({} if act is None else {"act": act})}
        own = {} if self.actors else {"sub_profile": SUB_PROFILE}
        return {"sub": self.subject, **own, **({} if act is None else {"act": act})}


def chain_of(claims: Mapping[str, Any]) -> Chain:
    """Read the chain of a token; raises BadChain."""
    actors: list[str] = []
    act = claims.get("act")
    while act is not None:
        if not isinstance(act, dict) or not isinstance(act.get("sub"), str) or len(actors) >= MAX_ACTORS:
            raise BadChain("act is malformed, or nested too deeply")
        actors.append(act["sub"])
        act = act.get("act")
    subject = claims.get("sub")
    if not isinstance(subject, str):
        raise BadChain("there is no sub")
    return Chain(subject, tuple(actors))
