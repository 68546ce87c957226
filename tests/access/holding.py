"""Tokens for the tests of the decision endpoints: issued beside the server, shown by whoever holds them."""

import base64
import hashlib
import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import httpx
from joserfc import jws
from joserfc.jwk import ECKey

from tests.access.asking import Asking, question

CRM = "https://crm.acme.example"

_ISSUE = """
def _issued(organization, by, now):
    from django.conf import settings
    from django.db import transaction
    from permissions.models import AccessToken, Application, Authorization
    from permissions.oauth.chains import Chain
    from permissions.oauth.clients import ProvenClient
    from permissions.oauth.issuers import issuers_of
    from permissions.oauth.parameters import Asking, Parameters
    from permissions.oauth.scopes import Granted, Target
    from permissions.oauth.tokens import Terms, issue
    from directory.models import Agent, Credential, Run, User
    from directory.services.credentials import issue_client_secret
    from datetime import timedelta
    given = {given!r}
    chain = Chain(given["subject"], tuple(given["actors"]))
    agent = Agent.objects.get(organization=organization, external_id=chain.actor.partition("/")[2])
    credential, _ = issue_client_secret(agent=agent, label="s", allowed_networks=given["networks"], by=by, now=now)
    if given["credential_seconds"]:
        Credential.objects.filter(pk=credential.pk).update(expires_at=now + timedelta(seconds=given["credential_seconds"]))
        credential.refresh_from_db()
    user = authorization = None
    if chain.on_behalf_of:
        user = User.objects.get(organization=organization, external_id=chain.on_behalf_of.partition("/")[2])
        authorization = Authorization.objects.create(
            organization=organization, user=user, agent=agent, audience=given["audience"], ends_at=now + timedelta(hours=1)
        )
    application = Application.objects.filter(organization=organization, audience=given["audience"]).first()
    run = Run.objects.filter(agent=agent, task_id=given["task"]).first() if given["task"] else None
    parent = AccessToken.objects.get(pk=given["parent"]) if given["parent"] else None
    nothing = Parameters(dict())
    asking = Asking(issuers_of(organization)[0], nothing, "", "", "POST", "token", "127.0.0.1", "", now)
    terms = Terms(
        client=ProvenClient(agent, agent.external_id, credential),
        chain=chain,
        resource=Target(given["audience"] or settings.BASE_URL, application),
        granted=Granted(tuple(given["scopes"]), tuple(given["details"])),
        jkt=given["jkt"],
        user=user,
        run=run,
        authorization=authorization,
        parent=parent,
        grant="test",
    )
    with transaction.atomic():
        issued = issue(asking, terms)
    return {{"text": issued.text, "jti": str(issued.row.pk), "credential": str(credential.pk)}}
result = _issued(organization, by, now)
"""


@dataclass
class Held:
    """A token and the key that it may be bound to."""

    ask: Asking
    text: str = field(repr=False)
    jti: str
    credential: str
    key: Any = None
    nonce: str = ""

    def proof(self, path: str = "evaluation", **claims: Any) -> str:
        """Make a DPoP proof for a request to the decision endpoints; a claim that is None is left out."""
        digest = hashlib.sha256(self.text.encode()).digest()
        given = {
            "jti": uuid.uuid4().hex,
            "htm": "POST",
            "htu": f"{self.ask.product.url}/access/v1/{path}",
            "iat": int(time.time()),
            "ath": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "nonce": self.nonce,
        } | claims
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self.key.as_dict(private=False)}
        payload = json.dumps({name: value for name, value in given.items() if value is not None})
        return jws.serialize_compact(header, payload.encode(), self.key, algorithms=["ES256"])

    def send(self, body: Any, path: str = "evaluation", *, scheme: str = "", proof: str | None = None) -> httpx.Response:
        """Show the token as it must be shown, with a nonce that was asked for first, unless something else is named."""
        bound = self.key is not None
        headers = {"Authorization": f"{scheme or ('DPoP' if bound else 'Bearer')} {self.text}"}
        if proof is None and bound:
            self.nonce = self.nonce or self.send(body, path, proof=self.proof(path, nonce=None)).headers["DPoP-Nonce"]
            proof = self.proof(path)
        if proof:
            headers["DPoP"] = proof
        return httpx.post(f"{self.ask.product.url}/access/v1/{path}", json=body, headers=headers, timeout=30)

    def __call__(self, action: str = "read", resource: str = "record-1", **more: Any) -> tuple[str, dict[str, Any]]:
        """Ask one question with it; give the effect and the context."""
        answer = self.send(question(action, resource, **more))
        assert answer.status_code == 200, answer.text
        return answer.json()["context"]["effect"], answer.json()["context"]


def hold(
    ask: Asking,
    *chain: str,
    audience: str = "",
    scopes: tuple[str, ...] = ("decide",),
    details: tuple[dict[str, Any], ...] = (),
    bound: bool = False,
    task: str = "",
    parent: str = "",
    networks: tuple[str, ...] = (),
    credential_seconds: int = 0,
) -> Held:
    """Issue a token: the subject, then the actors, the present one first; for agentiam itself unless an audience is named."""
    key = ECKey.generate_key("P-256") if bound else None
    subject, *actors = chain or ("agent/runner",)
    given = {
        "subject": subject,
        "actors": actors,
        "audience": audience,
        "scopes": scopes,
        "details": details,
        "jkt": "" if key is None else key.thumbprint(),
        "task": task,
        "parent": parent,
        "networks": networks,
        "credential_seconds": credential_seconds,
    }
    made = ask.run(_ISSUE.format(given=given))
    return Held(ask, made["text"], made["jti"], made["credential"], key)


def passing_on(ask: Asking, text: str, body: Any, path: str = "evaluation") -> httpx.Response:
    """Ask as the application, with a token that it was given."""
    return ask.raw(body, path, **{"Subject-Token": text})
