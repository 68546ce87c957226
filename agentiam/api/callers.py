"""Who calls: an account by its session or key, or an application by its key; each is limited by what the key is for."""

from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import UUID

from django.http import HttpRequest

from agentiam.kit.actors import Actor
from agentiam.requests import client_address, request_id
from directory.models import Credential, User
from permissions.models import AccessToken


@dataclass(frozen=True, slots=True)
class ApplicationCaller:
    """An application that calls with its own key: it has no account, and no right but to what is its own."""

    application_id: UUID
    organization_id: UUID
    slug: str
    name: str
    is_active: bool = True
    is_authenticated: bool = True
    is_anonymous: bool = False

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Answer no: rights over an organization are people's."""
        return False


@dataclass(frozen=True, slots=True)
class Proof:
    """How the caller proved who it is, and what that is good for; a session is good for everything."""

    scopes: frozenset[str]
    key: str
    """The public id of the key; empty where a token was shown."""
    token: str = ""
    """The id of the token, and ``client`` whose it is."""
    client: str = ""


def credential_of(proof: Proof) -> Credential | None:
    """Find the agent's credential that a call rests on, also by way of a token; None for people and applications."""
    if not proof.token:
        return Credential.objects.filter(public_id=proof.key).exclude(public_id="").first()
    row = AccessToken.objects.filter(pk=proof.token).select_related("credential").first()
    return None if row is None else row.credential


Caller: TypeAlias = User | ApplicationCaller


def actor_of(request: Any) -> Actor:
    """Name the caller of an authenticated request, for events and versions."""
    plain: HttpRequest = getattr(request, "_request", request)
    address, number = client_address(plain), request_id(plain)
    caller = request.user
    if isinstance(caller, ApplicationCaller):
        return Actor(
            kind="application",
            id=caller.slug,
            label=caller.name,
            organization_id=caller.organization_id,
            address=address,
            request_id=number,
        )
    actor: Actor = caller.as_actor(address=address, request_id=number)
    return actor
