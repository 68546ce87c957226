"""A key or a session proves the caller; what is wrong with a key that exists is told to nobody."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed

from agentiam.api.callers import ApplicationCaller, Caller, Proof
from agentiam.kit.tokens import PREFIXES, MalformedToken, Peppers, Token, split_token
from agentiam.requests import client_address
from directory.models import Agent, Credential, CredentialRecord, PersonKey, User
from directory.selectors import CredentialFacts, credential_facts, person_key_facts
from permissions.models import ApplicationKey
from permissions.selectors.keys import key_facts
from permissions.services.uses import note_key_use, note_refused_network

_REFUSED: Final = "The key is not valid here and now."


class SessionOfPerson(SessionAuthentication):
    """The session of a person who is signed in to the pages; changes need the CSRF token."""

    def authenticate(self, request: Any) -> tuple[Any, Any] | None:
        """Take the session's person; an agent's account has no sessions."""
        found = super().authenticate(request)
        return found if found is not None and found[0].is_person else None


class KeyOfCaller(BaseAuthentication):
    """``Authorization: Bearer KEY`` (RFC 6750, section 2.1) with the key of a person, an agent or an application."""

    def authenticate(self, request: Any) -> tuple[Caller, Proof] | None:
        """Prove the caller; raises AuthenticationFailed in the same words for every key that is not taken."""
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if not scheme:
            return None
        if scheme.lower() != "bearer" or not text.strip():
            raise AuthenticationFailed("Send the key as Authorization: Bearer KEY.")
        try:
            token = split_token(text.strip())
        except MalformedToken:
            raise AuthenticationFailed(_REFUSED) from None
        now = timezone.now()
        facts = _facts(token)
        if facts is None or not _proves(facts, token, request, now=now):
            raise AuthenticationFailed(_REFUSED)
        caller, record = _caller(token, facts, now=now)
        note_key_use(record=record, address=client_address(request), now=now)
        return caller, Proof(facts.scopes, token.public_id)

    def authenticate_header(self, request: Any) -> str:
        """Name the scheme, so that an anonymous request is answered with 401."""
        return 'Bearer realm="agentiam"'


def _facts(token: Token) -> CredentialFacts | None:
    if token.prefix == PREFIXES["person"]:
        return person_key_facts(token.public_id)
    if token.prefix == PREFIXES["agent"]:
        return credential_facts(token.public_id)
    if token.prefix == PREFIXES["application"]:
        found = key_facts(token)
        return None if found is None or found.suspended else found.credential
    return None


def _proves(facts: CredentialFacts, token: Token, request: HttpRequest, *, now: datetime) -> bool:
    matches = Peppers(settings.CREDENTIAL_PEPPERS).matches(token.secret, facts.digest, facts.pepper)
    if not matches or facts.kind != "api_key" or not facts.live(now):
        return False
    address = client_address(request)
    if facts.admits(address):
        return True
    if token.prefix == PREFIXES["agent"]:
        note_refused_network(record=Credential(pk=facts.credential_id), address=address, now=now)
    return False


def _caller(token: Token, facts: CredentialFacts, *, now: datetime) -> tuple[Caller, CredentialRecord]:
    """Find whose key it is, if they may do anything at all."""
    if token.prefix == PREFIXES["application"]:
        found = key_facts(token)
        if found is None:
            raise AuthenticationFailed(_REFUSED)
        caller = ApplicationCaller(facts.holder_id, facts.organization_id, facts.holder, found.label)
        return caller, ApplicationKey(pk=facts.credential_id)
    if token.prefix == PREFIXES["person"]:
        return _account(pk=facts.holder_id, kind=User.Kind.PERSON), PersonKey(pk=facts.credential_id)
    return account_of_agent(facts.holder_id, now=now), Credential(pk=facts.credential_id, agent_id=facts.holder_id)


def account_of_agent(agent_id: UUID, *, now: datetime) -> User:
    """Give the account of an agent that may do anything at all; raises AuthenticationFailed."""
    if not Agent.objects.filter(pk=agent_id).effectively_active(now).exists():
        raise AuthenticationFailed(_REFUSED)
    return _account(agent=agent_id, kind=User.Kind.AGENT)


def _account(**which: Any) -> User:
    user: User | None = User.objects.active().filter(**which).first()
    if user is None:
        raise AuthenticationFailed(_REFUSED)
    return user
