import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from agentiam.client import AccessToken, Decision, DecisionDenied, Obligation, Obligations, ResourceServer, Unavailable
from tests.client.conftest import Make
from tests.client.server import ISSUER, RESOURCE, FakeServer

MASK: dict[str, Any] = {
    "id": "mask",
    "type": "custom",
    "properties": {"vendor": "agentiam", "action": "mask", "fields": ["email"]},
}
NOTIFY: dict[str, Any] = {"id": "tell", "type": "notification", "properties": {"to": "bob", "body": "a refund"}}
FIELDS = {"allowed": ["id", "title"], "masked": ["email"], "denied": ["notes"]}
CASE = {"id": "c1", "title": "Late", "email": "a@b.c", "notes": "secret", "unknown": 1}


def allow(**context: Any) -> dict[str, Any]:
    return {"decision": True, "context": {"effect": "allow"} | context}


def token_of(server: ResourceServer, fake: FakeServer, **claims: Any) -> AccessToken:
    return server.verify("GET", RESOURCE, [("Authorization", f"Bearer {fake.token(**claims)}")])


def ask(server: ResourceServer, fake: FakeServer, *, way: str = "sync", **options: Any) -> Decision:
    token = token_of(server, fake)
    if way == "sync":
        return server.ask(token, "read", ("case", "c1"), **options)
    return asyncio.run(server.aask(token, "read", ("case", "c1"), **options))


def act(*agents: str) -> dict[str, Any]:
    """Make a chain of actors, the one who acts now first."""
    first, *rest = agents
    return {"sub": f"agent/{first}", "iss": ISSUER, "sub_profile": "ai_agent"} | ({"act": act(*rest)} if rest else {})


@pytest.mark.parametrize(
    ("claims", "subject", "context"),
    [
        ({"sub": "agent/X"}, {"type": "agent", "id": "X"}, None),
        ({"sub": "user/U"}, {"type": "user", "id": "U"}, None),
        ({"sub": "user/U", "act": act("B")}, {"type": "user", "id": "U", "properties": {"act": act("B")}}, None),
        ({"sub": "user/U", "act": act("B", "A")}, {"type": "user", "id": "U", "properties": {"act": act("B", "A")}}, None),
        ({"sub": "agent/A", "act": act("B")}, {"type": "agent", "id": "B"}, {"delegation": ["agent/A"]}),
        (
            {"sub": "agent/A", "act": act("D", "C", "B")},
            {"type": "agent", "id": "D"},
            {"delegation": ["agent/A", "agent/B", "agent/C"]},
        ),
    ],
)
def test_the_subject_is_the_tokens(
    claims: dict[str, Any], subject: dict[str, Any], context: dict[str, Any] | None, fake: FakeServer, make: Make
) -> None:
    server = make()
    token = token_of(server, fake, **claims)
    assert server.ask(token, "refund", ("case", "c1"))
    asked = fake.questions[-1]
    assert asked == {
        "subject": subject,
        "action": {"name": "refund"},
        "resource": {"type": "case", "id": "c1"},
        "context": {"explain": True} | (context or {}),
        "_token": token.text,
    }


def test_a_question_holds_what_the_application_knows(fake: FakeServer, make: Make) -> None:
    known = {"action_properties": {"amount": 5}, "resource_properties": {"region": "EU"}, "context": {"task": {"id": "t"}}}
    assert ask(make(), fake, fields=["title"], **known)
    asked = fake.questions[-1]
    assert asked["action"] == {"name": "read", "properties": {"amount": 5, "fields": ["title"]}}
    assert asked["resource"]["properties"] == {"region": "EU"}
    assert asked["context"] == {"task": {"id": "t"}, "explain": True}
    for name in ("delegation", "on_behalf_of", "explain"):
        with pytest.raises(ValueError, match=name):
            ask(make(), fake, context={name: []})
    with pytest.raises(ValueError, match="application"):
        ask(make(application="", key=""), fake)


def test_the_organization_is_no_part_of_the_decision_point(fake: FakeServer, make: Make) -> None:
    ask(make(), fake)
    assert fake.counts["evaluation"] == 1
    fake.overrides["nothing"] = lambda request: httpx.Response(200, json=allow())
    assert ask(make(decisions_url="https://pdp.example/decide"), fake)


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_no_is_a_no(way: str, fake: FakeServer, make: Make) -> None:
    said = {"effect": "escalate", "reason_user": "A person must approve this first.", "reason_admin": "by guardrail"}
    fake.answer = {"decision": False, "context": said | {"evaluation_id": "e1"}}
    decision = ask(make(), fake, way=way)
    assert not decision
    assert (decision.effect, decision.evaluation_id, decision.unavailable) == ("escalate", "e1", False)
    with pytest.raises(DecisionDenied, match="A person"):
        decision.mask(CASE)


def response(status: int = 200, **content: Any) -> Callable[[httpx.Request], httpx.Response]:
    return lambda request: httpx.Response(status, **content)


def timeout(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("slow")


NO_ANSWER: dict[str, Callable[[httpx.Request], httpx.Response]] = {
    "timeout": timeout,
    "error": response(500, json=allow()),
    "not authenticated": response(401, json=allow()),
    "redirect": response(307, headers={"Location": "https://evil.example/"}),
    "created": response(201, json=allow()),
    "a page": response(html="<p>"),
    "another type": response(content=b'{"decision": true}', headers={"content-type": "text/plain"}),
    "a list": response(json=[allow()]),
    "true": response(json=True),
    "nothing": response(json={}),
    "a word": response(json={"decision": "true"}),
    "a one": response(json={"decision": 1}),
    "two decisions": response(content=b'{"decision": false, "decision": true}', headers={"content-type": "application/json"}),
    "context is a list": response(json={"decision": True, "context": []}),
    "yes that denies": response(json={"decision": True, "context": {"effect": "deny"}}),
    "yes that escalates": response(json={"decision": True, "context": {"effect": "escalate"}}),
    "no that allows": response(json={"decision": False, "context": {"effect": "allow"}}),
    "an unknown effect": response(json={"decision": True, "context": {"effect": "maybe"}}),
    "obligations are an object": response(json=allow(obligations={})),
    "an obligation is a text": response(json=allow(obligations=["mask"])),
    "an obligation without id": response(json=allow(obligations=[MASK | {"id": ""}])),
    "an obligation without type": response(json=allow(obligations=[{"id": "x"}])),
    "properties are a list": response(json=allow(obligations=[MASK | {"properties": []}])),
    "mask nothing": response(json=allow(obligations=[MASK | {"properties": MASK["properties"] | {"fields": []}}])),
    "mask a text": response(json=allow(obligations=[MASK | {"properties": MASK["properties"] | {"fields": "email"}}])),
    "mask a number": response(json=allow(obligations=[MASK | {"properties": MASK["properties"] | {"fields": [1]}}])),
    "fields are a list": response(json=allow(fields=[])),
    "fields of numbers": response(json=allow(fields={"masked": [1]})),
    "masked is a text": response(json=allow(fields={"masked": "email"})),
    "too much": response(json=allow(reason_user="x" * 2_000_000)),
}


@pytest.mark.parametrize("answer", NO_ANSWER.values(), ids=NO_ANSWER.keys())
def test_whatever_is_no_answer_is_a_no(answer: Callable[[httpx.Request], httpx.Response], fake: FakeServer, make: Make) -> None:
    fake.overrides["evaluation"] = answer
    for way in ("sync", "async"):
        decision = ask(make(), fake, way=way, masks=True)
        assert (decision.allowed, bool(decision), decision.unavailable) == (False, False, True)
        assert decision.failure
        with pytest.raises(Unavailable):
            decision.require()
    assert fake.counts["evaluation"] == 2


@pytest.mark.parametrize("way", ["sync", "async"])
def test_masking_must_be_promised(way: str, fake: FakeServer, make: Make) -> None:
    fake.answer = allow(fields=FIELDS, obligations=[MASK])
    refused = ask(make(), fake, way=way)
    assert not refused
    assert "mask" in refused.failure
    decision = ask(make(), fake, way=way, masks=True)
    assert decision.mask(CASE) == {"id": "c1", "title": "Late", "email": "***"}
    assert decision.mask(CASE, mask=None)["email"] is None


def test_what_an_obligation_masks_is_masked_though_it_is_listed_as_allowed(fake: FakeServer, make: Make) -> None:
    fake.answer = allow(fields=FIELDS | {"allowed": ["email", "title"], "masked": []}, obligations=[MASK])
    assert ask(make(), fake, masks=True).mask(CASE) == {"title": "Late", "email": "***"}


def test_everything_can_be_masked(fake: FakeServer, make: Make) -> None:
    everything = MASK | {"properties": MASK["properties"] | {"fields": ["*"]}}
    fake.answer = allow(fields={"allowed": [], "masked": [], "denied": []}, obligations=[everything])
    assert ask(make(), fake, masks=True).mask({"a": 1, "b": {"c": 2}}) == {"a": "***", "b": "***"}


def test_a_yes_that_does_not_say_which_fields_may_be_shown_is_a_no_where_they_are_to_be_masked(
    fake: FakeServer, make: Make
) -> None:
    fake.answer = {"decision": True}
    decision = ask(make(), fake, masks=True)
    assert (decision.allowed, decision.failure) == (False, "the answer does not say which fields may be shown")
    assert ask(make(), fake).allowed


def test_of_a_type_without_fields_all_is_shown(fake: FakeServer, make: Make) -> None:
    fake.answer = allow(fields={"allowed": [], "masked": [], "denied": []}, obligations=[])
    assert ask(make(), fake).mask(CASE) == CASE


@pytest.mark.parametrize("way", ["sync", "async"])
def test_an_obligation_that_nobody_meets_makes_it_a_no_and_others_are_met_all_the_same(
    way: str, fake: FakeServer, make: Make
) -> None:
    told: list[Obligation] = []
    obligations = Obligations()
    obligations.register("notification", lambda obligation, token: told.append(obligation))
    server = make(obligations=obligations)
    fake.answer = allow(obligations=[NOTIFY])
    assert ask(server, fake, way=way)
    fake.answer = allow(obligations=[{"id": "up", "type": "step-up", "properties": {}}, NOTIFY])
    decision = ask(server, fake, way=way)
    assert not decision
    assert "up" in decision.failure
    fake.answer = {"decision": False, "context": {"obligations": [NOTIFY]}}
    assert not ask(server, fake, way=way)
    assert [each.properties["to"] for each in told] == ["bob"] * 3


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_handler_that_fails_makes_it_a_no(way: str, fake: FakeServer, make: Make) -> None:
    def fails(obligation: Obligation, token: AccessToken) -> None:
        raise RuntimeError("no mail today")

    obligations = Obligations()
    obligations.register("notification", fails)
    fake.answer = allow(obligations=[NOTIFY])
    assert not ask(make(obligations=obligations), fake, way=way)


def test_a_coroutine_meets_an_obligation_in_an_event_loop_only(fake: FakeServer, make: Make) -> None:
    told = []

    async def tell(obligation: Obligation, token: AccessToken) -> None:
        await asyncio.sleep(0)
        told.append((obligation.id, token.subject))

    obligations = Obligations()
    obligations.register("custom", tell, vendor="acme", action="tell")
    fake.answer = allow(obligations=[{"id": "t", "type": "custom", "properties": {"vendor": "acme", "action": "tell"}}])
    assert ask(make(obligations=obligations), fake, way="async")
    assert not ask(make(obligations=obligations), fake)
    assert [each for each, _ in told] == ["t"]
    fake.answer = allow(obligations=[{"id": "t", "type": "custom", "properties": {"vendor": "acme", "action": "other"}}])
    assert not ask(make(obligations=obligations), fake, way="async")


def test_a_handler_is_registered_once_and_for_something() -> None:
    obligations = Obligations()
    obligations.register("notification", lambda obligation, token: None)
    with pytest.raises(ValueError, match="already"):
        obligations.register("notification", lambda obligation, token: None)
    for wrong in ({"type": "custom"}, {"type": "custom", "vendor": "a"}, {"type": "step-up", "vendor": "a", "action": "b"}):
        with pytest.raises(ValueError, match="vendor"):
            obligations.register(handler=lambda obligation, token: None, **wrong)
