"""A token of an agent for itself (RFC 6749, section 4.4), perhaps bound to the task that it works on."""

from django.db import transaction

from directory.models import Run, User
from permissions.models import Authorization
from permissions.oauth.chains import Chain
from permissions.oauth.clients import ProvenClient
from permissions.oauth.errors import INVALID_REQUEST, UNAUTHORIZED_CLIENT, OAuthError, bad_grant
from permissions.oauth.parameters import Asking
from permissions.oauth.scopes import Wanted, granted, read_details, read_scope, target_of
from permissions.oauth.tokens import Issued, Terms, issue

GRANT: str = "client_credentials"


def for_itself(asking: Asking, client: ProvenClient, jkt: str) -> Issued:
    """Issue a token in which the agent is subject and actor; raises OAuthError."""
    if client.public:
        raise OAuthError(UNAUTHORIZED_CLIENT, "A public client gets no token of its own.", cause="a public client")
    wanted = wanted_of(asking)
    resource = target_of(asking.issuer, asking.parameters.all("resource"), wanted)
    run = run_of(asking, client, user=None)
    chain = Chain(client.ref)
    found = granted(
        asking.issuer,
        chain,
        resource,
        wanted,
        own_scopes=client.own_scopes,
        task_id="" if run is None else run.task_id,
        now=asking.now,
    )
    terms = Terms(
        client=client, chain=chain, resource=resource, granted=found, jkt=jkt, run=run, may_act=may_act_of(asking), grant=GRANT
    )
    with transaction.atomic():
        return issue(asking, terms)


def wanted_of(asking: Asking) -> Wanted:
    """Read what a request names of scopes and authorization details; raises OAuthError."""
    parameters = asking.parameters
    return Wanted(read_scope(parameters.get("scope")), read_details(parameters.get("authorization_details")))


def run_of(asking: Asking, client: ProvenClient, *, user: User | None) -> Run | None:
    """Find the live run that ``run`` or ``task`` names, of the agent that asks; raises OAuthError.

    A run on a user's behalf is for tokens of that user's, and no other.
    """
    run_id, task = asking.parameters.get("run"), asking.parameters.get("task")
    if not run_id and not task:
        return None
    rows = Run.objects.filter(agent=client.agent).live(asking.now)
    found = next((row for row in rows if (not run_id or str(row.pk) == run_id) and (not task or row.task_id == task)), None)
    if found is None or (found.on_behalf_of_id is not None and (user is None or found.on_behalf_of_id != user.pk)):
        raise OAuthError(INVALID_REQUEST, "The agent is on no such task for this user.", cause="an unknown run")
    return found


def run_of_authorization(asking: Asking, client: ProvenClient, authorization: Authorization) -> Run | None:
    """Find the run of a token that comes of a person's yes: the one that they agreed to, and no other; raises OAuthError."""
    named = run_of(asking, client, user=authorization.user)
    agreed = authorization.run
    if agreed is None:
        return named
    if not Run.objects.filter(pk=agreed.pk).live(asking.now).exists():
        raise bad_grant("the run that the authorization is for has ended")
    if named is not None and named.pk != agreed.pk:
        raise OAuthError(INVALID_REQUEST, "The user agreed to another task.", cause="another run than agreed to")
    return agreed


def may_act_of(asking: Asking) -> str:
    """Read which agent alone may take the token further, ``may_act=agent/ID`` (RFC 8693, section 4.4); raises OAuthError."""
    name = asking.parameters.get("may_act")
    if name and not (name.startswith("agent/") and len(name) <= 300):
        raise OAuthError(INVALID_REQUEST, "may_act names an agent: agent/ID.", cause="may_act is malformed")
    return name
