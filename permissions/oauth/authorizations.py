"""Access tokens are revoked one by one, or all that an agent has; what was exchanged for one goes with it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from agentiam.kit.actors import Actor
from agentiam.kit.errors import IllegalTransition
from directory.models import Agent
from directory.services.reports import conclude
from directory.services.revisions import lock_organization
from permissions.models import AccessToken
from permissions.services.authorizations import end_authorization, revoke_with_descendants, token_refs, tokens_revoked

__all__ = ["end_authorization", "revoke_token", "revoke_tokens_of"]


def revoke_token(*, token: AccessToken, by: Actor, reason: str = "", now: datetime) -> int:
    """Revoke a token and all that were exchanged for it; answers how many were live. Raises IllegalTransition."""
    with transaction.atomic():
        lock_organization(token.organization_id, by=by)
        if AccessToken.objects.filter(pk=token.pk, revoked_at__isnull=False).exists():
            raise IllegalTransition("The token has been revoked already.")
        ended = revoke_with_descendants(AccessToken.objects.filter(pk=token.pk), now)
        _conclude(token.agent, ended, by=by, reason=reason, now=now)
    return len(ended)


def revoke_tokens_of(*, agent: Agent, by: Actor, reason: str = "", now: datetime) -> int:
    """Revoke every live token of an agent's, and all that were exchanged for one; answers how many."""
    with transaction.atomic():
        lock_organization(agent.organization_id, by=by)
        ended = revoke_with_descendants(AccessToken.objects.filter(agent=agent).live(now), now)
        if ended:
            _conclude(agent, ended, by=by, reason=reason, now=now)
    return len(ended)


def _conclude(agent: Agent, ended: Sequence[Any], *, by: Actor, reason: str, now: datetime) -> None:
    conclude([tokens_revoked(agent, ended, because=reason, by=by, now=now)], touched=token_refs(ended))
