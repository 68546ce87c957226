"""An assertion of another authorization server as a grant (RFC 7523; ID-JAG): a user there who is one here, for a client.

It is good once, for the client that it names, and made out to us alone. What it gives is what the user has consented to here,
within what it says.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.db import transaction

from permissions.models import TrustedIssuer, UsedProof
from permissions.oauth.chains import Chain
from permissions.oauth.clients import ProvenClient
from permissions.oauth.errors import INVALID_TARGET, UNAUTHORIZED_CLIENT, OAuthError, bad_grant
from permissions.oauth.federation import NotVerified, verified_claims
from permissions.oauth.identity import user_of
from permissions.oauth.issuers import issuers_of
from permissions.oauth.jag import BEARER_GRANT
from permissions.oauth.own import may_act_of, run_of, wanted_of
from permissions.oauth.parameters import Asking
from permissions.oauth.replays import use_once
from permissions.oauth.scopes import Granted, granted, read_details, read_scope, target_of
from permissions.oauth.signed import BadSignature, audiences, check_times, text_claim
from permissions.oauth.tokens import Issued, Terms, issue

LONGEST_SECONDS: Final = 3_600


def accept_id_jag(asking: Asking, client: ProvenClient, jkt: str) -> Issued:
    """Issue a token for the user of an assertion; raises OAuthError."""
    if client.public:
        raise OAuthError(UNAUTHORIZED_CLIENT, "A public client brings no assertions.", cause="a public client")
    issuer, claims = _believed(asking, client, jkt)
    user = user_of(issuer, claims, asking)
    chain = Chain(f"user/{user.external_id}", (client.ref,))
    wanted = wanted_of(asking)
    resource = target_of(asking.issuer, _resources(asking, claims), wanted)
    run = run_of(asking, client, user=user)
    found = granted(
        asking.issuer,
        chain,
        resource,
        wanted,
        own_scopes=(),
        task_id="" if run is None else run.task_id,
        within=_within(claims),
        now=asking.now,
    )
    if not found.scopes and not found.details:
        raise bad_grant("the user consented to nothing here")
    terms = Terms(
        client=client,
        chain=chain,
        resource=resource,
        granted=found,
        jkt=jkt,
        user=user,
        run=run,
        may_act=may_act_of(asking),
        grant=BEARER_GRANT,
    )
    with transaction.atomic():
        return issue(asking, terms)


def _believed(asking: Asking, client: ProvenClient, jkt: str) -> tuple[TrustedIssuer, Mapping[str, Any]]:
    """Verify an assertion, see that it is for us and this client, and use it up."""
    organization = asking.issuer.organization
    try:
        issuer, claims = verified_claims(
            asking.parameters.need("assertion"),
            organization=organization,
            use=TrustedIssuer.Use.ASSERTIONS,
            audiences={asking.issuer.url},
            now=asking.now,
        )
        jti = text_claim(claims, "jti", most=200)
        end = check_times(claims, now=asking.now, most_seconds=LONGEST_SECONDS)
        alone = len(audiences(claims)) == 1
    except (NotVerified, BadSignature) as error:
        raise bad_grant(f"the assertion: {error}") from None
    if not alone:
        raise bad_grant("the assertion is made out to others as well")
    if issuer.issuer in {each.url for each in issuers_of(organization)}:
        raise bad_grant("our own assertion")
    if claims.get("client_id") != client.client_id:
        raise bad_grant("the assertion is for another client")
    confirmation = claims.get("cnf")
    if confirmation is not None and not (isinstance(confirmation, dict) and jkt and confirmation.get("jkt") == jkt):
        raise bad_grant("the assertion is bound to another key")
    if not use_once(organization, UsedProof.Kind.GRANT, issuer.issuer, jti, until=end):
        raise bad_grant("the assertion was used before")
    return issuer, claims


def _resources(asking: Asking, claims: Mapping[str, Any]) -> Sequence[str]:
    asked, said = asking.parameters.all("resource"), claims.get("resource")
    listed = [said] if isinstance(said, str) else [] if said is None else said
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise bad_grant("the assertion's resource is no text")
    if asked and listed and not set(asked) <= set(listed):
        raise OAuthError(INVALID_TARGET, "The assertion is for another resource.", cause="another resource than asserted")
    return asked or listed


def _within(claims: Mapping[str, Any]) -> Granted | None:
    """Say what the assertion is for; None where it leaves that to us."""
    scope, details = claims.get("scope"), claims.get("authorization_details")
    if scope is None and details is None:
        return None
    if scope is not None and not isinstance(scope, str):
        raise bad_grant("the assertion's scope is no text")
    found = () if details is None else read_details(json.dumps(details)) or ()
    return Granted(read_scope(scope or "") or (), found)
