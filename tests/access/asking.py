"""Short ways to ask, so that a test says what it is about."""

from typing import Any

import httpx

from tests.serving import Served

OWED: dict[str, Any] = {
    "fields": {"allowed": ["title"], "masked": ["email"], "denied": ["iban"]},
    "obligations": [
        {"id": "mask", "type": "custom", "properties": {"vendor": "agentiam", "action": "mask", "fields": ["email"]}}
    ],
}
"""What a yes to reading a record does not hold without, however short the answer."""


def question(
    action: str = "read",
    resource: str = "record-1",
    *,
    subject: str = "agent/runner",
    kind: str = "record",
    fields: list[str] | None = None,
    properties: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Write an evaluation request; ``amount`` goes to the action, everything else that is named to the context."""
    subject_type, _, subject_id = subject.partition("/")
    action_properties: dict[str, Any] = {} if fields is None else {"fields": fields}
    if "amount" in more:
        action_properties["amount"] = more.pop("amount")
    asked: dict[str, Any] = {
        "subject": {"type": subject_type, "id": subject_id},
        "action": {"name": action, "properties": action_properties},
        "resource": {"type": kind, "id": resource},
    }
    if properties is not None:
        asked["resource"]["properties"] = properties
    if more:
        asked["context"] = more
    return asked


class Asking:
    """Somebody who asks with one key."""

    def __init__(self, product: Served, key: str, *, slug: str = "acme") -> None:
        self.product = product
        self.key = key
        self.slug = slug

    def raw(self, body: Any, path: str = "evaluation", **headers: str) -> httpx.Response:
        """Send a body as it is."""
        return self.product.post(f"/access/v1/{path}", body, self.key, **headers)

    def __call__(self, action: str = "read", resource: str = "record-1", **more: Any) -> tuple[str, dict[str, Any]]:
        """Ask one question; give the effect and the context."""
        answer = self.raw(question(action, resource, **more))
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert body["decision"] is (body["context"]["effect"] == "allow")
        return body["context"]["effect"], body["context"]

    def lost(self, action: str = "read", resource: str = "record-1", **more: Any) -> str:
        """Ask one question that is to be refused; give the term that lost."""
        effect, context = self(action, resource, **more)
        assert effect == "deny", context
        return str(context["lost"]["term"])

    def as_agent(self, name: str) -> "Asking":
        """Ask with an agent's own key."""
        return Asking(self.product, self.product.keys[f"{self.slug}:agent/{name}"], slug=self.slug)

    def run(self, code: str) -> Any:
        """Change something in another process, in this organization."""
        return self.product.run(f"organization = Organization.objects.get(slug={self.slug!r})\n{code}")
