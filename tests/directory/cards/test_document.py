"""What a card must say and cannot say, and what of it is signed."""

import json

import pytest

from directory.cards.document import BadCard, card_of, check_written, signed_bytes, without_defaults
from directory.services.cards import set_agent_card
from tests.directory.cards.written import CARD
from tests.factories import NOW, SYSTEM, make_agent

SKILL = CARD["skills"][0]
INTERFACE = CARD["supportedInterfaces"][0]


def but(**members):
    return {name: value for name, value in (CARD | members).items() if value is not None}


def test_what_is_written_makes_a_card():
    assert check_written(CARD) == CARD


@pytest.mark.parametrize(
    "name", ["description", "supportedInterfaces", "capabilities", "defaultInputModes", "defaultOutputModes", "skills"]
)
def test_a_required_member_is_missed(name):
    with pytest.raises(BadCard, match=f"{name} is missing"):
        check_written(but(**{name: None}))


@pytest.mark.parametrize(
    "members",
    [
        {"name": "Bot"},
        {"version": "2"},
        {"signatures": []},
        {"url": "https://agents.acme.example"},
        {"description": ""},
        {"description": 7},
        {"supportedInterfaces": []},
        {"supportedInterfaces": {}},
        {"supportedInterfaces": [{**INTERFACE, "url": "http://agents.acme.example"}]},
        {"supportedInterfaces": [{**INTERFACE, "url": "https://agents.acme.example/\nx"}]},
        {"supportedInterfaces": [{**INTERFACE, "url": "https://user:pw@agents.acme.example/"}]},
        {"supportedInterfaces": [{**INTERFACE, "url": "javascript:alert(1)"}]},
        {"supportedInterfaces": [{**INTERFACE, "protocolBinding": "SOAP"}]},
        {"supportedInterfaces": [{**INTERFACE, "protocolVersion": ""}]},
        {"supportedInterfaces": [{"url": INTERFACE["url"], "protocolBinding": "GRPC"}]},
        {"supportedInterfaces": [{**INTERFACE, "port": 1}]},
        {"capabilities": {"streaming": "yes"}},
        {"capabilities": {"flying": True}},
        {"capabilities": {"extensions": [{}]}},
        {"defaultInputModes": []},
        {"defaultInputModes": ["text"]},
        {"skills": []},
        {"skills": [{**SKILL, "id": ""}]},
        {"skills": [{**SKILL, "tags": "refunds"}]},
        {"skills": [{"id": "a", "name": "A", "description": "A"}]},
        {"provider": {"organization": "Acme"}},
        {"provider": {"organization": "Acme", "url": "http://acme.example"}},
        {"iconUrl": "data:image/png;base64,AA=="},
        {"securityRequirements": ["oauth"]},
        {"securitySchemes": []},
        {"description": "x" * 4_001},
        {"skills": [SKILL] * 3_000},
    ],
)
def test_what_cannot_be_said_is_refused(members):
    with pytest.raises(BadCard):
        check_written(but(**members))


@pytest.mark.parametrize("card", [None, [], "card", {}])
def test_what_is_no_card_is_refused(card):
    with pytest.raises(BadCard):
        check_written(card)


def test_nothing_is_nested_without_end():
    deep: dict = {}
    for _ in range(50):
        deep = {"a": deep}
    with pytest.raises(BadCard, match="too deep"):
        check_written(but(securitySchemes=deep))


def test_of_the_file_only_name_and_version_are_shown(cast):
    agent = make_agent(cast.acme, name="Refunds", purpose="The secret charter.", version="", framework="internal", model="gpt")
    agent = set_agent_card(agent=agent, card=CARD, by=SYSTEM, now=NOW)
    card = card_of(agent)
    assert (card["name"], card["version"]) == ("Refunds", "charter 1")
    assert not {"The secret charter.", "internal", "gpt", cast.bob.name} & set(json.dumps(card).split('"'))
    agent.version = "2.1"
    assert card_of(agent)["version"] == "2.1"


def test_defaults_are_left_out_unless_required_or_said_on_purpose():
    kept = without_defaults(
        but(
            name="Bot",
            version="1",
            securityRequirements=[],
            documentationUrl="",
            provider={"organization": "", "url": ""},
            capabilities={"streaming": False, "extensions": [{"uri": "u", "required": False, "params": {"a": "", "b": []}}]},
        )
    )
    assert "securityRequirements" not in kept
    assert "securitySchemes" not in kept
    assert kept["documentationUrl"] == ""
    assert kept["provider"] == {"organization": "", "url": ""}
    assert kept["capabilities"] == {"streaming": False, "extensions": [{"uri": "u", "params": {"a": "", "b": []}}]}
    assert kept["skills"] == [{name: value for name, value in SKILL.items() if name != "examples"}]
    assert without_defaults({"capabilities": {}, "defaultInputModes": []}) == {"capabilities": {}, "defaultInputModes": []}


def test_what_is_signed_is_canonical_and_leaves_signatures_out():
    card = {"version": "1", "name": "B", "signatures": [{"x": 1}], "iconUrl": "https://a.example/ü"}
    assert signed_bytes(card) == '{"iconUrl":"https://a.example/ü","name":"B","version":"1"}'.encode()
    for hostile in ({"a": float("nan")}, {"a": object()}, {"a": "\ud800"}):
        with pytest.raises(BadCard):
            signed_bytes(hostile)
