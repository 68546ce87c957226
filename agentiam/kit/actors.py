"""Who does something: a person, an agent, an application, or the system itself; by id and label, never by foreign key."""

from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

ActorKind = Literal["person", "agent", "application", "system"]


@dataclass(frozen=True, slots=True)
class Actor:
    """The one who makes a change, as the event log and the version history name them.

    ``user_id`` is the primary key of the account that histories point to; None for the system and for applications.
    ``organization_id`` is None for the system alone, which acts in every organization.
    """

    kind: ActorKind
    id: str
    label: str
    organization_id: UUID | None = None
    user_id: UUID | None = None
    address: str = ""
    request_id: str = ""


def system(component: str) -> Actor:
    """Name a part of the product that acts on its own: the clock, a command, the importer."""
    return Actor(kind="system", id=component, label=f"agentiam {component}")


CLOCK: Final = system("clock")
