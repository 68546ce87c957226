"""What the log's proofs rest on can be looked up by those who may read the log: the chains' heads, and the keys that signed."""

import json

import pytest

from audit.chain import PublicKey
from audit.models import Chain, SigningKey
from audit.services import sign_checkpoint
from permissions.services.offboarding import offboard_agent
from tests.factories import NOW, SYSTEM, make_agent


@pytest.fixture
def sworn(acme, agent):
    """A chain, a checkpoint over it, and a proof."""
    offboard_agent(agent=make_agent(acme, "gone"), by=SYSTEM, reason="over", now=NOW)
    return sign_checkpoint(acme.pk)


def test_a_checkpoint_names_a_key_that_verifies_it(as_, sworn):
    carol = as_("carol")
    shown = carol.get("checkpoints").json()["items"][0]
    key = carol.get(f"signing-keys/{shown['key_id']}").json()
    assert key["key_id"] == shown["key_id"] == PublicKey.from_jwk(key["jwk"]).id
    assert PublicKey.from_jwk(key["jwk"]).verifies(shown["body"].encode(), shown["signature"])
    assert key["trusted"] is True
    assert carol.get("attestations").json()["items"][0]["key_id"] == key["key_id"]


def test_a_key_that_the_settings_do_not_name_is_shown_and_not_trusted(as_, sworn, settings):
    stranger = PublicKey.from_jwk({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
    SigningKey.objects.create(key_id=stranger.id, jwk=stranger.jwk, first_used_at=NOW)
    found = {each["key_id"]: each["trusted"] for each in as_("carol").get("signing-keys").json()["items"]}
    assert found == {stranger.id: False, sworn.key_id: True}
    settings.AUDIT_TRUSTED_KEY_IDS = (stranger.id,)
    assert as_("carol").get(f"signing-keys/{stranger.id}").json()["trusted"] is True


def test_keys_are_paged(as_, sworn):
    stranger = PublicKey.from_jwk({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
    SigningKey.objects.create(key_id=stranger.id, jwk=stranger.jwk, first_used_at=NOW)
    carol = as_("carol")
    first = carol.get("signing-keys?limit=1").json()
    second = carol.get(f"signing-keys?limit=1&after={first['next']}").json()
    assert sorted(page["items"][0]["key_id"] for page in (first, second)) == sorted([stranger.id, sworn.key_id])
    assert second["next"] is None


def test_nothing_private_is_in_a_key(as_, sworn):
    text = as_("carol").get("signing-keys").content.decode()
    assert '"d"' not in text
    assert set(json.loads(text)["items"][0]["jwk"]) == {"kty", "crv", "x"}


def test_the_heads_of_the_chains_are_those_of_ones_own_organization(as_, sworn, acme, evil):
    make_agent(evil, "theirs")
    shown = {each["id"]: each for each in as_("carol").get("chains").json()["items"]}
    assert set(shown) == {str(key) for key in Chain.objects.filter(organization_id=acme.pk).values_list("pk", flat=True)}
    for chain in Chain.objects.filter(organization_id=acme.pk):
        told = shown[str(chain.pk)]
        assert (told["writer"], told["last_sequence"], told["last_hash"]) == (
            chain.writer,
            chain.last_sequence,
            chain.last_hash,
        )
        assert told["sworn_sequence"] == chain.sworn_sequence > 0
    mallory = as_("mallory")
    theirs = Chain.objects.get(organization_id=evil.pk, writer="changes")
    assert as_("carol").get(f"chains/{theirs.pk}").status_code == 404
    assert mallory.get(f"chains/{theirs.pk}").json()["last_hash"] == theirs.last_hash


@pytest.mark.parametrize("who", ["bob", "olivia", "dave", "agent", "application"])
def test_who_is_no_auditor_sees_neither(as_, sworn, acme, who):
    caller = as_(who)
    assert caller.get("signing-keys").json()["items"] == caller.get("chains").json()["items"] == []
    assert caller.get(f"signing-keys/{sworn.key_id}").status_code == 404
    assert caller.get(f"chains/{Chain.objects.filter(organization_id=acme.pk).first().pk}").status_code == 404
    assert as_("anonymous").get("signing-keys").status_code == as_("anonymous").get("chains").status_code == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nobody_changes_them(as_, sworn, method):
    for path in ("chains", "signing-keys", f"signing-keys/{sworn.key_id}"):
        assert as_("alice")(method, path, {}).status_code == 405


@pytest.mark.parametrize("key", ["x", "a" * 4_000, "%00", "..", "%ED%A0%80"])
def test_a_key_that_is_none_is_not_there(as_, sworn, key):
    assert as_("carol").get(f"signing-keys/{key}").status_code == 404


@pytest.mark.parametrize("key", [None, 5, [], {}, "\0", "\ud800"])
def test_a_cursor_that_nobody_gave_is_refused(as_, sworn, key):
    import base64

    cursor = base64.urlsafe_b64encode(json.dumps(["id", None, key]).encode()).decode().rstrip("=")
    assert as_("carol").get(f"signing-keys?after={cursor}").status_code == 422
    assert as_("carol").get(f"chains?after={cursor}").status_code == 422
