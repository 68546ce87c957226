"""A passkey's answer is checked and counted whatever its shape; the ceremonies themselves are tested in a real browser."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from agentiam.accounts import limits
from directory.models import User
from tests.people.conftest import Cast, add_app, sign_in, signed_in

ClientOf = Callable[[User], Client]
SHAPED: dict[str, Any] = {
    "id": "AAAA",
    "rawId": "AAAA",
    "type": "public-key",
    "clientExtensionResults": {},
    "response": {
        "clientDataJSON": "eyJ0eXBlIjoid2ViYXV0aG4uZ2V0IiwiY2hhbGxlbmdlIjoiQUFBQSIsIm9yaWdpbiI6Imh0dHA6Ly9sb2NhbGhvc3QifQ",
        "authenticatorData": "A" * 50,
        "signature": "AAAA",
        "userHandle": "AAAA",
    },
}


def answer(client: Client, credential: Any, path: str = "/login/passkey/") -> Any:
    return client.post(path, {"credential": credential if isinstance(credential, str) else json.dumps(credential)})


def test_the_script_gets_a_challenge_of_its_own_each_time(cast: Cast) -> None:
    client = Client()
    first, second = (client.get("/login/passkey/", headers={"accept": "application/json"}).json() for _ in range(2))
    options = first["request_options"]["publicKey"]
    assert options["userVerification"] == "required"
    assert not options.get("allowCredentials")
    assert options["challenge"] != second["request_options"]["publicKey"]["challenge"]


@pytest.mark.parametrize(
    "credential",
    [
        "",
        "{",
        "null",
        [],
        "text",
        7,
        {},
        {"id": 1},
        SHAPED,
        SHAPED | {"response": None},
        SHAPED | {"response": {}},
        SHAPED | {"response": SHAPED["response"] | {"userHandle": None}},
        SHAPED | {"response": SHAPED["response"] | {"userHandle": "!"}},
        SHAPED | {"response": SHAPED["response"] | {"userHandle": 7}},
        SHAPED | {"response": SHAPED["response"] | {"authenticatorData": "A"}},
        SHAPED | {"response": SHAPED["response"] | {"clientDataJSON": "AAAA"}},
        SHAPED | {"response": SHAPED["response"] | {"attestationObject": "AAAA"}},
    ],
    ids=range(17),
)
def test_whatever_is_sent_as_an_answer_is_refused_in_words(cast: Cast, as_: ClientOf, credential: Any) -> None:
    client = Client()
    client.get("/login/passkey/", headers={"accept": "application/json"})
    assert answer(client, credential).headers["Location"] == "/login/"
    assert 'role="alert"' in client.get("/login/").content.decode()
    add_app(as_(cast.dave))
    second = Client()
    sign_in(second, cast.dave)
    assert answer(second, credential, "/login/second-factor/").status_code == 200
    owner = as_(cast.carol)
    assert answer(owner, credential, "/account/passkeys/new/").status_code == 200
    assert not signed_in(client)
    assert not signed_in(second)


def test_answers_cannot_be_tried_out(cast: Cast) -> None:
    client = Client()
    for _ in range(limits.PASSKEY.address):
        answer(client, SHAPED)
    client.get("/login/")
    answer(client, SHAPED)
    assert "Too many tries" in client.get("/login/").content.decode()
    other = Client(REMOTE_ADDR="192.0.2.7")
    answer(other, SHAPED)
    assert "Too many tries" not in other.get("/login/").content.decode()
