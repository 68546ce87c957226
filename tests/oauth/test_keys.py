"""Keys of tokens: shown before they sign and until their last token is over, sealed, and each organization's own."""

from datetime import timedelta

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.utils import timezone
from joserfc import jwt
from joserfc.jwk import KeySet

from agentiam.kit.sealing import Sealer, Unopenable
from audit.models import Event
from permissions.models import AccessToken, TokenKey, UsedProof
from permissions.oauth import keys
from permissions.oauth.retention import prune
from tests.factories import SYSTEM, make_organization
from tests.oauth.worlds import World, assertion, exchanged, header_of, introspected, own_token, public_key_for, with_assertion

pytestmark = pytest.mark.django_db


def kids(client) -> set[str]:
    return {each["kid"] for each in client.get("/o/acme/oauth/jwks").json()["keys"]}


def test_the_key_set_has_a_key_of_each_kind_and_nothing_private(world: World, client) -> None:
    response = client.get("/o/acme/oauth/jwks")
    found = response.json()["keys"]
    assert {each["alg"] for each in found} == {"ES256", "EdDSA", "RS256"}
    assert not {"d", "p", "q", "dp", "dq", "qi"} & {name for each in found for name in each}
    assert "max-age" in response.headers["Cache-Control"]


def test_the_next_key_is_shown_before_it_signs_and_the_last_until_its_tokens_are_over(world: World, client) -> None:
    first = own_token(world).token
    old = header_of(first)["kid"]
    start = timezone.now()
    made = {row.kid for row in keys.rotate_keys(organization=world.acme, by=SYSTEM, now=start)}
    assert {old, *made} <= kids(client)
    assert header_of(own_token(world).token)["kid"] == old
    with time_machine.travel(start + keys.SHOWN_AHEAD + timedelta(seconds=5), tick=False):
        last = own_token(world)
        assert header_of(last.token)["kid"] in made
        assert old in kids(client)
    with time_machine.travel(start + keys.SHOWN_AHEAD + keys.LONGEST_TOKEN + timedelta(minutes=6), tick=False):
        assert old not in kids(client)
        assert introspected(world, first) == {"active": False}


def test_rotating_twice_waits_for_the_key_that_waits(world: World) -> None:
    now = timezone.now()
    assert len(keys.rotate_keys(organization=world.acme, by=SYSTEM, now=now)) == 3
    assert keys.rotate_keys(organization=world.acme, by=SYSTEM, now=now) == []


def test_a_withdrawn_key_is_worth_nothing_and_another_signs(world: World, client) -> None:
    token = own_token(world).token
    row = TokenKey.objects.get(kid=header_of(token)["kid"])
    keys.withdraw_key(key=row, by=SYSTEM, reason="It was lost.", now=timezone.now())
    assert row.kid not in kids(client)
    assert introspected(world, token) == {"active": False}
    assert header_of(own_token(world).token)["kid"] != row.kid
    assert Event.objects.filter(type="token_key.withdrawn", target_id=row.kid).exists()


def test_the_clock_rotates_what_is_old(world: World, settings) -> None:
    now = timezone.now()
    assert keys.due_for_rotation(now=now) == []
    assert keys.due_for_rotation(now=now + timedelta(days=settings.TOKEN_KEY_DAYS)) == [world.acme]


def test_private_halves_are_sealed_for_their_row_alone(world: World) -> None:
    rows = list(TokenKey.objects.all())
    for row in rows:
        assert '"d"' not in row.sealed
        assert row.sealed.startswith("1:")
    first, second = rows[:2]
    first.sealed = second.sealed
    first.save(update_fields=["sealed"])
    with pytest.raises(Unopenable):
        keys.signing_key(world.acme, first.algorithm, now=timezone.now())


def test_another_key_encryption_key_is_taken_by_sealing_anew(world: World, settings) -> None:
    old = settings.KEY_ENCRYPTION_KEYS
    settings.KEY_ENCRYPTION_KEYS = {**old, 2: bytes(range(32))}
    keys._opened.cache_clear()
    assert own_token(world).status == 200
    call_command("token_keys", "reseal")
    settings.KEY_ENCRYPTION_KEYS = {2: bytes(range(32))}
    keys._opened.cache_clear()
    assert own_token(world).status == 200
    settings.KEY_ENCRYPTION_KEYS = {3: bytes(reversed(range(32)))}
    with pytest.raises(CommandError, match="does not open"):
        call_command("token_keys", "reseal")


def test_what_is_sealed_says_nothing(settings) -> None:
    sealer = Sealer({1: bytes(range(32)), 2: bytes(reversed(range(32)))})
    sealed = sealer.seal(b"secret", place="here")
    assert sealer.open(sealed, place="here") == b"secret"
    assert sealed.startswith("2:")
    assert "secret" not in repr(sealer) + sealed
    for text, place in (
        (sealed, "there"),
        (f"1{sealed[1:]}", "here"),
        (sealed[:-4] + "AAAA", "here"),
        ("x", "here"),
        ("", "here"),
    ):
        with pytest.raises(Unopenable):
            sealer.open(text, place=place)


def test_each_organization_has_keys_of_its_own(world: World, client) -> None:
    make_organization("other")
    theirs = KeySet.import_key_set(client.get("/o/other/oauth/jwks").json())
    assert not {key.kid for key in theirs} & kids(client)
    with pytest.raises(Exception, match=r"."):
        jwt.decode(own_token(world).token, theirs, algorithms=["ES256"])


def test_the_command_lists_rotates_and_withdraws(world: World, capsys) -> None:
    call_command("token_keys", "list", "--organization", "acme")
    kid = capsys.readouterr().out.split()[1]
    call_command("token_keys", "rotate", "--organization", "acme", "--at-once")
    call_command("token_keys", "withdraw", kid, "--reason", "a drill")
    assert "withdrawn" in capsys.readouterr().out
    for wrong in (["list", "--organization", "nobody"], ["withdraw", "nothing", "--reason", "x"]):
        with pytest.raises(CommandError):
            call_command("token_keys", *wrong)


def test_what_is_over_is_deleted_from_its_ends_and_what_is_live_stays(world: World) -> None:
    public_key_for(world.planner, "ES256")
    assert with_assertion("planner", assertion("planner")).status == 200
    wide = own_token(world)
    narrow = exchanged(world, "planner", wide.token, scope="record:read")
    now = timezone.now()
    assert prune(now=now) == 0
    assert introspected(world, narrow.token)["active"]
    assert prune(now=now + timedelta(hours=25)) == 4
    assert not AccessToken.objects.exists()
    assert not UsedProof.objects.exists()
