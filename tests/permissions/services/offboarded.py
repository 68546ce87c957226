"""What offboarding is tried on: tokens of an agent for a user, and a count of what nobody ended."""

import json
from datetime import timedelta

from directory.models import Credential, Run
from permissions.models import (
    AccessToken,
    Authorization,
    Consent,
    Delegation,
    Grant,
    OAuthClient,
    RefreshToken,
    RoleAssignment,
)
from tests.factories import NOW
from tests.permissions.factories import (
    make_access_token,
    make_authorization,
)

LATER = NOW + timedelta(hours=1)
REASON = "The project is over."


def give_tokens(user, agent):
    """One of what is issued to an agent for a user: by an authorization that rests on no consent, and otherwise."""
    agreed = make_authorization(user, agent, created_at=NOW, ends_at=NOW + timedelta(days=1))
    RefreshToken.objects.create(authorization=agreed, public_id=agent.external_id[:16], digest="d", expires_at=agreed.ends_at)
    lasts = {"issued_at": NOW, "expires_at": NOW + timedelta(hours=2)}
    make_access_token(agent, user=user, authorization=agreed, **lasts)
    own = make_access_token(agent, user=user, **lasts)
    make_access_token(agent, user=user, issued_at=NOW, expires_at=NOW + timedelta(minutes=1))
    return own


def live(cast):
    """Count what nobody ended, over all agents and people."""
    return {
        "grants": Grant.objects.filter(ended_at__isnull=True).count(),
        "roles": RoleAssignment.objects.filter(ended_at__isnull=True).count(),
        "consents": Consent.objects.filter(ended_at__isnull=True).count(),
        "delegations": Delegation.objects.filter(ended_at__isnull=True).count(),
        "credentials": Credential.objects.filter(revoked_at__isnull=True).count(),
        "runs": Run.objects.filter(ended_at__isnull=True).count(),
        "authorizations": Authorization.objects.live(LATER).count(),
        "refresh_tokens": RefreshToken.objects.filter(used_at__isnull=True).count(),
        "access_tokens": AccessToken.objects.live(LATER).count(),
        "oauth_clients": OAuthClient.objects.count(),
    }


def said(proof):
    return json.loads(proof.body)["content"]
