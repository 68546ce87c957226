"""Whether a token still stands for what it says, now: whatever it rests on is looked at, and one end is enough."""

from datetime import datetime
from itertools import pairwise
from typing import Any
from uuid import UUID

from agentiam.kit.tokens import PREFIXES, MalformedToken, Peppers, split_token
from directory.models import Agent, Organization, Run, User
from directory.services.proofs import peppers
from permissions.models import AccessToken, Consent, Delegation
from permissions.oauth.chains import BadChain, Chain, chain_of
from permissions.oauth.issuers import issuers_of
from permissions.oauth.keys import ALGORITHMS, public_key
from permissions.oauth.signed import BadSignature, read_statement
from permissions.oauth.tokens import TYPE
from permissions.services.authorizations import MAX_GENERATIONS


def find_token(text: str, organization: Organization, *, now: datetime) -> AccessToken | None:
    """Find the row of a token of an organization's, by its signature or its secret; None for what is none of its."""
    return _by_reference(text, organization) if text.startswith(f"{PREFIXES['access']}_") else _signed(text, organization, now)


def _rows(organization: Organization) -> Any:
    related = ("agent__parent", "agent__user", "credential", "authorization__run", "user", "run", "organization")
    return AccessToken.objects.select_related(*related).filter(organization=organization)


def _by_reference(text: str, organization: Organization) -> AccessToken | None:
    try:
        token = split_token(text)
    except MalformedToken:
        return None
    row: AccessToken | None = _rows(organization).filter(public_id=token.public_id).first()
    known: Peppers = peppers()
    if row is None or row.pepper is None or token.prefix != PREFIXES["access"]:
        return None
    return row if known.matches(token.secret, row.digest, row.pepper) else None


def _signed(text: str, organization: Organization, now: datetime) -> AccessToken | None:
    try:
        statement = read_statement(text, types=[TYPE])
        kid = statement.header.get("kid")
        key = public_key(organization.pk, kid, now=now) if kid else None
        if key is None:
            return None
        statement.verify(key.jwk, ALGORITHMS)
        chain = chain_of(statement.claims)
    except (BadSignature, BadChain):
        return None
    claims = statement.claims
    if claims.get("iss") not in {each.url for each in issuers_of(organization)}:
        return None
    try:
        jti = UUID(str(claims.get("jti")))
    except ValueError:
        return None
    row: AccessToken | None = _rows(organization).filter(pk=jti, kid=kid).first()
    if row is None or (row.subject, tuple(row.actors)) != (chain.subject, chain.actors):
        return None
    return row


def stands(row: AccessToken, *, now: datetime) -> bool:
    """Tell whether a token is good for anything now; a few queries, and as many more for each token that it came from."""
    line = lineage(row)
    return len(line) <= MAX_GENERATIONS and all(_stands_alone(each, now=now) for each in line)


def lineage(row: AccessToken) -> list[AccessToken]:
    """List a token and those that it came from by exchange, itself first; where they are too many, one more than may be."""
    line = [row]
    while line[-1].parent_id is not None and len(line) <= MAX_GENERATIONS:
        line.append(_rows(row.organization).get(pk=line[-1].parent_id))
    return line


def _stands_alone(row: AccessToken, *, now: datetime) -> bool:
    if row.revoked_at is not None or row.expires_at <= now or row.organization.state != Organization.State.ACTIVE:
        return False
    credential, authorization, run = row.credential, row.authorization, row.run
    if credential is not None and (credential.revoked_at is not None or credential.expires_at <= now):
        return False
    if authorization is not None and (authorization.ended_at is not None or authorization.ends_at <= now):
        return False
    agreed = None if authorization is None else authorization.run
    if any(each is not None and not _runs(each, now=now) for each in (run, agreed)):
        return False
    chain = Chain(row.subject, tuple(row.actors))
    return _agents_act(row, chain, now) and _user_agrees(row, chain, now) and _links_hold(row, chain, now)


def _runs(run: Run, *, now: datetime) -> bool:
    return run.ended_at is None and (run.expires_at is None or run.expires_at > now)


def _agents_act(row: AccessToken, chain: Chain, now: datetime) -> bool:
    names = {each.partition("/")[2] for each in chain.agents}
    acting = Agent.objects.filter(organization=row.organization, external_id__in=names).effectively_active(now)
    accountable = acting.filter(user__is_active=True, owner__is_active=True, ownerless=False)
    return accountable.count() == len(names)


def _user_agrees(row: AccessToken, chain: Chain, now: datetime) -> bool:
    """A token for a user needs them active, and a consent to the first agent for each type that it names."""
    if chain.on_behalf_of is None:
        return True
    user = row.user
    if user is None or not User.objects.active().filter(pk=user.pk).exists():
        return False
    first = chain.agents[-1].partition("/")[2]
    given = Consent.objects.filter(user=user, agent__external_id=first, agent__organization=row.organization)
    types = set(given.live(now).values_list("resource_type__name", flat=True))
    named = {scope.rpartition(":")[0] for scope in row.scopes if ":" in scope} | {each["resource_type"] for each in row.details}
    return named <= types if named else bool(types)


def _links_hold(row: AccessToken, chain: Chain, now: datetime) -> bool:
    """Every agent that handed on still delegates to the next."""
    order = [each.partition("/")[2] for each in (*chain.delegation, chain.actor)]
    for delegator, delegate in pairwise(order):
        links = Delegation.objects.filter(
            organization=row.organization, delegator__external_id=delegator, delegate__external_id=delegate
        )
        if not links.live(now).exists():
            return False
    return True
