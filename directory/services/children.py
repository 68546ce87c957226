"""An agent gives the child that it spawned its first proof, and no other: one for each child, which ends with the child.

Whoever steals a key that may write must not let anybody in who was not in before, nor for longer. A child is in through its
parent already: what it may do lies within what its parent may. Its credential is bound as the one is that the parent showed, to
a key and to networks, and ends with it.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Conflict, NotAllowed
from agentiam.kit.tokens import Token
from directory.models import Agent, Credential
from directory.services.credentials import DECIDE_ONLY, issue_client_secret, register_public_key
from directory.services.proofs import DEFAULT_DAYS
from directory.services.transitions import lock_agent, require_effectively_active
from directory.services.versions import save_version


class NotItsChild(NotAllowed):
    """Only an agent gives a credential in this way, and only to an agent that it spawned itself."""


class BeyondTheParent(NotAllowed):
    """The credential would be for more than what the parent has shown that it may itself."""


class ChildHasCredential(Conflict):
    """The child was given a credential before."""


def give_child_credential(
    *,
    child: Agent,
    label: str,
    jwk: dict[str, Any] | None = None,
    scopes: Iterable[str] = DECIDE_ONLY,
    shown: Credential | None,
    held: Collection[str],
    by: Actor,
    reason: str = "",
    now: datetime,
) -> tuple[Credential, Token | None]:
    """Give a child its one credential: a client secret, seen here and never again, or the public key that is named.

    ``shown`` is the credential with which the parent calls, or that its token rests on, and ``held`` the scopes of the call.
    Raises NotItsChild, BeyondTheParent, ChildHasCredential, AgentNotActive, and as ``issue_client_secret``.
    """
    with transaction.atomic():
        current = lock_agent(child, by=by)
        parent = current.parent
        if by.kind != "agent" or parent is None or by.user_id != parent.user_id or shown is None or shown.agent_id != parent.pk:
            raise NotItsChild("An agent gives a credential to a child of its own only.")
        # Read anew behind the lock: what is given must end with a credential that has not ended before.
        shown = Credential.objects.select_for_update(no_key=True).get(pk=shown.pk)
        if shown.revoked_at is not None or shown.expires_at <= now:
            raise NotItsChild("The credential that the call was proven with has ended.")
        require_effectively_active(current, now=now)
        wanted = list(scopes)
        if not set(wanted) <= {*held, *(set(DECIDE_ONLY) & set(shown.scopes))}:
            raise BeyondTheParent("A child's credential is for no more than what its parent calls with.")
        if Credential.objects.filter(agent=current).exists():
            raise ChildHasCredential(f"{current} was given a credential before.", remedy="Retire it and spawn another.")
        given: dict[str, Any] = {
            "agent": current,
            "label": label,
            "scopes": wanted,
            "expires_at": _end(current, shown, now=now),
            "allowed_networks": shown.allowed_networks,
            "requires_dpop": shown.requires_dpop,
            "by": by,
            "reason": reason,
            "now": now,
        }
        credential, token = issue_client_secret(**given) if jwk is None else (register_public_key(jwk=jwk, **given), None)
        credential.rests_on = shown
        save_version(credential, by=by, reason=reason, now=now, fields=["rests_on"])
    return credential, token


def _end(child: Agent, shown: Credential, *, now: datetime) -> datetime:
    """End with the child and with what the parent showed, or as early as the blueprint wants."""
    days = DEFAULT_DAYS if child.blueprint is None else child.blueprint.credential_days
    ends = [shown.expires_at, now + timedelta(days=days)]
    return min([*ends, child.expires_at] if child.expires_at is not None else ends)
