"""What a person's yes is worth to a client: a code that is good once, and refresh tokens of which each is good once.

A code or a refresh token that comes a second time is in two hands: the whole authorization ends, whoever came first
(RFC 6749, section 4.1.2; RFC 9700, section 4.14.2). The first to mark one as used has it, so of two at once one wins.
"""

import base64
import hashlib
import hmac
import re
from datetime import timedelta
from typing import Any, Final

from django.db import transaction

from agentiam.kit.tokens import PREFIXES, MalformedToken, Token, make_token, split_token
from directory.services.proofs import peppers
from permissions.models import Authorization, AuthorizationCode, RefreshToken
from permissions.oauth.authorizations import end_authorization
from permissions.oauth.chains import Chain
from permissions.oauth.clients import ProvenClient
from permissions.oauth.errors import OAuthError, bad_grant
from permissions.oauth.own import may_act_of, run_of_authorization
from permissions.oauth.parameters import Asking
from permissions.oauth.scopes import Granted, Wanted, granted, named_target, read_scope
from permissions.oauth.tokens import Issued, Terms, issue, store_secret
from permissions.services.signals import Sign, note_sign

CODE_GRANT: Final = "authorization_code"
REFRESH_GRANT: Final = "refresh_token"
CODE_SECONDS: Final = 60
REFRESH_DAYS: Final = 30
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def redeem_code(asking: Asking, client: ProvenClient, jkt: str) -> tuple[Issued, str]:
    """Answer a code with an access token and the first refresh token; raises OAuthError."""
    code = asking.parameters.need("code")
    row = _find(AuthorizationCode, code, PREFIXES["code"])
    if row is None or not _is_for(row.authorization, asking, client):
        raise bad_grant("an unknown code")
    fault = _code_fault(row, asking, jkt)
    found = _burn(row, asking) if fault else _once(row, asking, client, jkt, grant=CODE_GRANT)
    if found is None:
        # The user whose browser carried the code can bring it back; the verifier is what only the client has.
        proven = verifies(asking.parameters.get("code_verifier"), row.challenge)
        raise _reused(row.authorization, Sign.CODE_REUSED, asking, client, proven=proven)
    if isinstance(found, bool):
        raise bad_grant(fault)
    return found


def _code_fault(row: AuthorizationCode, asking: Asking, jkt: str) -> str:
    """Say why a code is not good for this request; empty where it is."""
    if row.expires_at <= asking.now:
        return "the code is over"
    if row.redirect_uri != asking.parameters.get("redirect_uri"):
        return "another redirect_uri"
    if not verifies(asking.parameters.get("code_verifier"), row.challenge):
        return "the code verifier is not that of the challenge"
    return "the code is bound to another key" if row.jkt and row.jkt != jkt else ""


def refresh(asking: Asking, client: ProvenClient, jkt: str) -> tuple[Issued, str]:
    """Answer a refresh token with the next one and an access token; raises OAuthError."""
    row = _find(RefreshToken, asking.parameters.need("refresh_token"), PREFIXES["refresh"])
    if row is None or not _is_for(row.authorization, asking, client):
        raise bad_grant("an unknown refresh token")
    if row.jkt and row.jkt != jkt:
        raise bad_grant("the refresh token is bound to another key")
    if row.expires_at <= asking.now:
        raise bad_grant("the refresh token is over")
    found = _once(row, asking, client, jkt, grant=REFRESH_GRANT)
    if found is None:
        raise _reused(row.authorization, Sign.REFRESH_REUSED, asking, client, proven=True)
    return found


def _burn(row: Any, asking: Asking) -> bool | None:
    """Use a code up that came with something wrong; None where it was used before."""
    return bool(type(row).objects.filter(pk=row.pk, used_at__isnull=True).update(used_at=asking.now)) or None


def _once(row: Any, asking: Asking, client: ProvenClient, jkt: str, *, grant: str) -> tuple[Issued, str] | None:
    """Answer the first who comes with a code or a refresh token; None for whoever comes later.

    Those who come at the same moment wait until the first has its answer: of them exactly one gets tokens, and then the others
    end the authorization, and these tokens with it.
    """
    with transaction.atomic():
        authorization = Authorization.objects.select_for_update().get(pk=row.authorization_id)
        if not type(row).objects.filter(pk=row.pk, used_at__isnull=True).update(used_at=asking.now):
            return None
        return _tokens(asking, client, authorization, jkt, grant=grant)


def new_code(authorization: Authorization, *, redirect_uri: str, challenge: str, jkt: str, now: Any) -> Token:
    """Make a code for an authorization; the text is seen here and never again."""
    secret = make_token(PREFIXES["code"])
    row = AuthorizationCode(
        authorization=authorization,
        redirect_uri=redirect_uri,
        challenge=challenge,
        jkt=jkt,
        expires_at=now + timedelta(seconds=CODE_SECONDS),
    )
    store_secret(row, secret)
    row.save()
    return secret


def verifies(verifier: str, challenge: str) -> bool:
    """Tell whether a code verifier is that of an S256 challenge (RFC 7636, section 4.6)."""
    if not _VERIFIER.fullmatch(verifier):
        return False
    found = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=")
    return hmac.compare_digest(found, challenge.encode("ascii", "replace"))


def find_refresh_token(text: str) -> RefreshToken | None:
    """Find a refresh token by its text."""
    row: RefreshToken | None = _find(RefreshToken, text, PREFIXES["refresh"])
    return row


def _find(model: Any, text: str, prefix: str) -> Any:
    try:
        token = split_token(text)
    except MalformedToken:
        return None
    rows = model.objects.select_related("authorization__user", "authorization__agent", "authorization__organization")
    row = rows.filter(public_id=token.public_id).first()
    if row is None or token.prefix != prefix or not peppers().matches(token.secret, row.digest, row.pepper):
        return None
    return row


def _is_for(authorization: Authorization, asking: Asking, client: ProvenClient) -> bool:
    return authorization.organization_id == asking.issuer.organization.pk and authorization.agent_id == client.agent.pk


def _reused(authorization: Authorization, sign: Sign, asking: Asking, client: ProvenClient, *, proven: bool) -> OAuthError:
    """End an authorization of which something came twice; answers the refusal."""
    by = client.actor(asking)
    note_sign(
        sign=sign,
        agent=client.agent,
        proven=proven,
        credential=client.credential,
        data={"authorization": str(authorization.pk)},
        by=by,
        now=asking.now,
    )
    end_authorization(authorization=authorization, because=sign.kind, by=by, now=asking.now)
    return bad_grant(f"{sign.kind}: the authorization was ended")


def _tokens(asking: Asking, client: ProvenClient, authorization: Authorization, jkt: str, *, grant: str) -> tuple[Issued, str]:
    with transaction.atomic():
        current = Authorization.objects.select_for_update().select_related("user", "agent").get(pk=authorization.pk)
        if current.ended_at is not None or current.ends_at <= asking.now or not current.user.is_active:
            raise bad_grant("the authorization has ended")
        terms = _terms(asking, client, current, jkt, grant=grant)
        issued = issue(asking, terms)
        return issued, _next_refresh(current, asking, client, jkt).text


def _terms(asking: Asking, client: ProvenClient, authorization: Authorization, jkt: str, *, grant: str) -> Terms:
    chain = Chain(f"user/{authorization.user.external_id}", (client.ref,))
    asked = asking.parameters.all("resource")
    if asked and list(asked) != [authorization.audience]:
        raise OAuthError("invalid_target", "The user agreed to another resource.", cause="another resource than agreed to")
    resource = named_target(asking.issuer, authorization.audience)
    run = run_of_authorization(asking, client, authorization)
    found = granted(
        asking.issuer,
        chain,
        resource,
        Wanted(read_scope(asking.parameters.get("scope"))),
        own_scopes=(),
        task_id="" if run is None else run.task_id,
        within=Granted(tuple(authorization.scopes), tuple(authorization.details)),
        now=asking.now,
    )
    return Terms(
        client=client,
        chain=chain,
        resource=resource,
        granted=found,
        jkt=jkt,
        user=authorization.user,
        run=run,
        authorization=authorization,
        may_act=may_act_of(asking),
        grant=grant,
    )


def _next_refresh(authorization: Authorization, asking: Asking, client: ProvenClient, jkt: str) -> Token:
    secret = make_token(PREFIXES["refresh"])
    row = RefreshToken(
        authorization=authorization,
        credential=client.credential,
        # Of a client with a secret the secret binds it; a public one has nothing but its key.
        jkt=jkt if client.public else "",
        issued_at=asking.now,
        expires_at=min(asking.now + timedelta(days=REFRESH_DAYS), authorization.ends_at),
    )
    store_secret(row, secret)
    row.save()
    return secret
