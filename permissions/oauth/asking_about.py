"""Introspection (RFC 7662) and revocation (RFC 7009): to whom a token is shown it is told the truth of now, and no more.

A resource server asks about tokens that were made out to it, an agent about its own; about others the answer is that of a text
that is no token at all.
"""

from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings

from agentiam.kit.actors import Actor
from agentiam.kit.errors import IllegalTransition
from agentiam.kit.tokens import PREFIXES, MalformedToken, Peppers, split_token
from permissions.engine.effective import access
from permissions.models import AccessToken, Application
from permissions.oauth.authorizations import end_authorization, revoke_token
from permissions.oauth.chains import Chain
from permissions.oauth.clients import ProvenClient, authenticate, client_id_of
from permissions.oauth.codes import find_refresh_token
from permissions.oauth.errors import OAuthError, not_the_client
from permissions.oauth.parameters import Asking, basic_credentials
from permissions.oauth.scopes import world_of
from permissions.oauth.tokens import claims_of
from permissions.oauth.truth import find_token, stands
from permissions.selectors.keys import KeyFacts, key_facts

INACTIVE: Final[dict[str, Any]] = {"active": False}
_ENTITLEMENTS: Final = "entitlements"


@dataclass(frozen=True, slots=True)
class Inquirer:
    """Who asks about a token: an application by its key, or an agent as at the token endpoint."""

    application: KeyFacts | None = None
    client: ProvenClient | None = None

    def may_know(self, row: AccessToken, application_audience: str) -> bool:
        """Tell whether a token is this one's business."""
        if self.client is not None:
            return row.agent_id == self.client.agent.pk or row.audience == self.client.agent.spiffe_id
        return bool(application_audience) and row.audience == application_audience


def inquirer(asking: Asking, *, public: bool = False) -> Inquirer:
    """Prove who asks; raises OAuthError."""
    key = _application_key(asking)
    if key is None:
        return Inquirer(client=authenticate(asking, public=public))
    try:
        token = split_token(key)
    except MalformedToken:
        raise not_the_client("the key is malformed") from None
    facts = key_facts(token)
    proved = facts is not None and Peppers(settings.CREDENTIAL_PEPPERS).matches(
        token.secret, facts.credential.digest, facts.credential.pepper
    )
    if facts is None or not proved or facts.organization_id != asking.issuer.organization.pk or facts.suspended:
        raise not_the_client("an unknown key")
    if not facts.credential.live(asking.now) or not facts.credential.admits(asking.address):
        raise not_the_client("the key has ended, or is used from elsewhere")
    return Inquirer(application=facts)


def _application_key(asking: Asking) -> str | None:
    """Find an application's key: as a bearer token, or as the secret of HTTP Basic or of the form."""
    scheme, _, rest = asking.authorization.partition(" ")
    prefix = f"{PREFIXES['application']}_"
    if scheme.lower() == "bearer":
        return rest.strip()
    basic = basic_credentials(asking.authorization) if asking.authorization else None
    secret = basic[1] if basic is not None else asking.parameters.get("client_secret")
    name = basic[0] if basic is not None else asking.parameters.get("client_id")
    if not secret.startswith(prefix):
        return None
    facts_name = _holder_of(secret)
    if facts_name != name:
        raise not_the_client("the key is another application's")
    return secret


def _holder_of(secret: str) -> str | None:
    try:
        facts = key_facts(split_token(secret))
    except MalformedToken:
        return None
    return None if facts is None else facts.holder


def introspect(asking: Asking) -> dict[str, Any]:
    """Answer about a token (RFC 7662, section 2.2); raises OAuthError for who may not ask."""
    who = inquirer(asking)
    row = _known(asking, who, asking.parameters.need("token"))
    if row is None or not stands(row, now=asking.now):
        return dict(INACTIVE)
    told = {"active": True, **claims_of(row, client_id_of(row.agent)), "token_type": "DPoP" if row.jkt else "Bearer"}
    if row.user is not None:
        told["username"] = row.user.external_id
    if _ENTITLEMENTS in asking.parameters.get("include").split(" "):
        told[_ENTITLEMENTS] = _entitlements(row, asking)
    return told


def _known(asking: Asking, who: Inquirer, text: str) -> AccessToken | None:
    row = find_token(text, asking.issuer.organization, now=asking.now)
    audience = ""
    if who.application is not None:
        audience = (
            Application.objects.filter(pk=who.application.credential.holder_id).values_list("audience", flat=True).first() or ""
        )
    return row if row is not None and who.may_know(row, audience) else None


def _entitlements(row: AccessToken, asking: Asking) -> list[dict[str, Any]]:
    """List what the token is good for at best, now: types and actions, and whether it depends on more."""
    chain = Chain(row.subject, tuple(row.actors))
    task = "" if row.run is None else row.run.task_id
    world, question = world_of(asking.issuer.organization, chain, task, asking.now, token=row)
    named = {scope.rpartition(":")[0] for scope in row.scopes if ":" in scope} | {each["resource_type"] for each in row.details}
    found = []
    for name in sorted(named & world.types.keys()):
        for action in sorted(world.types[name].actions):
            about = access(world, question(name, action))
            if about.effect != "deny":
                found.append({"resource_type": name, "action": action, "effect": about.effect})
    return found


def revoke(asking: Asking) -> None:
    """Revoke a token of the client's, access or refresh, with all that came of it (RFC 7009); raises OAuthError.

    What is no token, or another's, is answered like one that was revoked (section 2.2). An application revokes what was made
    out to it.
    """
    who = inquirer(asking, public=True)
    text = asking.parameters.need("token")
    by = _actor(who, asking)
    refresh_token = find_refresh_token(text)
    if refresh_token is not None:
        authorization = refresh_token.authorization
        if who.client is not None and authorization.agent_id == who.client.agent.pk:
            end_authorization(authorization=authorization, because="revoked by the client", by=by, now=asking.now)
        return
    row = _known(asking, who, text)
    if row is None or (who.client is not None and row.agent_id != who.client.agent.pk):
        return
    try:
        revoke_token(token=row, by=by, reason="revoked at the revocation endpoint", now=asking.now)
    except IllegalTransition:
        return  # it is as whoever asked wants it to be


def _actor(who: Inquirer, asking: Asking) -> Actor:
    if who.client is not None:
        return who.client.actor(asking)
    facts = who.application
    if facts is None:
        raise OAuthError("invalid_client", "Nobody asks.", 401)
    return asking.by(Actor(kind="application", id=facts.holder, label=facts.label, organization_id=facts.organization_id))
