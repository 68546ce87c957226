"""Who asks: an agent that proves itself by one of its credentials, in exactly one way (RFC 6749, section 2.3; RFC 7523).

Whatever is wrong, the answer is the same. An assertion is good once, near its end, for this issuer, and by a key that was
registered before.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings

from agentiam.kit.actors import Actor, system
from agentiam.kit.tokens import PREFIXES, MalformedToken, Peppers, split_token
from directory.cards.signing import thumbprint
from directory.models import Agent, Credential, CredentialRecord
from directory.selectors import admits, networks_of
from directory.services.credentials import note_use
from permissions.models import OAuthClient, UsedProof
from permissions.oauth.errors import INVALID_REQUEST, OAuthError, not_the_client
from permissions.oauth.parameters import Asking, basic_credentials
from permissions.oauth.replays import use_once
from permissions.oauth.signed import BadSignature, Statement, audiences, check_times, read_statement, text_claim
from permissions.oauth.workloads import workload_credential
from permissions.services.places import note_place
from permissions.services.signals import Sign, note_sign

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_SECONDS: Final = 3_600
"""How far away the end of an assertion may be."""
ALGORITHMS: Final = ("ES256", "EdDSA", "RS256", "PS256")
METHODS: Final = ("client_secret_basic", "client_secret_post", "private_key_jwt", "none")
_TYPES: Final = ("", "JWT", "client-authentication+jwt")


@dataclass(frozen=True, slots=True)
class ProvenClient:
    """An agent that proved itself; without a credential it is a public client, which only a code speaks for."""

    agent: Agent
    client_id: str
    credential: Credential | None = None
    client: OAuthClient | None = None

    @property
    def public(self) -> bool:
        """Whether it has no secret."""
        return self.credential is None

    @property
    def ref(self) -> str:
        """The agent as tokens and decisions name it."""
        return f"agent/{self.agent.external_id}"

    @property
    def own_scopes(self) -> Sequence[str]:
        """What the credential is good for at agentiam itself."""
        return () if self.credential is None else self.credential.scopes

    def actor(self, asking: Asking) -> Actor:
        """Name it for the event log."""
        return asking.by(self.agent.user.as_actor())


def find_agent(asking: Asking, client_id: str) -> tuple[Agent, OAuthClient | None] | None:
    """Find the agent of a client id: its external id, or the address of its metadata document."""
    agents = Agent.objects.select_related("user", "organization", "blueprint").filter(organization=asking.issuer.organization)
    if client_id.startswith("https://"):
        row = OAuthClient.objects.filter(organization=asking.issuer.organization, document_url=client_id).first()
        agent = None if row is None else agents.filter(pk=row.agent_id).first()
        return None if agent is None else (agent, row)
    agent = agents.filter(external_id=client_id).first()
    if agent is None:
        return None
    return agent, OAuthClient.objects.filter(agent=agent).first()


def client_id_of(agent: Agent) -> str:
    """Answer the client id of an agent."""
    row = OAuthClient.objects.filter(agent=agent).first()
    return row.document_url if row is not None and row.document_url else agent.external_id


def authenticate(asking: Asking, *, public: bool = False) -> ProvenClient:
    """Prove the client of a request; raises OAuthError. ``public`` says whether one without a secret may ask this."""
    basic = basic_credentials(asking.authorization) if asking.authorization else None
    parameters = asking.parameters
    assertion, posted = parameters.get("client_assertion"), parameters.get("client_secret")
    ways = [basic is not None, bool(assertion), bool(posted)]
    if asking.authorization and basic is None:
        description = "Of the Authorization header, Basic alone proves a client here."
        raise OAuthError(INVALID_REQUEST, description, cause="the client was proved in a way that is none")
    if sum(ways) > 1:
        raise OAuthError(INVALID_REQUEST, "Prove the client in one way.", cause="the client was proved in several ways")
    named = parameters.get("client_id")
    if basic is not None:
        if named and named != basic[0]:
            raise not_the_client("two client ids")
        found = _by_secret(asking, *basic)
    elif assertion:
        found = _by_assertion(asking, assertion, named)
    elif posted:
        found = _by_secret(asking, named, posted)
    elif named and public:
        found = _public(asking, named)
    else:
        raise not_the_client("no proof of the client")
    _require_active(found, asking)
    if found.credential is not None:
        note_use(credential=found.credential, now=asking.now)
        if note_place(credential=found.credential, address=asking.address, by=found.actor(asking), now=asking.now):
            # The sign may have been what suspends it.
            _require_active(found, asking)
    return found


def _by_secret(asking: Asking, client_id: str, secret: str) -> ProvenClient:
    try:
        token = split_token(secret)
    except MalformedToken:
        raise not_the_client("the secret is malformed") from None
    known = find_agent(asking, client_id)
    if known is None or token.prefix != PREFIXES["agent"]:
        raise not_the_client("an unknown client")
    agent, client = known
    row = Credential.objects.filter(public_id=token.public_id, agent=agent).first()
    if row is None or row.kind != CredentialRecord.Kind.CLIENT_SECRET or row.pepper is None:
        raise not_the_client("an unknown client secret")
    if not Peppers(settings.CREDENTIAL_PEPPERS).matches(token.secret, row.digest, row.pepper):
        raise not_the_client("a wrong client secret")
    _require_usable(row, agent, asking)
    return ProvenClient(agent, client_id, row, client)


def _by_assertion(asking: Asking, text: str, named: str) -> ProvenClient:
    if asking.parameters.get("client_assertion_type") != ASSERTION_TYPE:
        raise OAuthError(INVALID_REQUEST, f"client_assertion_type is {ASSERTION_TYPE}.", cause="another assertion type")
    try:
        statement = read_statement(text, types=_TYPES)
        # A JWT-SVID need not name its issuer.
        if statement.claims.get("iss") != statement.claims.get("sub"):
            return _workload(asking, text, named)
        return _by_own_key(asking, statement, text_claim(statement.claims, "sub"), named)
    except BadSignature as error:
        raise not_the_client(f"the assertion: {error}") from None


def _workload(asking: Asking, text: str, named: str) -> ProvenClient:
    """Take the word of a trusted issuer for a workload."""
    row = workload_credential(asking, text, named)
    known = find_agent(asking, row.agent.external_id)
    if known is None or (named and named != row.agent.external_id):
        raise not_the_client("the workload is another agent's")
    agent, client = known
    _require_usable(row, agent, asking)
    return ProvenClient(agent, agent.external_id, row, client)


def _by_own_key(asking: Asking, statement: Statement, client_id: str, named: str) -> ProvenClient:
    """Take an assertion that the client signed itself (RFC 7523, section 3)."""
    known = find_agent(asking, client_id)
    if known is None or (named and named != client_id):
        raise not_the_client("an unknown client")
    agent, client = known
    claims = statement.claims
    end = check_times(claims, now=asking.now, most_seconds=ASSERTION_SECONDS)
    if not audiences(claims) <= asking.issuer.names:
        raise BadSignature("made out to somebody else")
    jti = text_claim(claims, "jti", most=200)
    row = _signer(statement, agent, asking)
    _require_usable(row, agent, asking)
    if not use_once(asking.issuer.organization, UsedProof.Kind.ASSERTION, str(agent.pk), jti, until=end):
        _note(Sign.ASSERTION_REPLAYED, row, asking)
        raise BadSignature("used before")
    return ProvenClient(agent, client_id, row, client)


def _signer(statement: Statement, agent: Agent, asking: Asking) -> Credential:
    """Find the credential whose key signed a statement; raises BadSignature."""
    rows = (
        Credential.objects.filter(agent=agent, kind=CredentialRecord.Kind.PUBLIC_KEY).live(asking.now).order_by("-created_at")
    )
    kid = statement.header.get("kid")
    found = [row for row in rows[:20] if kid is None or kid in _names(row.jwk)]
    if not found:
        if kid is not None:
            # Whoever knows the agent's name can send this, so it is neither its doing nor proof of anything.
            by = asking.by(system("oauth"))
            note_sign(sign=Sign.UNKNOWN_KID, agent=agent, proven=False, data={"kid": kid[:100]}, by=by, now=asking.now)
        raise BadSignature("no key of the client's")
    for row in found:
        try:
            statement.verify(row.jwk or {}, ALGORITHMS)
        except BadSignature:
            continue
        return row
    raise BadSignature("the signature is not that of a key of the client's")


def _names(jwk: Any) -> Iterable[str]:
    from_key = jwk.get("kid")
    return {thumbprint(jwk), *([from_key] if isinstance(from_key, str) else [])}


def _public(asking: Asking, client_id: str) -> ProvenClient:
    known = find_agent(asking, client_id)
    if known is None or known[1] is None or not known[1].public:
        raise not_the_client("no proof of the client")
    return ProvenClient(known[0], client_id, None, known[1])


def _require_usable(row: Credential, agent: Agent, asking: Asking) -> None:
    """Refuse a credential that was proved right, but is over or used from elsewhere; the latter is a sign."""
    if row.revoked_at is not None or row.expires_at <= asking.now:
        raise not_the_client("the credential has ended")
    if not admits(networks_of(row), asking.address):
        _note(Sign.NETWORK_REFUSED, row, asking)
        raise not_the_client("from a network that the credential does not allow")


def _require_active(found: ProvenClient, asking: Asking) -> None:
    if not Agent.objects.filter(pk=found.agent.pk).effectively_active(asking.now).exists():
        raise not_the_client("the agent is not active")


def _note(sign: Sign, row: Credential, asking: Asking) -> None:
    """Note a sign that came with a right proof."""
    by = asking.by(row.agent.user.as_actor())
    note_sign(sign=sign, agent=row.agent, proven=True, credential=row, data={}, by=by, now=asking.now)
