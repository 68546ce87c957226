"""Whatever is malformed gets a problem document that names the place; nothing is lost and nothing is let through."""

from typing import Any

import httpx
import pytest

from tests.access.asking import Asking, question
from tests.serving import Served


def _without(path: str) -> dict[str, Any]:
    body = question()
    *parents, last = path.split("/")
    target: Any = body
    for name in parents:
        target = target[name]
    del target[last]
    return body


def _with(path: str, value: Any) -> dict[str, Any]:
    body = question(on_behalf_of={"type": "user", "id": "alice"}, task={"id": "t"}, delegation=["agent/planner"])
    *parents, last = path.split("/")
    target: Any = body
    for name in parents:
        target = target[name]
    target[last] = value
    return body


@pytest.mark.parametrize(
    "missing", ["subject", "action", "resource", "subject/type", "subject/id", "action/name", "resource/type", "resource/id"]
)
def test_what_is_missing_is_named(ask: Asking, missing: str) -> None:
    answer = ask.raw(_without(missing))
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["pointer"] == f"/{missing}"


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("subject", "alice"),
        ("subject", []),
        ("subject/id", 5),
        ("subject/id", ""),
        ("subject/id", "x" * 1_001),
        ("resource/id", "a\x00b"),
        ("subject/type", None),
        ("subject/properties", "x"),
        ("action/name", 123),
        ("action/properties", []),
        ("action/properties/fields", "title"),
        ("action/properties/fields", [1]),
        ("action/properties/fields", ["a\x00"]),
        ("resource", None),
        ("resource/properties", 1),
        ("context", []),
        ("context/on_behalf_of", "alice"),
        ("context/on_behalf_of/id", 1),
        ("context/task", "t"),
        ("context/task/id", 1),
        ("context/task/purpose", 1),
        ("context/delegation", "agent/planner"),
        ("context/delegation", ["agent/x"] * 17),
        ("context/explain", "yes"),
    ],
)
def test_what_has_the_wrong_shape_is_named(ask: Asking, where: str, value: Any) -> None:
    answer = ask.raw(_with(where, value))
    assert answer.status_code == 400, answer.text
    assert answer.json()["pointer"].startswith(f"/{where}")


def test_a_link_of_a_chain_that_is_no_agent_is_named(ask: Asking) -> None:
    links: list[Any] = ["user/alice", 7, None, {}, "agent/"]
    for link in links:
        assert ask.raw(_with("context/delegation", [link])).json()["pointer"] == "/context/delegation/0"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"x"', b"nul", b"\xff\xfe", b'{"a":' * 5_000, b"[" * 100_000, b'{"subject": NaN}', b"\x00"],
)
def test_a_body_that_is_no_json_object_is_refused(product: Served, ask: Asking, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {ask.key}", "Content-Type": "application/json"}
    answer = httpx.post(f"{product.url}/access/v1/evaluation", content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["type"] == "urn:agentiam:problem:malformed-request"


def test_a_member_that_is_there_twice_is_refused_and_a_colon_in_a_text_is_no_member(product: Served, ask: Asking) -> None:
    headers = {"Authorization": f"Bearer {ask.key}", "Content-Type": "application/json"}
    url = f"{product.url}/access/v1/evaluation"
    twice = b'{"subject":{"type":"agent","id":"planner"},"subject" : {"type":"agent","id":"runner"},'
    rest = b'"action":{"name":"read"},"resource":{"type":"record","id":"record-1"}}'
    assert httpx.post(url, content=twice + rest, headers=headers).status_code == 400
    nested = b'{"subject":{"type":"agent","id":"runner","id":"runner"},' + rest
    assert httpx.post(url, content=nested, headers=headers).status_code == 400
    texts = {'a":': ':"', "b": ['\\":', '"', ':"x":', {"c": "\\"}]}
    assert ask("read", "record-1", **texts)[0] == "allow"


def test_a_body_over_a_mebibyte_is_too_large_with_and_without_a_length(product: Served, ask: Asking) -> None:
    headers = {"Authorization": f"Bearer {ask.key}", "Content-Type": "application/json"}
    large = b'{"x": "' + b"y" * (1 << 20) + b'"}'
    url = f"{product.url}/access/v1/evaluation"
    assert httpx.post(url, content=large, headers=headers).status_code == 413
    assert httpx.post(url, content=iter([large[:500_000], large[500_000:]]), headers=headers).status_code == 413
    just = b'{"x": "' + b"y" * ((1 << 20) - 9) + b'"}'
    assert len(just) == 1 << 20
    assert httpx.post(url, content=just, headers=headers).status_code == 400


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonp"])
def test_another_content_type_is_refused(product: Served, ask: Asking, content_type: str) -> None:
    headers = {"Authorization": f"Bearer {ask.key}", "Content-Type": content_type}
    answer = httpx.post(f"{product.url}/access/v1/evaluation", content=b"{}", headers=headers)
    assert answer.status_code == 415


def test_a_charset_is_accepted(product: Served, ask: Asking) -> None:
    headers = {"Authorization": f"Bearer {ask.key}", "Content-Type": "application/json; charset=utf-8"}
    answer = httpx.post(f"{product.url}/access/v1/evaluation", json=question(), headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["evaluation", "evaluations", "search/subject"])
def test_another_method_is_refused(product: Served, ask: Asking, method: str, path: str) -> None:
    answer = httpx.request(method, f"{product.url}/access/v1/{path}", headers={"Authorization": f"Bearer {ask.key}"})
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


def test_a_path_that_is_not_there_is_a_404(product: Served, ask: Asking) -> None:
    for path in ("", "evaluation/", "search", "search/team", "evaluationx"):
        assert ask.raw({}, path).status_code == 404


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Basic YTpi", "Bearer nonsense", "Bearer aip_0000000000000000_x", "Bearer \xe4\xf6"],
)
def test_without_a_key_nothing_is_answered(product: Served, authorization: str | None) -> None:
    headers = {"X-Request-ID": "r-1", "Content-Type": "application/json"}
    if authorization is not None:
        headers["Authorization"] = authorization
    sent = {name: value.encode("latin-1") for name, value in headers.items()}
    answer = httpx.post(f"{product.url}/access/v1/evaluation", json=question(), headers=sent)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["x-request-id"] == "r-1"


def test_a_key_with_one_wrong_character_is_refused(product: Served, ask: Asking) -> None:
    secret = ask.key.rpartition("_")[2]
    for position in (0, 20, len(secret) - 1):
        other = "a" if secret[position] != "a" else "b"
        wrong = ask.key[: -len(secret)] + secret[:position] + other + secret[position + 1 :]
        assert product.post("/access/v1/evaluation", question(), wrong).status_code == 401


def test_a_well_formed_key_with_another_secret_is_refused(product: Served, ask: Asking) -> None:
    from agentiam.kit.tokens import Token, make_token, split_token

    other = make_token("aip")
    forged = Token("aip", split_token(ask.key).public_id, other.secret).text
    assert product.post("/access/v1/evaluation", question(), forged).status_code == 401
    assert product.post("/access/v1/evaluation", question(), other.text).status_code == 401


def test_hostile_values_are_answered_and_recorded(ask: Asking) -> None:
    values: list[Any] = [10**40, -(10**40), 1e308, "\ufffd", "\x00", [[[]]] * 50]
    for value in values:
        effect, _ = ask("read", "record-1", properties={"region": "EU", "status": value})
        assert effect == "allow"


def test_what_is_nested_too_deeply_is_refused(ask: Asking) -> None:
    deep: Any = 1
    for _ in range(60):
        deep = [deep]
    assert ask.raw(question(deep=deep)).status_code == 400


def test_a_parent_that_no_database_holds_is_no_parent(ask: Asking) -> None:
    parent = {"type": "folder", "id": "f\x00"}
    assert ask("read", "record-1", properties={"region": "EU", "parent": parent})[0] == "allow"


def test_the_metadata_names_the_endpoints(product: Served) -> None:
    answer = httpx.get(f"{product.url}/.well-known/authzen-configuration")
    assert answer.status_code == 200
    found = answer.json()
    assert found["policy_decision_point"] == product.url
    assert found["access_evaluation_endpoint"] == f"{product.url}/access/v1/evaluation"
    tenant = httpx.get(f"{product.url}/.well-known/authzen-configuration/acme").json()
    assert tenant["policy_decision_point"] == f"{product.url}/acme"
    for name in ("nobody", "%00", "a/b", "", "acme/"):
        assert httpx.get(f"{product.url}/.well-known/authzen-configuration/{name}").status_code == 404
    assert httpx.post(f"{product.url}/.well-known/authzen-configuration").status_code == 405


def test_of_two_keys_none_is_taken(product: Served, ask: Asking) -> None:
    key = ("Authorization", f"Bearer {ask.key}")
    for other in (key, ("Authorization", "Bearer aia_other")):
        for pair in ([key, other], [other, key]):
            answer = httpx.post(f"{product.url}/access/v1/evaluation", json=question(), headers=pair)
            assert answer.status_code == 401
