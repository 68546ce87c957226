"""What an agent may do for a person ends: by the person with the consents that nothing else rests on, by others alone."""

from datetime import datetime

from agentiam.kit.actors import Actor
from agentiam.kit.errors import IllegalTransition, Invalid
from directory.services.reports import together
from directory.services.revisions import lock_organization
from permissions.models import Authorization
from permissions.services.authorizations import end_authorization
from permissions.services.consents import end_consent


class ReasonMissing(Invalid):
    """Somebody else's authorization is ended for a reason, which its user will ask about."""

    field = "reason"


def end_connection(*, authorization: Authorization, by: Actor, now: datetime) -> Authorization:
    """End an authorization with its consents; a consent stays that another live authorization rests on."""
    return _end_with_consents(authorization, by=by, reason="", now=now)


def withdraw_authorization(*, authorization: Authorization, by: Actor, reason: str = "", now: datetime) -> Authorization:
    """End an authorization: its user as ``end_connection``, anybody else alone, and saying why.

    The consents are the user's, and stay. Raises ReasonMissing, and IllegalTransition when it was ended already.
    """
    with together():
        lock_organization(authorization.organization_id, by=by)
        if Authorization.objects.filter(pk=authorization.pk, ended_at__isnull=False).exists():
            raise IllegalTransition("The authorization was ended already.")
        if by.user_id == authorization.user_id:
            return _end_with_consents(authorization, by=by, reason=reason, now=now)
        if not reason.strip():
            raise ReasonMissing("Say why: this is somebody else's authorization.")
        return end_authorization(authorization=authorization, because=reason, by=by, now=now)


def _end_with_consents(authorization: Authorization, *, by: Actor, reason: str, now: datetime) -> Authorization:
    with together():
        ended = end_authorization(authorization=authorization, because=reason or "the user ended it", by=by, now=now)
        for consent in ended.consents.filter(ended_at__isnull=True).order_by("pk"):
            if not Authorization.objects.live(now).filter(consents=consent).exists():
                end_consent(consent=consent, by=by, reason=reason, now=now)
    return ended
