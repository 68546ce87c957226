import asyncio
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from joserfc import jwk

from agentiam.client import (
    AgentClient,
    AsyncAgentClient,
    ClientCredential,
    ClientSecretBasic,
    ClientSecretPost,
    DpopKey,
    IssuedToken,
    PrivateKeyJwt,
    TokenRefused,
    Unavailable,
)
from tests.client.conftest import Make
from tests.client.server import AGENT, ISSUER, RESOURCE, SECRET, FakeServer

BASIC = ClientSecretBasic(AGENT, SECRET)


class Threads:
    """Lets the same tests go through an agent's synchronous side."""

    def __init__(self, fake: FakeServer, **options: Any) -> None:
        given = {"credential": BASIC, "clock": fake.clock, "client": fake.client()} | options
        self.agent = AgentClient(ISSUER, **given)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.agent, name)


class Tasks:
    """And these through its asynchronous one."""

    def __init__(self, fake: FakeServer, **options: Any) -> None:
        given = {"credential": BASIC, "clock": fake.clock, "client": fake.async_client()} | options
        self.agent = AsyncAgentClient(ISSUER, **given)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.agent, name)
        return lambda *args, **kwargs: asyncio.run(method(*args, **kwargs))


Side = Callable[..., Any]
both = pytest.mark.parametrize("side", [Threads, Tasks])


def credentials(fake: FakeServer) -> list[ClientCredential]:
    return [BASIC, ClientSecretPost(AGENT, SECRET), PrivateKeyJwt(AGENT, fake.agent_key)]


@both
def test_each_way_to_say_who_one_is_gets_a_token(side: Side, fake: FakeServer) -> None:
    for credential in credentials(fake):
        token = side(fake, credential=credential).token(RESOURCE, "case:read")
        assert (token.token_type, token.resource, token.scopes) == ("Bearer", RESOURCE, {"case:read"})
        assert fake.forms[-1]["resource"] == RESOURCE
        assert SECRET not in repr(credential)


@both
def test_a_token_of_the_server_is_good_at_the_resource(side: Side, fake: FakeServer, make: Make) -> None:
    token = side(fake).token(RESOURCE, ["case:read"])
    assert make().verify("GET", RESOURCE, [("Authorization", f"Bearer {token.access_token}")]).agent == AGENT


@both
def test_a_token_is_kept_until_shortly_before_its_end(side: Side, fake: FakeServer) -> None:
    agent = side(fake)
    first = agent.token(RESOURCE, "case:refund case:read")
    assert agent.token(RESOURCE, ["case:read", "case:refund"]) is first
    assert agent.token(RESOURCE, "case:read") is not first
    assert agent.token("https://other.example", "case:refund case:read") is not first
    fake.clock.now += 569
    assert agent.token(RESOURCE, "case:refund case:read") is first
    fake.clock.now += 1
    assert agent.token(RESOURCE, "case:refund case:read") is not first
    assert (fake.counts["metadata"], fake.counts["token"]) == (1, 4)


@both
def test_a_short_token_is_used_for_three_quarters_of_its_life(side: Side, fake: FakeServer) -> None:
    fake.lifetime = 20
    agent = side(fake)
    first = agent.token(RESOURCE)
    fake.clock.now += 14
    assert agent.token(RESOURCE) is first
    fake.clock.now += 1
    assert agent.token(RESOURCE) is not first


@both
def test_a_token_that_did_not_do_is_replaced_once(side: Side, fake: FakeServer) -> None:
    agent = side(fake)
    first = agent.token(RESOURCE)
    second = agent.token(RESOURCE, instead_of=first.access_token)
    assert agent.token(RESOURCE, instead_of=first.access_token) is second is not first
    assert fake.counts["token"] == 2


def test_many_threads_cause_one_request(fake: FakeServer) -> None:
    fake.delay = 0.02
    agent, found = Threads(fake), []
    threads = [threading.Thread(target=lambda: found.append(agent.token(RESOURCE))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(each) for each in found}) == 1
    assert (len(found), fake.counts["token"]) == (20, 1)


def test_many_tasks_cause_one_request(fake: FakeServer) -> None:
    agent = Tasks(fake).agent

    async def all_at_once() -> list[IssuedToken]:
        return list(await asyncio.gather(*(agent.token(RESOURCE) for _ in range(20))))

    assert len({id(each) for each in asyncio.run(all_at_once())}) == 1
    assert fake.counts["token"] == 1


def test_one_resource_does_not_wait_for_another(fake: FakeServer) -> None:
    held, go = threading.Event(), threading.Event()

    def slowly(request: httpx.Request) -> httpx.Response:
        if b"slow" in request.content:
            held.set()
            go.wait(5)
        return fake._token(request)

    fake.overrides["token"] = slowly
    agent = Threads(fake)
    slow = threading.Thread(target=lambda: agent.token("https://slow.example"))
    slow.start()
    assert held.wait(5)
    assert agent.token(RESOURCE).resource == RESOURCE
    go.set()
    slow.join()


@both
def test_a_refresh_token_is_used_and_forgotten_when_it_is_refused(side: Side, fake: FakeServer) -> None:
    fake.with_refresh = True
    agent = side(fake)
    agent.token(RESOURCE, "case:read")
    fake.clock.now += 600
    second = agent.token(RESOURCE, "case:read")
    fake.refreshes.clear()
    fake.clock.now += 600
    third = agent.token(RESOURCE, "case:read")
    grants = [form["grant_type"] for form in fake.forms]
    assert grants == ["client_credentials", "refresh_token", "refresh_token", "client_credentials"]
    fake.with_refresh = False
    renewed = agent.refresh(third)
    assert renewed.refresh_token == third.refresh_token
    assert second.refresh_token not in repr(second)
    with pytest.raises(ValueError, match="refresh"):
        agent.refresh(IssuedToken("x", "Bearer", RESOURCE, frozenset()))


@both
def test_an_exchange_makes_the_agent_the_actor(side: Side, fake: FakeServer, make: Make) -> None:
    token = side(fake).exchange(fake.token(sub="user/alice", aud="https://front.example"), RESOURCE, "case:read")
    verified = make().verify("GET", RESOURCE, [("Authorization", f"Bearer {token.access_token}")])
    assert (verified.user, verified.agent) == ("alice", AGENT)
    form = fake.forms[-1]
    assert form["subject_token_type"] == form["requested_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
    assert "actor_token" not in form


@both
def test_an_assertion_of_another_authority_becomes_a_token(side: Side, fake: FakeServer) -> None:
    side(fake).assert_grant("an.assertion.here", RESOURCE)
    assert fake.forms[-1]["assertion"] == "an.assertion.here"


@both
def test_a_token_is_given_back(side: Side, fake: FakeServer) -> None:
    fake.with_refresh = True
    agent = side(fake)
    token = agent.token(RESOURCE)
    agent.revoke(token)
    assert fake.revoked == [token.refresh_token, token.access_token]
    assert agent.token(RESOURCE) is not token


@both
def test_tokens_are_bound_to_the_agents_key(side: Side, fake: FakeServer, make: Make) -> None:
    key = DpopKey.generate()
    agent = side(fake, dpop=key)
    fake.nonce = "n1"
    token = agent.token(RESOURCE)
    assert (token.token_type, fake.counts["token"]) == ("DPoP", 2)
    agent.token(RESOURCE, "case:read")
    assert fake.counts["token"] == 3
    fake.nonce = "n2"
    agent.token(RESOURCE, "case:refund")
    assert fake.counts["token"] == 5
    proof = key.proof("GET", RESOURCE, now=fake.clock(), token=token.access_token)
    sent = [("Authorization", f"DPoP {token.access_token}"), ("DPoP", proof)]
    assert make().verify("GET", RESOURCE, sent).thumbprint == key.thumbprint


@both
def test_a_nonce_is_tried_once(side: Side, fake: FakeServer) -> None:
    fake.overrides["token"] = lambda request: httpx.Response(
        400, json={"error": "use_dpop_nonce"}, headers={"DPoP-Nonce": f"n{fake.counts['token']}"}
    )
    with pytest.raises(TokenRefused, match="use_dpop_nonce"):
        side(fake, dpop=DpopKey.generate(), credential=PrivateKeyJwt(AGENT, fake.agent_key)).token(RESOURCE)
    assert fake.counts["token"] == 2


def answer(status: int = 200, **content: Any) -> Callable[[httpx.Request], httpx.Response]:
    return lambda request: httpx.Response(status, **content)


GOOD = {"access_token": "abc", "token_type": "Bearer", "expires_in": 600}
BAD_ANSWERS: dict[str, Callable[[httpx.Request], httpx.Response]] = {
    "error": answer(500, json={"error": "server_error"}),
    "redirect": answer(302, headers={"Location": "https://evil.example/token"}),
    "a page": answer(html="<p>"),
    "a refusal without a code": answer(400, json={}),
    "a refusal as page": answer(401, html="<p>"),
    "no token": answer(json=GOOD | {"access_token": None}),
    "an empty token": answer(json=GOOD | {"access_token": ""}),
    "a token with a line": answer(json=GOOD | {"access_token": "a\r\nX: y"}),
    "a token with a space": answer(json=GOOD | {"access_token": "a b"}),
    "a token of letters beyond": answer(json=GOOD | {"access_token": "é"}),
    "no type": answer(json=GOOD | {"token_type": None}),
    "another type": answer(json=GOOD | {"token_type": "mac"}),
    "bound without being asked": answer(json=GOOD | {"token_type": "DPoP"}),
    "scope as list": answer(json=GOOD | {"scope": ["a"]}),
    "refresh as number": answer(json=GOOD | {"refresh_token": 5}),
    "too much": answer(json=GOOD | {"padding": "x" * 300_000}),
}


@both
@pytest.mark.parametrize("given", BAD_ANSWERS.values(), ids=BAD_ANSWERS.keys())
def test_what_is_no_token_is_not_taken_for_one(given: Any, side: Side, fake: FakeServer) -> None:
    fake.overrides["token"] = given
    with pytest.raises(Unavailable):
        side(fake).token(RESOURCE)
    assert fake.counts["token"] == 1


@both
def test_an_unbound_token_is_refused_by_an_agent_with_a_key(side: Side, fake: FakeServer) -> None:
    fake.overrides["token"] = answer(json=GOOD)
    with pytest.raises(Unavailable, match="DPoP"):
        side(fake, dpop=DpopKey.generate()).token(RESOURCE)


@both
@pytest.mark.parametrize(
    "changes", [{"expires_in": None}, {"expires_in": "600"}, {"expires_in": -5}, {"expires_in": True}], ids=str
)
def test_a_token_without_a_known_end_is_not_kept(changes: dict[str, Any], side: Side, fake: FakeServer) -> None:
    fake.overrides["token"] = answer(json=GOOD | changes)
    agent = side(fake)
    assert agent.token(RESOURCE).expires_at is None
    agent.token(RESOURCE)
    assert fake.counts["token"] == 2


@both
def test_a_refusal_names_its_code_and_no_secret(side: Side, fake: FakeServer) -> None:
    agent = side(fake, credential=ClientSecretBasic(AGENT, "wrong-secret"))
    with pytest.raises(TokenRefused) as caught:
        agent.token(RESOURCE)
    assert (caught.value.error, caught.value.status) == ("invalid_client", 401)
    assert "wrong-secret" not in repr(caught.value) + repr(agent.agent)
    fake.down = True
    with pytest.raises(Unavailable) as failed:
        agent.token(RESOURCE)
    assert "wrong-secret" not in str(failed.value)


@both
def test_metadata_of_another_issuer_gets_no_secret(side: Side, fake: FakeServer) -> None:
    fake.overrides["metadata"] = answer(json={"issuer": "https://agentiam.example", "token_endpoint": "https://evil.example/t"})
    with pytest.raises(Unavailable, match="another issuer"):
        side(fake).token(RESOURCE)
    assert fake.counts["nothing"] == fake.counts["token"] == 0


def test_the_number_of_kept_tokens_is_bounded(fake: FakeServer) -> None:
    agent = Threads(fake)
    first = agent.token("https://r0.example")
    for number in range(1, 257):
        agent.token(f"https://r{number}.example")
    assert len(agent.agent._tokens._tokens) == 256
    assert agent.token("https://r0.example") is not first


def test_keys_show_nowhere(fake: FakeServer) -> None:
    key = jwk.generate_key("EC", "P-256")
    secret = str(key.as_dict(private=True)["d"])
    shown = repr(PrivateKeyJwt(AGENT, key)) + repr(DpopKey(key)) + repr(AgentClient(ISSUER, PrivateKeyJwt(AGENT, key)))
    assert secret not in shown
    with pytest.raises(ValueError, match="private"):
        PrivateKeyJwt(AGENT, jwk.import_key(key.as_dict(private=False)))
