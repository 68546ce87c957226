"""How agents prove themselves: every credential ends, a secret is seen once, and a key's use is noted at most once a minute."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Q

from agentiam.kit.actors import Actor
from agentiam.kit.errors import Conflict, IllegalTransition, Invalid
from agentiam.kit.tokens import PREFIXES, Token
from audit.events import EventType
from audit.services import Change
from directory import events
from directory.lifecycle import State
from directory.models import Agent, Credential, CredentialRecord, Scope
from directory.services.proofs import (
    DEFAULT_DAYS,
    check_networks,
    check_public_jwk,
    check_scopes,
    check_workload_identity,
    credential_end,
    new_api_key,
    succeed,
)
from directory.services.reports import conclude, report
from directory.services.revisions import agent_refs
from directory.services.transitions import lock_agent, require_unexpired
from directory.services.versions import save_version
from directory.workloads import same_conditions

DECIDE_ONLY: Final = (Scope.DECIDE.value,)
USE_NOTED_EVERY: Final = timedelta(minutes=1)
_HOLDERS: Final = (State.PENDING, State.ACTIVE, State.SUSPENDED)
_SECRETS: Final = (CredentialRecord.Kind.API_KEY, CredentialRecord.Kind.CLIENT_SECRET)


class MethodNotAllowed(Conflict):
    """The agent's blueprint does not allow this kind of credential."""


class IdentityTaken(Conflict):
    """The workload's identity stands for an agent of the organization already."""


class KeyNotBound(Invalid):
    """An API key is itself what it is shown for; only tokens are bound to a key of the holder's."""

    field = "requires_dpop"


class NotRotatable(Conflict):
    """The credential has no secret, or is at its end, or has a successor."""


def issue_api_key(
    *,
    agent: Agent,
    label: str,
    expires_at: datetime | None = None,
    allowed_networks: Iterable[str] = (),
    scopes: Iterable[str] = DECIDE_ONLY,
    requires_dpop: bool = False,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> tuple[Credential, Token]:
    """Give an agent an API key; the token holds the secret, which is seen here and never again.

    The key ends after the blueprint's longest life, or 90 days, unless an earlier end is named. Raises BadEnd, BadNetwork,
    MethodNotAllowed, AgentIsOver, IllegalTransition for an agent that is retired or not registered, and KeyNotBound where
    ``requires_dpop`` is asked of it, which is for credentials that get tokens.
    """
    if requires_dpop:
        raise KeyNotBound("An API key gets no tokens, so it can demand no proof of possession for them.")
    return _issue_secret(
        CredentialRecord.Kind.API_KEY,
        agent,
        label,
        expires_at,
        allowed_networks=allowed_networks,
        scopes=scopes,
        requires_dpop=requires_dpop,
        by=by,
        reason=reason,
        now=now,
    )


def issue_client_secret(
    *,
    agent: Agent,
    label: str,
    expires_at: datetime | None = None,
    allowed_networks: Iterable[str] = (),
    scopes: Iterable[str] = DECIDE_ONLY,
    requires_dpop: bool = False,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> tuple[Credential, Token]:
    """Give an agent a client secret; as ``issue_api_key``.

    With ``requires_dpop``, here and for the other ways to get tokens, they are bound to a key of the agent's (RFC 9449).
    """
    return _issue_secret(
        CredentialRecord.Kind.CLIENT_SECRET,
        agent,
        label,
        expires_at,
        allowed_networks=allowed_networks,
        scopes=scopes,
        requires_dpop=requires_dpop,
        by=by,
        reason=reason,
        now=now,
    )


def register_public_key(
    *,
    agent: Agent,
    label: str,
    jwk: dict[str, Any],
    expires_at: datetime | None = None,
    allowed_networks: Iterable[str] = (),
    scopes: Iterable[str] = DECIDE_ONLY,
    requires_dpop: bool = False,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> Credential:
    """Note the public half of a key that the agent holds; raises BadPublicKey, PrivateKeyShown, and as ``issue_api_key``.

    ``scopes`` are what tokens for agentiam itself may be for that are got with it.
    """
    checked = check_public_jwk(jwk)
    with transaction.atomic():
        credential = _new(CredentialRecord.Kind.PUBLIC_KEY, agent, label, expires_at, allowed_networks, by=by, now=now)
        credential.jwk, credential.scopes, credential.requires_dpop = checked, check_scopes(scopes), requires_dpop
        _store(credential, by=by, reason=reason, now=now)
    return credential


def register_federated(
    *,
    agent: Agent,
    label: str,
    issuer: str,
    subject: str,
    audience: str = "",
    conditions: Mapping[str, Any] | None = None,
    expires_at: datetime | None = None,
    allowed_networks: Iterable[str] = (),
    requires_dpop: bool = False,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> Credential:
    """Let an identity that another issuer vouches for stand for the agent: a workload's issuer, exact, and its subject.

    The subject may be a pattern, and ``conditions`` say what else the token must (``directory.workloads``); ``audience`` is
    what it is made out to, our issuer if it is empty. Of an organization's agents only one can have the same at a time.
    Raises BadWorkloadIdentity, BadTokenAudience, BadConditions, IdentityTaken, and as ``issue_api_key``.
    """
    check_workload_identity(issuer, subject, audience=audience, conditions=conditions)
    wanted = dict(conditions or {})
    with transaction.atomic():
        credential = _new(CredentialRecord.Kind.FEDERATED, agent, label, expires_at, allowed_networks, by=by, now=now)
        others = Credential.objects.live(now).filter(organization=credential.organization, issuer=issuer, subject=subject)
        if any(same_conditions(taken, wanted) for taken in others.values_list("conditions", flat=True)):
            raise IdentityTaken("Another credential has this identity.", remedy="Revoke that one first.")
        credential.issuer, credential.subject = issuer, subject
        credential.audience, credential.conditions, credential.requires_dpop = audience, wanted, requires_dpop
        _store(credential, by=by, reason=reason, now=now)
    return credential


def rotate_api_key(
    *,
    credential: Credential,
    overlap: timedelta,
    expires_at: datetime | None = None,
    by: Actor,
    reason: str = "",
    now: datetime,
) -> tuple[Credential, Token]:
    """Replace an API key or client secret by another; the old one ends after the overlap, or at once if that is zero.

    What rests on the old one ends with it: whoever held it may have made that. The new one rests on what the old one did, and
    ends no later. Raises NotRotatable, BadEnd, and as ``issue_api_key``.
    """
    with transaction.atomic():
        old = _lock_credential(credential, by=by)
        if old.kind not in _SECRETS:
            raise NotRotatable("A public key is replaced by registering another.")
        if old.revoked_at is not None or old.expires_at <= now:
            raise NotRotatable("This credential has ended.", remedy="Issue another.")
        if old.successor_id is not None:
            raise NotRotatable("This credential has a successor already.", remedy="Rotate the successor.")
        new = _new(CredentialRecord.Kind(old.kind), old.agent, old.label, expires_at, old.allowed_networks, by=by, now=now)
        new.scopes, new.requires_dpop, new.rests_on = old.scopes, old.requires_dpop, old.rests_on
        if old.rests_on is not None:
            new.expires_at = min(new.expires_at, old.rests_on.expires_at)
        token = new_api_key(new, prefix=PREFIXES["agent"], now=now)
        save_version(new, by=by, reason=reason, now=now)
        fields = succeed(old, new, overlap=overlap, now=now)
        save_version(old, by=by, reason=reason, now=now, fields=fields)
        data = {"successor": str(new.pk), "ends": (old.revoked_at or old.expires_at).isoformat()}
        happened = [
            _report(events.CREDENTIAL_ISSUED, new, by=by, reason=reason, now=now, data={}),
            _report(events.CREDENTIAL_ROTATED, old, by=by, reason=reason, now=now, data=data),
        ]
        touched = _refs(old) | _refs(new)
        for each in _resting_on(old):
            happened.append(_end_with(old, each, by=by, reason=reason, now=now))
            touched |= _refs(each)
        conclude(happened, touched=touched)
    return new, token


def revoke_credential(*, credential: Credential, by: Actor, reason: str = "", now: datetime) -> Credential:
    """End a credential now, for good, with those of spawned agents that rest on it.

    Raises IllegalTransition when it has been revoked already.
    """
    with transaction.atomic():
        current = _lock_credential(credential, by=by)
        if current.revoked_at is not None:
            raise IllegalTransition("The credential has been revoked already.")
        happened, touched = [], set()
        for each in (current, *_resting_on(current)):
            each.revoked_at = now
            save_version(each, by=by, reason=reason, now=now, fields=["revoked_at"])
            happened.append(_report(events.CREDENTIAL_REVOKED, each, by=by, reason=reason, now=now, data={}))
            touched |= _refs(each)
        conclude(happened, touched=touched)
    return current


def _resting_on(credential: Credential) -> list[Credential]:
    """List what spawned agents, and those that they spawned, were given by somebody who called with a credential."""
    found, waiting = [], [credential]
    while waiting:
        resting = Credential.objects.filter(rests_on__in=waiting, revoked_at__isnull=True)
        waiting = list(resting.select_related("agent", "organization").order_by("pk"))
        found += waiting
    return found


def _end_with(old: Credential, resting: Credential, *, by: Actor, reason: str, now: datetime) -> Change:
    """Let a credential end when the one ends that it rests on; that one is at its end, or near it."""
    if old.revoked_at is not None:
        resting.revoked_at = now
        event, fields = events.CREDENTIAL_REVOKED, ["revoked_at"]
    else:
        resting.expires_at = min(resting.expires_at, old.expires_at)
        event, fields = events.CREDENTIAL_SHORTENED, ["expires_at"]
    save_version(resting, by=by, reason=reason, now=now, fields=fields)
    return _report(event, resting, by=by, reason=reason, now=now, data={})


def note_use(*, credential: CredentialRecord, now: datetime) -> bool:
    """Note that a credential was used, and its agent seen; answers whether it was written.

    Written once a minute at most, by one conditional UPDATE, with neither a version nor an event.
    """
    rows = type(credential)._default_manager.filter(pk=credential.pk)  # noqa: SLF001  (whatever table the record is in)
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lte=now - USE_NOTED_EVERY)
    written = rows.filter(stale).update(last_used_at=now)
    if written and isinstance(credential, Credential):
        seen_earlier = Q(last_seen_at__isnull=True) | Q(last_seen_at__lt=now)
        Agent.objects.filter(seen_earlier, pk=credential.agent_id).update(last_seen_at=now, dormant_since=None)
    return bool(written)


def _issue_secret(
    kind: CredentialRecord.Kind,
    agent: Agent,
    label: str,
    expires_at: datetime | None,
    *,
    allowed_networks: Iterable[str],
    scopes: Iterable[str],
    requires_dpop: bool,
    by: Actor,
    reason: str,
    now: datetime,
) -> tuple[Credential, Token]:
    with transaction.atomic():
        credential = _new(kind, agent, label, expires_at, allowed_networks, by=by, now=now)
        credential.scopes, credential.requires_dpop = check_scopes(scopes), requires_dpop
        token = new_api_key(credential, prefix=PREFIXES["agent"], now=now)
        _store(credential, by=by, reason=reason, now=now)
    return credential, token


def _new(
    kind: CredentialRecord.Kind,
    agent: Agent,
    label: str,
    expires_at: datetime | None,
    allowed_networks: Iterable[str],
    *,
    by: Actor,
    now: datetime,
) -> Credential:
    """Make an unsaved credential for a locked agent, within its blueprint's limits."""
    current = lock_agent(agent, by=by)
    if State(current.state) not in _HOLDERS:
        raise IllegalTransition(f"A {current.state} agent gets no credentials.")
    require_unexpired(current, now=now)
    blueprint = current.blueprint
    if blueprint is not None and blueprint.credential_methods and kind not in blueprint.credential_methods:
        raise MethodNotAllowed(f"{blueprint} does not allow this: {kind.label}.")
    return Credential(
        organization=current.organization,
        agent=current,
        kind=kind,
        label=label,
        allowed_networks=check_networks(allowed_networks),
        created_at=now,
        expires_at=credential_end(expires_at, days=DEFAULT_DAYS if blueprint is None else blueprint.credential_days, now=now),
    )


def _lock_credential(credential: Credential, *, by: Actor) -> Credential:
    lock_agent(credential.agent, by=by)
    return Credential.objects.select_for_update(no_key=True, of=("self",)).select_related("agent").get(pk=credential.pk)


def _store(credential: Credential, *, by: Actor, reason: str, now: datetime) -> None:
    save_version(credential, by=by, reason=reason, now=now)
    issued = _report(events.CREDENTIAL_ISSUED, credential, by=by, reason=reason, now=now, data={})
    conclude([issued], touched=_refs(credential))


def _report(event: EventType, credential: Credential, *, by: Actor, reason: str, now: datetime, data: dict[str, Any]) -> Change:
    about = {
        "agent": credential.agent.external_id,
        "kind": str(credential.kind),
        "public_id": credential.public_id,
        "expires_at": credential.expires_at.isoformat(),
        "allowed_networks": credential.allowed_networks,
        "scopes": credential.scopes,
        "requires_dpop": credential.requires_dpop,
    }
    if credential.kind == CredentialRecord.Kind.FEDERATED:
        names = ("issuer", "subject", "audience", "conditions")
        about.update({name: getattr(credential, name) for name in names})
    return report(event, credential, by=by, reason=reason, now=now, data={**about, **data})


def _refs(credential: Credential) -> set[str]:
    key = set() if credential.public_id is None else {f"key/{credential.public_id}"}
    return agent_refs([credential.agent]) | key
