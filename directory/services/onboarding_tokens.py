"""An onboarding token lets a pipeline register agents of one blueprint: so many, for so long, from there; people answer."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import F

from agentiam.kit.actors import Actor
from agentiam.kit.errors import IllegalTransition, Invalid, NotAllowed
from agentiam.kit.tokens import PREFIXES, MalformedToken, Token, split_token
from directory import events
from directory.models import Agent, Blueprint, CredentialRecord, OnboardingToken, Organization, Team, User
from directory.selectors import facts_of
from directory.services.agents import AgentProfile
from directory.services.onboarding import FirstCredential, Onboarded, onboard_agent
from directory.services.proofs import check_networks, credential_end, new_api_key, peppers
from directory.services.reports import conclude, report, together
from directory.services.revisions import lock_organization
from directory.services.transitions import accountable_owner, accountable_sponsor
from directory.services.versions import save_version

LONGEST_DAYS: Final = 30
MOST_USES: Final = 1_000


class BadTokenTerms(Invalid):
    """The token would be for no agent, for too many, or for an environment that does not exist."""


class TokenRefused(NotAllowed):
    """The token is not known, not valid, not from here, or used up; whoever tries it is not told which."""


class EnvironmentNotAllowed(NotAllowed):
    """The token does not let an agent be registered there."""


def issue_onboarding_token(
    *,
    blueprint: Blueprint,
    label: str,
    owner: User,
    sponsor: User | None = None,
    sponsor_team: Team | None = None,
    environments: Iterable[str] = (),
    most_uses: int = 1,
    expires_at: datetime | None = None,
    allowed_networks: Iterable[str] = (),
    by: Actor,
    reason: str = "",
    now: datetime,
) -> tuple[OnboardingToken, Token]:
    """Let a pipeline register agents of a blueprint; the token holds the secret, which is seen here and never again.

    Owner and sponsor answer for those agents. No environment stands for every one. It ends after 30 days unless an earlier end
    is named. Raises NobodyAccountable, BadTokenTerms, BadEnd and BadNetwork.
    """
    places = list(dict.fromkeys(environments))
    if not set(places) <= set(Agent.Environment.values):
        raise BadTokenTerms("There is no such environment.", remedy=f"Known: {', '.join(Agent.Environment.values)}.")
    if not 1 <= most_uses <= MOST_USES:
        raise BadTokenTerms(f"A token is for 1 to {MOST_USES} agents.")
    with transaction.atomic():
        organization = lock_organization(blueprint.organization_id, by=by)
        person, team = accountable_sponsor(sponsor, sponsor_team, organization)
        record = OnboardingToken(
            organization=organization,
            blueprint=blueprint,
            kind=CredentialRecord.Kind.API_KEY,
            label=label,
            owner=accountable_owner(owner, organization),
            sponsor=person,
            sponsor_team=team,
            issued_by=None if by.user_id is None else User.objects.get(pk=by.user_id),
            environments=places,
            most_uses=most_uses,
            scopes=[],
            allowed_networks=check_networks(allowed_networks),
            expires_at=credential_end(expires_at, days=LONGEST_DAYS, now=now),
        )
        token = new_api_key(record, prefix=PREFIXES["onboarding"], now=now)
        save_version(record, by=by, reason=reason, now=now)
        data = {
            "blueprint": blueprint.external_id,
            "owner": record.owner.external_id,
            "public_id": record.public_id,
            "expires_at": record.expires_at.isoformat(),
            "allowed_networks": record.allowed_networks,
            "environments": places,
            "most_uses": most_uses,
        }
        issued = report(events.ONBOARDING_TOKEN_ISSUED, record, by=by, reason=reason, now=now, data=data)
        conclude([issued], touched=[f"key/{record.public_id}"])
    return record, token


def revoke_onboarding_token(*, token: OnboardingToken, by: Actor, reason: str = "", now: datetime) -> OnboardingToken:
    """End a token now, for good; the agents that were registered with it stay. Raises IllegalTransition when it was revoked."""
    with transaction.atomic():
        lock_organization(token.organization_id, by=by)
        current = OnboardingToken.objects.select_for_update(no_key=True, of=("self",)).get(pk=token.pk)
        if current.revoked_at is not None:
            raise IllegalTransition("The token has been revoked already.")
        current.revoked_at = now
        save_version(current, by=by, reason=reason, now=now, fields=["revoked_at"])
        data = {"public_id": current.public_id, "uses": current.uses}
        revoked = report(events.ONBOARDING_TOKEN_REVOKED, current, by=by, reason=reason, now=now, data=data)
        conclude([revoked], touched=[f"key/{current.public_id}"])
    return current


def proven_token(*, text: str, address: str, now: datetime) -> OnboardingToken:
    """Find the token that a text proves, if it is good now from that address; raises TokenRefused, never saying why.

    Whether it has uses left is seen when it is used. It is no good once whoever issued it, or its owner, was deactivated.
    The digest is compared in constant time, also where there is no such token.
    """
    refused = TokenRefused("This token cannot be used.", remedy="Ask whoever issued it for another.")
    try:
        given = split_token(text)
    except MalformedToken:
        raise refused from None
    rows = OnboardingToken.objects.select_related("blueprint", "organization", "owner", "issued_by")
    row = rows.filter(public_id=given.public_id).first()
    facts = None if row is None else facts_of(row, holder_id=row.blueprint_id, holder=row.blueprint.external_id, state="")
    keys = peppers()
    matches = keys.matches(given.secret, "" if facts is None else facts.digest, keys.current if facts is None else facts.pepper)
    if row is None or facts is None or not matches or given.prefix != PREFIXES["onboarding"]:
        raise refused
    if row.organization.state != Organization.State.ACTIVE:
        raise refused
    if not facts.live(now) or not facts.admits(address):
        raise refused
    if not row.owner.is_active or (row.issued_by is not None and not row.issued_by.is_active):
        raise refused
    return row


def onboard_with_token(
    *,
    token: OnboardingToken,
    external_id: str,
    profile: AgentProfile,
    credential: FirstCredential | None = None,
    address: str = "",
    request_id: str = "",
    reason: str = "",
    now: datetime,
) -> Onboarded:
    """Register an agent in the name of a token that was proven, and count the use; a refusal counts none.

    The token is the one who acts; its owner and sponsor answer for the agent. Neither its owner nor whoever issued it can agree
    to the onboarding.
    Raises TokenRefused when it was revoked, used up or over meanwhile, EnvironmentNotAllowed, and as ``onboard_agent``.
    """
    by = Actor(
        kind="application",
        id=f"onboarding-token/{token.pk}",
        label=token.label or f"onboarding token {token.public_id}",
        organization_id=token.organization_id,
        address=address,
        request_id=request_id,
    )
    with together():
        organization = lock_organization(token.organization_id, by=by)
        current = _count_use(token, now=now)
        if current.environments and profile.environment not in current.environments:
            raise EnvironmentNotAllowed(f"The token is for {', '.join(current.environments)}.")
        save_version(current, by=by, reason=reason, now=now, fields=["uses", "last_used_at"])
        onboarded = onboard_agent(
            organization=organization,
            external_id=external_id,
            profile=profile,
            owner=current.owner,
            sponsor=current.sponsor,
            sponsor_team=current.sponsor_team,
            blueprint=current.blueprint,
            registrar=current.issued_by or current.owner,
            credential=credential,
            by=by,
            reason=reason,
            now=now,
        )
        data = {"agent": external_id, "uses": current.uses, "most_uses": current.most_uses}
        used = report(events.ONBOARDING_TOKEN_USED, current, by=by, reason=reason, now=now, data=data)
        conclude([used], touched=[f"key/{current.public_id}"])
    return onboarded


def _count_use(token: OnboardingToken, *, now: datetime) -> OnboardingToken:
    """Take one use by compare-and-swap: of many pipelines at once no more get in than the token is for."""
    usable = OnboardingToken.objects.live(now).filter(pk=token.pk, uses__lt=F("most_uses"))
    if not usable.update(uses=F("uses") + 1, last_used_at=now):
        raise TokenRefused("This token cannot be used.", remedy="Ask whoever issued it for another.")
    return OnboardingToken.objects.select_related("blueprint", "owner", "sponsor", "sponsor_team", "issued_by").get(pk=token.pk)
