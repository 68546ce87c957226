"""An agent spawns another with its token, gives it a proof, and what the child may do ends with its parent."""

import base64
from dataclasses import dataclass
from typing import Any

import httpx

from tests.access.asking import Asking, question
from tests.access.holding import CRM, passing_on

AGENT = "agent = Agent.objects.get(organization=organization, external_id={!r})\n"
SECRET = "_, token = issue_client_secret(agent=agent, label='s', scopes=['decide', 'write'], by=by, now=now)\n"


@dataclass
class Journey:
    """What one organization's agents do over HTTP."""

    ask: Asking

    @property
    def url(self) -> str:
        return self.ask.product.url

    def token(self, name: str, secret: str, **data: str) -> str:
        basic = base64.b64encode(f"{name}:{secret}".encode()).decode()
        answer = httpx.post(
            f"{self.url}/o/{self.ask.slug}/oauth/token",
            data={"grant_type": "client_credentials", **data},
            headers={"Authorization": f"Basic {basic}"},
        )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def api(self, token: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = httpx.post(f"{self.url}/api/v1/{path}", json=body, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def decided(self, token: str, action: str, subject: str) -> dict[str, Any]:
        answer = httpx.post(
            f"{self.url}/access/v1/evaluation",
            json=question(action, subject=subject, amount=1),
            headers={"Authorization": f"Bearer {token}"},
        )
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def active(self, token: str) -> bool:
        answer = httpx.post(
            f"{self.url}/o/{self.ask.slug}/oauth/introspect",
            data={"token": token},
            headers={"Authorization": f"Bearer {self.ask.key}"},
        )
        assert answer.status_code == 200, answer.text
        return bool(answer.json()["active"])


def _child_of(fresh: Asking) -> tuple[Journey, str, str]:
    """Let the runner spawn a child that may only read; give the child's tokens for agentiam and for the application."""
    journey = Journey(fresh)
    parent, secret = fresh.run(AGENT.format("runner") + SECRET + "result = [str(agent.pk), token.text]")
    token = journey.token("runner", secret, resource=journey.url, scope="write")
    child = journey.api(
        token,
        f"agents/{parent}/spawn",
        {
            "external_id": "reader",
            "name": "Reader",
            "purpose": "Reads for the runner",
            "capabilities": [{"type": "record", "actions": ["read"]}],
        },
    )
    assert child["parent"]["external_id"] == "runner"
    made = journey.api(token, f"agents/{parent}/child-credential", {"child": child["id"], "label": "first"})
    own = journey.token("reader", made["secret"], resource=journey.url, scope="decide")
    passed = journey.token("reader", made["secret"], resource=CRM)
    return journey, own, passed


def test_a_child_may_less_than_its_parent(fresh: Asking) -> None:
    journey, own, passed = _child_of(fresh)
    assert fresh("write", amount=1)[0] == "allow"
    assert journey.decided(own, "read", "agent/reader")["decision"] is True
    refused = journey.decided(own, "write", "agent/reader")
    assert (refused["decision"], refused["context"]["lost"]["who"]) == (False, "agent/reader")
    assert passing_on(fresh, passed, question(subject="agent/reader")).json()["decision"] is True
    assert journey.active(passed)


def test_suspending_the_parent_stops_the_child_everywhere_at_once(fresh: Asking) -> None:
    journey, own, passed = _child_of(fresh)
    assert journey.decided(own, "read", "agent/reader")["decision"] is True
    fresh.run(AGENT.format("runner") + "suspend_agent(agent=agent, by=by, reason='stop', now=now)")
    assert journey.decided(own, "read", "agent/reader")["context"]["lost"]["term"] == "parent"
    assert passing_on(fresh, passed, question(subject="agent/reader")).json()["context"]["lost"]["term"] == "parent"
    assert not journey.active(passed)
    fresh.run(AGENT.format("runner") + "resume_agent(agent=agent, by=by, reason='go', now=now)")
    assert journey.decided(own, "read", "agent/reader")["decision"] is True
    assert journey.active(passed)


def test_retiring_the_parent_ends_the_child_everywhere_at_once(fresh: Asking) -> None:
    journey, own, passed = _child_of(fresh)
    assert journey.decided(own, "read", "agent/reader")["decision"] is True
    fresh.run(AGENT.format("runner") + "retire_agent(agent=agent, by=by, reason='end', now=now)")
    answer = httpx.post(
        f"{journey.url}/access/v1/evaluation",
        json=question(subject="agent/reader"),
        headers={"Authorization": f"Bearer {own}"},
    )
    assert answer.status_code == 401
    answer = passing_on(fresh, passed, question(subject="agent/reader"))
    assert (answer.json()["decision"], answer.json()["context"]["lost"]["term"]) == (False, "token")
    assert not journey.active(passed)
