"""Token exchange (RFC 8693): who asks becomes the actor, and whoever acted until now stands behind it. Nobody is impersonated.

The new token is for no more than was asked for, than the token before was for, than the delegation and the client allow, and
lasts no longer than the one before. The one exception to "our own tokens only" is a user's word from an issuer that is trusted
for people: it gives the agent nothing that the user has not consented to.
"""

from typing import Final

from django.db import transaction

from directory.models import Run, Scope, User
from permissions.models import AccessToken
from permissions.oauth.chains import MAX_ACTORS, Chain
from permissions.oauth.clients import ProvenClient
from permissions.oauth.errors import INVALID_REQUEST, UNAUTHORIZED_CLIENT, OAuthError, bad_grant
from permissions.oauth.identity import user_of_statement
from permissions.oauth.jag import ID_JAG_TYPE, issue_id_jag
from permissions.oauth.own import may_act_of, run_of, run_of_authorization, wanted_of
from permissions.oauth.parameters import Asking
from permissions.oauth.scopes import Granted, Target, granted, names_possible, names_types, only, target_of
from permissions.oauth.tokens import ACCESS_TOKEN_TYPE, Issued, Terms, issue
from permissions.oauth.truth import find_token, lineage, stands
from permissions.services.authorizations import MAX_GENERATIONS

GRANT: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
ID_TOKEN_TYPE: Final = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105  (a name)
JWT_TYPE: Final = "urn:ietf:params:oauth:token-type:jwt"
_OURS: Final = frozenset({ACCESS_TOKEN_TYPE})
_OTHERS: Final = frozenset({ID_TOKEN_TYPE, JWT_TYPE})


def exchange(asking: Asking, client: ProvenClient, jkt: str) -> tuple[Issued, str] | dict[str, object]:
    """Answer an exchange: the token with its type, or the answer for an ID-JAG. Raises OAuthError."""
    if client.public:
        raise OAuthError(UNAUTHORIZED_CLIENT, "A public client exchanges nothing.", cause="a public client")
    _check_actor(asking, client)
    parameters = asking.parameters
    subject, kind = parameters.need("subject_token"), parameters.need("subject_token_type")
    wanted_type = parameters.get("requested_token_type") or ACCESS_TOKEN_TYPE
    if wanted_type == ID_JAG_TYPE:
        return issue_id_jag(asking, client, subject, kind, jkt)
    if wanted_type not in (ACCESS_TOKEN_TYPE, JWT_TYPE):
        raise OAuthError(INVALID_REQUEST, "This type of token is not issued here.", cause="an unknown requested_token_type")
    if parameters.get("audience"):
        raise OAuthError(INVALID_REQUEST, "Name the target by resource.", cause="audience instead of resource")
    if kind in _OURS:
        terms = _of_token(asking, client, subject, jkt)
    elif kind in _OTHERS:
        terms = _of_user(asking, client, subject, jkt)
    else:
        raise OAuthError(INVALID_REQUEST, "This type of subject token is not taken.", cause="an unknown subject_token_type")
    with transaction.atomic():
        return issue(asking, terms), ACCESS_TOKEN_TYPE


def _check_actor(asking: Asking, client: ProvenClient) -> None:
    """An actor token may be sent along, and then is the client's own: nobody acts as somebody else."""
    text, kind = asking.parameters.get("actor_token"), asking.parameters.get("actor_token_type")
    if bool(text) != bool(kind):
        raise OAuthError(INVALID_REQUEST, "actor_token and actor_token_type go together.", cause="half an actor")
    if not text:
        return
    row = find_token(text, asking.issuer.organization, now=asking.now) if kind in _OURS else None
    if row is None or row.actors or row.subject != client.ref or not stands(row, now=asking.now):
        raise OAuthError(INVALID_REQUEST, "The actor token is not the client's own.", cause="another actor than the client")


def subject_of(asking: Asking, text: str) -> AccessToken:
    """Find one of our tokens that stands now; raises OAuthError."""
    row = find_token(text, asking.issuer.organization, now=asking.now)
    if row is None or not stands(row, now=asking.now):
        raise bad_grant("the subject token does not stand")
    return row


def _of_token(asking: Asking, client: ProvenClient, text: str, jkt: str) -> Terms:
    row = subject_of(asking, text)
    if row.jkt and row.jkt != jkt:
        raise bad_grant("the subject token is bound to another key")
    if row.may_act and row.may_act != client.ref:
        raise bad_grant("may_act names somebody else")
    before = Chain(row.subject, tuple(row.actors))
    if client.ref not in (before.actor, row.may_act) and row.audience != client.agent.spiffe_id:
        raise bad_grant("the subject token is for somebody else")
    chain = before if before.actor == client.ref else before.through(client.ref)
    if len(chain.actors) > MAX_ACTORS:
        raise bad_grant("the chain is too deep", f"A chain has at most {MAX_ACTORS} actors.")
    if chain != before and client.ref in before.agents:
        raise bad_grant("the agent is in the chain already")
    if len(lineage(row)) >= MAX_GENERATIONS:
        raise bad_grant("too many exchanges", f"A token comes from at most {MAX_GENERATIONS - 1} exchanges.")
    wanted = wanted_of(asking)
    resource = target_of(asking.issuer, asking.parameters.all("resource"), wanted)
    within = _within(asking, row)
    if row.run is not None and chain != before:
        within = _of_task(asking, row, row.run, resource, within)
    run = _own_run(asking, client, row) if chain == before else run_of(asking, client, user=row.user)
    found = granted(
        asking.issuer,
        chain,
        resource,
        wanted,
        own_scopes=client.own_scopes,
        task_id="" if run is None else run.task_id,
        within=within,
        now=asking.now,
    )
    return Terms(
        client=client,
        chain=chain,
        resource=resource,
        granted=found,
        jkt=jkt,
        user=row.user,
        run=run,
        authorization=row.authorization,
        parent=row,
        may_act=may_act_of(asking),
        grant=GRANT,
    )


def _within(asking: Asking, row: AccessToken) -> Granted | None:
    """Say what limits the next token; one for agentiam itself that names no types is as wide as its chain."""
    named = names_types(row.scopes, row.details)
    if row.audience == asking.issuer.own_resource and not named and Scope.DECIDE.value in row.scopes:
        return None
    return Granted(tuple(row.scopes), tuple(row.details))


def _of_task(asking: Asking, row: AccessToken, run: Run, target: Target, within: Granted | None) -> Granted | None:
    """Keep to what the task of whoever acted until now allows: it is no part of the chain, and is not left behind."""
    if run.allows is None:
        return within
    if any(each.get("fields") is not None for each in run.allows):
        raise bad_grant("the task limits fields, which a token cannot", "A token for this task is not passed on.")
    names = names_possible(asking.issuer, target, Chain(row.subject, tuple(row.actors)), run.task_id, now=asking.now)
    if within is None:
        return Granted((*row.scopes, *names))
    return only(within, names)


def _own_run(asking: Asking, client: ProvenClient, row: AccessToken) -> Run | None:
    """Find the task of the next token where the same agent acts on: the one before, which is not left behind."""
    agreed = row.authorization
    named = run_of(asking, client, user=row.user) if agreed is None else run_of_authorization(asking, client, agreed)
    if row.run is not None and named not in (None, row.run):
        raise bad_grant("the subject token is for another task")
    return named or row.run


def _of_user(asking: Asking, client: ProvenClient, text: str, jkt: str) -> Terms:
    user: User = user_of_statement(asking, text, client)
    chain = Chain(f"user/{user.external_id}", (client.ref,))
    wanted = wanted_of(asking)
    resource = target_of(asking.issuer, asking.parameters.all("resource"), wanted)
    run = run_of(asking, client, user=user)
    found = granted(
        asking.issuer,
        chain,
        resource,
        wanted,
        own_scopes=client.own_scopes,
        task_id="" if run is None else run.task_id,
        now=asking.now,
    )
    if not names_types(found.scopes, found.details):
        raise bad_grant("the user consented to nothing here")
    return Terms(
        client=client,
        chain=chain,
        resource=resource,
        granted=found,
        jkt=jkt,
        user=user,
        run=run,
        may_act=may_act_of(asking),
        grant=GRANT,
    )
