"""Asking agentiam for a decision (AuthZEN Authorization API 1.0): whatever is not a clear yes is a no."""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import httpx

from agentiam.client.errors import DecisionDenied, Unavailable
from agentiam.client.jose import is_text
from agentiam.client.keys import ApplicationKey
from agentiam.client.obligations import MASK, Fields, Obligation, Obligations
from agentiam.client.tokens import AccessToken
from agentiam.client.wire import Answer, Flow, Wire

_TENANT: Final = re.compile(r"/o/[^/]+/?\Z")
_OURS: Final = ("delegation", "on_behalf_of", "explain")
_MAX_LIST: Final = 10_000
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer; true in a condition only if it is a yes with which all that must be done was done or will be.

    ``fields`` say what of the object may be shown; ``mask`` does it. ``failure`` says why this library made it a no, and
    ``unavailable`` that there was no answer at all.
    """

    allowed: bool
    effect: str = "deny"
    reason_user: str = ""
    reason_admin: str = ""
    fields: Fields = field(default_factory=Fields)
    obligations: tuple[Obligation, ...] = ()
    evaluation_id: str = ""
    failure: str = ""
    unavailable: bool = False
    context: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __bool__(self) -> bool:
        return self.allowed

    def require(self) -> None:
        """Go on with a yes only. Raises DecisionDenied, or Unavailable if there was no answer."""
        if self.unavailable:
            raise Unavailable(self.failure)
        if not self.allowed:
            raise DecisionDenied(self.reason_user or "Not allowed.")

    def mask(self, data: Mapping[str, Any], *, mask: Any = MASK) -> dict[str, Any]:
        """Give of an object's top-level members what may be shown, masked where it must be. Raises DecisionDenied."""
        self.require()
        return self.fields.apply(data, mask=mask)


def question(
    token: AccessToken,
    action: str,
    resource: tuple[str, str],
    *,
    action_properties: Mapping[str, Any] | None = None,
    resource_properties: Mapping[str, Any] | None = None,
    context: Mapping[str, Any] | None = None,
    fields: Sequence[str] = (),
) -> dict[str, Any]:
    """Write a question so that its subject is the token's: the person with the actor chain, or the agent with its delegators.

    Raises ValueError if the context says who acts for whom, which is the token's to say, or how long the answer is to be.
    """
    around = dict(context or {})
    taken = [name for name in _OURS if name in around]
    if taken:
        raise ValueError(f"{', '.join(taken)} of the context is this library's to say, by the token")
    # The fields that a yes is about come with a long answer only.
    around["explain"] = True
    kind, _, identifier = token.subject.partition("/")
    subject: dict[str, Any] = {"type": kind, "id": identifier}
    if kind == "user" and token.actors:
        subject["properties"] = {"act": token.claims["act"]}
    elif token.actors:
        subject["id"] = token.actors[0].removeprefix("agent/")
        # The outermost delegator first: whose authority it is, then who acted first.
        around["delegation"] = [token.subject, *reversed(token.actors[1:])]
    asked = dict(action_properties or {})
    if fields:
        asked["fields"] = list(fields)
    object_type, object_id = resource
    found = {
        "subject": subject,
        "action": {"name": action} | ({"properties": asked} if asked else {}),
        "resource": {"type": object_type, "id": object_id},
    }
    if resource_properties:
        found["resource"]["properties"] = dict(resource_properties)
    return {**found, "context": around}


def read_decision(answer: Answer) -> Decision:
    """Read an answer. Raises Unavailable for everything that is not one, in any of its parts that count."""
    if answer.status != 200:
        raise Unavailable(f"the decision was answered with {answer.status}")
    body = answer.json_object()
    decision, context = body.get("decision"), body.get("context", {})
    if not isinstance(decision, bool) or not isinstance(context, dict):
        raise Unavailable("the answer holds no decision")
    effect = context.get("effect", "allow" if decision else "deny")
    if effect not in {"allow", "deny", "escalate"} or (effect == "allow") != decision:
        raise Unavailable("the answer contradicts itself")
    obligations = _obligations(context.get("obligations", []))
    return Decision(
        allowed=decision,
        effect=effect,
        reason_user=_text(context.get("reason_user")),
        reason_admin=_text(context.get("reason_admin")),
        fields=_fields(context.get("fields", {})).masking(obligations),
        obligations=obligations,
        evaluation_id=_text(context.get("evaluation_id")),
        context=context,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _names(value: object) -> frozenset[str]:
    if not isinstance(value, list) or len(value) > _MAX_LIST or not all(isinstance(each, str) for each in value):
        raise Unavailable("the answer names fields in a way that is not known here")
    return frozenset(value)


def _fields(value: object) -> Fields:
    if not isinstance(value, dict):
        raise Unavailable("the answer names fields in a way that is not known here")
    return Fields(*(_names(value.get(name, [])) for name in ("allowed", "masked", "denied")))


def _obligations(value: object) -> tuple[Obligation, ...]:
    if not isinstance(value, list) or len(value) > _MAX_LIST:
        raise Unavailable("the answer's obligations are not a list")
    found = []
    for each in value:
        properties = each.get("properties", {}) if isinstance(each, dict) else None
        if not isinstance(properties, dict) or not is_text(each.get("id")) or not is_text(each.get("type")):
            raise Unavailable("an obligation of the answer is not one")
        obligation = Obligation(each["id"], each["type"], properties)
        if obligation.masks and not _names(properties.get("fields")):
            raise Unavailable("the answer does not say what to mask")
        found.append(obligation)
    return tuple(found)


class DecisionPoint:
    """Asks agentiam as an application, and meets the obligations of its answers."""

    def __init__(self, issuer: str, *, own: ApplicationKey | None, wire: Wire, obligations: Obligations, url: str = "") -> None:
        self._url = url or f"{_TENANT.sub('', issuer).rstrip('/')}/access/v1/evaluation"
        self._own, self._wire, self._handlers = own, wire, obligations

    def ask(self, token: AccessToken, body: Mapping[str, Any], *, masks: bool) -> Decision:
        """Ask once. Never raises for want of an answer: that is a no which says so."""
        decision = self._wire.run(self._asked(token, body))
        return _settled(decision, self._handlers.meet(decision.obligations, token, masks=masks), masks=masks)

    async def aask(self, token: AccessToken, body: Mapping[str, Any], *, masks: bool) -> Decision:
        """Do the same in an event loop."""
        decision = await self._wire.arun(self._asked(token, body))
        return _settled(decision, await self._handlers.ameet(decision.obligations, token, masks=masks), masks=masks)

    def _asked(self, token: AccessToken, body: Mapping[str, Any]) -> Flow[Decision]:
        if self._own is None:
            raise ValueError("to ask for decisions, a resource server needs its application and key")
        headers = {"Authorization": f"Bearer {self._own.key}", "Subject-Token": token.text, "Accept": "application/json"}
        try:
            answer = yield httpx.Request("POST", self._url, json=body, headers=headers)
            return read_decision(answer)
        except Unavailable as error:
            _log.warning("no decision: %s", error)
            return Decision(allowed=False, failure=str(error), unavailable=True)


def _settled(decision: Decision, unmet: Sequence[str], *, masks: bool) -> Decision:
    """Make a yes a no if something that must be done with it cannot be, or it does not say what to show and that is wanted."""
    if not decision.allowed:
        return decision
    if unmet:
        failure = f"obligations that this application does not meet: {', '.join(unmet)}"
    elif masks and "fields" not in decision.context:
        failure = "the answer does not say which fields may be shown"
    else:
        return decision
    return replace(decision, allowed=False, effect="deny", reason_user="Not allowed.", failure=failure)
