import asyncio
import gzip
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from joserfc import jwk

from agentiam.client import Limits, ResourceServer, TokenInvalid, Unavailable
from tests.client.conftest import Make
from tests.client.server import ISSUER, RESOURCE, FakeServer, signed

KEYS: dict[str, Any] = {name: jwk.generate_key("EC", "P-256") for name in ("k2", "k3")}


def verify(server: ResourceServer, token: str) -> str:
    return server.verify("GET", RESOURCE, [("Authorization", f"Bearer {token}")]).agent


def test_keys_are_fetched_once(fake: FakeServer, make: Make) -> None:
    server = make()
    for _ in range(5):
        assert verify(server, fake.token())
    assert (fake.counts["metadata"], fake.counts["keys"]) == (1, 1)
    fake.clock.now += 301
    verify(server, fake.token())
    assert fake.counts["keys"] == 2


def test_a_new_key_is_found_at_once_and_unknown_ones_cause_no_flood(fake: FakeServer, make: Make) -> None:
    server = make()
    verify(server, fake.token())
    fake.clock.now += 6
    fake.keys["k2"] = KEYS["k2"]
    assert verify(server, fake.token(kid="k2"))
    assert fake.counts["keys"] == 2
    for number in range(50):
        forged = signed({"typ": "at+jwt", "alg": "ES256", "kid": f"x{number}"}, fake.claims(), KEYS["k3"])
        with pytest.raises(TokenInvalid):
            verify(server, forged)
    assert fake.counts["keys"] == 2
    fake.clock.now += 5
    with pytest.raises(TokenInvalid):
        verify(server, forged)
    assert fake.counts["keys"] == 3


def test_a_key_that_was_taken_away_is_believed_no_longer_than_keys_are_fresh(fake: FakeServer, make: Make) -> None:
    server, token = make(), fake.token()
    verify(server, token)
    fake.keys = {"k2": KEYS["k2"]}
    fake.clock.now += 301
    with pytest.raises(TokenInvalid):
        verify(server, token)


def test_kept_keys_outlive_the_server_for_an_hour(fake: FakeServer, make: Make) -> None:
    server = make()
    fake.lifetime = 100_000
    token = fake.token()
    verify(server, token)
    fake.down = True
    fake.clock.now += 3_599
    assert verify(server, token)
    asked = fake.counts["metadata"] + fake.counts["keys"]
    assert verify(server, token)
    assert fake.counts["metadata"] + fake.counts["keys"] == asked
    fake.clock.now += 6
    with pytest.raises(Unavailable):
        verify(server, token)
    with pytest.raises(Unavailable):
        verify(server, token)
    fake.down = False
    fake.clock.now += 5
    assert verify(server, token)


def test_without_any_key_nobody_gets_in(fake: FakeServer, make: Make) -> None:
    fake.down = True
    server = make()
    for _ in range(3):
        with pytest.raises(Unavailable):
            verify(server, fake.token())
    assert fake.counts["metadata"] == 1


def test_many_who_wait_cause_one_request(fake: FakeServer, make: Make) -> None:
    fake.delay = 0.02
    server, found = make(), []
    threads = [threading.Thread(target=lambda: found.append(verify(server, fake.token()))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    assert (fake.counts["metadata"], fake.counts["keys"]) == (1, 1)


def test_many_tasks_who_wait_cause_one_request_and_each_loop_has_its_own_locks(fake: FakeServer, make: Make) -> None:
    server = make()

    async def all_at_once() -> int:
        headers = [("Authorization", f"Bearer {fake.token()}")]
        return len(await asyncio.gather(*(server.averify("GET", RESOURCE, headers) for _ in range(20))))

    assert [asyncio.run(all_at_once()) for _ in range(2)] == [20, 20]
    assert (fake.counts["metadata"], fake.counts["keys"]) == (1, 1)


def test_a_clock_that_was_set_back_does_not_stop_everything(fake: FakeServer, make: Make) -> None:
    server = make()
    fake.down = True
    with pytest.raises(Unavailable):
        verify(server, fake.token())
    fake.down = False
    fake.clock.now -= 10_000
    assert verify(server, fake.token())


def metadata_with(**changes: object) -> Callable[[FakeServer], Callable[[httpx.Request], httpx.Response]]:
    def override(fake: FakeServer) -> Callable[[httpx.Request], httpx.Response]:
        return lambda request: httpx.Response(200, json=fake._metadata(request).json() | changes)

    return override


def always(response: httpx.Response) -> Callable[[FakeServer], Callable[[httpx.Request], httpx.Response]]:
    return lambda fake: lambda request: response


BAD_METADATA = {
    "another issuer": metadata_with(issuer="https://agentiam.example"),
    "issuer with a slash": metadata_with(issuer=ISSUER + "/"),
    "keys in clear text": metadata_with(jwks_uri="http://agentiam.example/jwks"),
    "keys at a number": metadata_with(jwks_uri=7),
    "keys nowhere": metadata_with(jwks_uri=""),
    "an endpoint with a user": metadata_with(token_endpoint="https://a:b@agentiam.example/token"),
    "a redirect": always(httpx.Response(302, headers={"Location": "https://evil.example/"})),
    "an error": always(httpx.Response(500)),
    "a page": always(httpx.Response(200, html="<p>")),
    "a list": always(httpx.Response(200, json=[])),
    "half an object": always(httpx.Response(200, content=b'{"issuer":', headers={"content-type": "application/json"})),
    "too much": always(httpx.Response(200, content=b" " * 2_000_000, headers={"content-type": "application/json"})),
    "compressed": always(httpx.Response(200, content=gzip.compress(b" " * 9_000_000), headers={"content-encoding": "gzip"})),
    "deep": always(httpx.Response(200, content=b'{"a":' * 100_000, headers={"content-type": "application/json"})),
}


@pytest.mark.parametrize("override", BAD_METADATA.values(), ids=BAD_METADATA.keys())
def test_metadata_that_is_not_right_is_none(override: Any, fake: FakeServer, make: Make) -> None:
    fake.overrides["metadata"] = override(fake)
    with pytest.raises(Unavailable):
        verify(make(), fake.token())
    assert fake.counts["keys"] == 0


def keys_answer(*keys: object) -> Callable[[httpx.Request], httpx.Response]:
    return lambda request: httpx.Response(200, json={"keys": list(keys)})


def test_only_fit_keys_are_kept(fake: FakeServer, make: Make) -> None:
    public = fake.keys["k1"].as_dict(private=False)
    bad = [
        public,
        public | {"kid": ""},
        public | {"kid": 5},
        fake.keys["k1"].as_dict(private=True) | {"kid": "k1"},
        public | {"kid": "k1", "use": "enc"},
        public | {"kid": "k1", "key_ops": ["encrypt"]},
        public | {"kid": "k1", "alg": "RS256"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "k1"},
        {"kty": "EC", "kid": "k1"},
        "k1",
    ]
    for each in bad:
        fake.overrides["keys"] = keys_answer(each)
        with pytest.raises(Unavailable):
            verify(make(), fake.token())
    fake.overrides["keys"] = keys_answer(*bad[:3], public | {"kid": "k1", "use": "sig", "alg": "ES256"})
    assert verify(make(), fake.token())
    fake.overrides["keys"] = keys_answer(public | {"kid": "k1"}, KEYS["k2"].as_dict(private=False) | {"kid": "k1"})
    with pytest.raises(Unavailable):
        verify(make(), fake.token())
    fake.overrides["keys"] = keys_answer(*[public | {"kid": f"k{number}"} for number in range(65)])
    with pytest.raises(Unavailable):
        verify(make(), fake.token())


def test_a_slow_server_is_given_up(fake: FakeServer, make: Make) -> None:
    async def slowly(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(30)
        return httpx.Response(500)

    server = ResourceServer(
        RESOURCE,
        ISSUER,
        limits=Limits(timeout=0.05),
        clock=fake.clock,
        async_client=httpx.AsyncClient(transport=httpx.MockTransport(slowly)),
    )
    with pytest.raises(Unavailable, match="TimeoutError"):
        asyncio.run(server.averify("GET", RESOURCE, [("Authorization", f"Bearer {fake.token()}")]))
