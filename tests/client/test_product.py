"""The library against agentiam itself, over real HTTP: agents get tokens, and the example's server lets them in."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from joserfc import jwk

from agentiam.client import (
    AgentClient,
    ClientCredential,
    ClientSecretBasic,
    ClientSecretPost,
    DpopKey,
    PrivateKeyJwt,
    ResourceServer,
    TokenInvalid,
    TokenRefused,
)
from tests.client.test_mcp_example import CALL, CALL_HEADERS, EXAMPLE, ROOT, answers
from tests.serving import Served, free_port, served

KEY = jwk.generate_key("EC", "P-256")
SETUP = """
import json
from agentiam.kit.actors import system
from directory.models import Agent
from directory.services.credentials import issue_client_secret, register_public_key
from permissions.models import Application
from permissions.services.application_keys import issue_application_key
by = system("tests")
agent = Agent.objects.get(external_id="refund-runner")
register_public_key(agent=agent, label="k", jwk=json.loads({key!r}), by=by, now=now)
result = {{
    "agent": issue_client_secret(agent=agent, label="s", by=by, now=now)[1].text,
    "crm": issue_application_key(application=Application.objects.get(slug="crm"), label="k", by=by, now=now)[1].text,
}}
"""


@dataclass
class Product:
    copy: Served
    resource: str
    secrets: dict[str, str]

    @property
    def issuer(self) -> str:
        return f"{self.copy.url}/o/acme"

    def server(self, **options: str) -> ResourceServer:
        return ResourceServer(self.resource, self.issuer, application="crm", key=self.secrets["crm"], **options)

    def credentials(self) -> list[ClientCredential]:
        secret = self.secrets["agent"]
        posted, signed = ClientSecretPost("refund-runner", secret), PrivateKeyJwt("refund-runner", KEY)
        return [ClientSecretBasic("refund-runner", secret), posted, signed]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """Serve the small organization, whose application is the example's server."""
    resource = f"http://127.0.0.1:{free_port()}/mcp"
    manifest = (ROOT / "docs" / "examples" / "acme.yaml").read_text("utf-8")
    lines = [line for line in manifest.splitlines() if not line.strip().startswith("audience:")]
    lines.insert(lines.index("    name: Customer service") + 1, f"    audience: {resource}")
    with served(tmp_path_factory.mktemp("client")) as copy:
        copy.apply("\n".join(lines))
        public = {**KEY.as_dict(private=False), "alg": "ES256"}
        yield Product(copy, resource, copy.run(SETUP.format(key=json.dumps(public))))


def test_agents_get_tokens_that_the_library_verifies(product: Product) -> None:
    server = product.server(introspect="always")
    for credential in product.credentials():
        agent = AgentClient(product.issuer, credential)
        token = agent.token(product.resource, "case:read")
        headers = [("Authorization", f"Bearer {token.access_token}")]
        verified = server.verify("GET", product.resource, headers, scopes=("case:read",))
        assert (verified.agent, verified.client_id) == ("refund-runner", "refund-runner")
        assert verified.scopes == {"case:read"}
        agent.revoke(token)
        with pytest.raises(TokenInvalid, match="not active"):
            server.verify("GET", product.resource, headers)
        agent.close()
    server.close()


def test_bound_tokens_work_from_end_to_end(product: Product) -> None:
    key, server = DpopKey.generate(), product.server(dpop="required", introspect="always")
    agent = AgentClient(product.issuer, product.credentials()[0], dpop=key)
    token = agent.token(product.resource, "case:read")
    proof = key.proof("GET", product.resource, now=time.time(), token=token.access_token)
    sent = [("Authorization", f"DPoP {token.access_token}"), ("DPoP", proof)]
    verified = server.verify("GET", product.resource, sent)
    assert verified.thumbprint == key.thumbprint
    decision = server.ask(verified, "read", ("case", "case-1"), masks=True)
    assert decision.mask({"title": "Late", "email": "a@b.c", "iban": "DE"}) == {"title": "Late", "email": "***"}
    assert not server.ask(verified, "read", ("case", "case-1"))
    assert not server.ask(verified, "read", ("case", "case-2"), masks=True)


def test_a_reference_is_introspected(product: Product) -> None:
    change = (
        "from permissions.models import Application\nresult = Application.objects.filter(slug='crm').update(token_format={!r})"
    )
    assert product.copy.run(change.format("reference")) == 1
    try:
        agent = AgentClient(product.issuer, product.credentials()[0])
        token = agent.token(product.resource, "case:read")
    finally:
        product.copy.run(change.format("jwt"))
    assert token.access_token.startswith("aat_")
    headers = [("Authorization", f"Bearer {token.access_token}")]
    assert product.server().verify("GET", product.resource, headers).agent == "refund-runner"
    agent.revoke(token)
    with pytest.raises(TokenInvalid, match="not active"):
        product.server().verify("GET", product.resource, headers)


def test_a_refusal_of_the_server_is_told(product: Product) -> None:
    agent = AgentClient(product.issuer, ClientSecretBasic("refund-runner", "aia_wrong"))
    with pytest.raises(TokenRefused, match="invalid_client"):
        agent.token(product.resource)
    with pytest.raises(TokenRefused, match="invalid_target"):
        AgentClient(product.issuer, product.credentials()[0]).token("https://nowhere.example")


def test_the_example_runs_against_the_product(product: Product) -> None:
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "RESOURCE": product.resource,
        "AGENTIAM_ISSUER": product.issuer,
        "AGENTIAM_APPLICATION": "crm",
        "AGENTIAM_KEY": product.secrets["crm"],
        "AGENTIAM_CLIENT_ID": "refund-runner",
        "AGENTIAM_CLIENT_SECRET": product.secrets["agent"],
    }
    process = subprocess.Popen([sys.executable, str(EXAMPLE / "server.py")], env=environment)
    try:
        until = time.monotonic() + 30
        while not answers(product.resource):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
        calls = []
        for case in ("case-1", "case-2"):
            command = [sys.executable, str(EXAMPLE / "call.py"), case]
            calls.append(subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60))
        agent = AgentClient(product.issuer, product.credentials()[2], dpop=DpopKey.generate())
        with httpx.Client(auth=agent.auth(product.resource, "case:read")) as client:
            bound = client.post(product.resource, json=CALL, headers=CALL_HEADERS)
    finally:
        process.terminate()
        process.wait(timeout=10)
    assert calls[0].returncode == 0, calls[0].stderr
    assert '"email": "***"' in calls[0].stdout
    assert "iban" not in calls[0].stdout
    assert calls[1].returncode == 1
    assert "refused" in calls[1].stdout
    assert bound.status_code == 200, bound.text
    assert "***" in bound.text
