"""One sees where one is signed in, and ends it; nobody ends another's session."""

from collections.abc import Callable

import pytest
from allauth.usersessions.models import UserSession
from django.test import Client

from agentiam.accounts.devices import device_of
from audit.models import Event
from directory.models import User
from tests.people.conftest import Cast, signed_in

ClientOf = Callable[[User], Client]


def number_of(client: Client) -> int:
    return int(UserSession.objects.get(session_key=client.session.session_key).pk)


def test_a_session_is_ended_from_another(cast: Cast, as_: ClientOf) -> None:
    here, there = as_(cast.dave), as_(cast.dave)
    text = here.get("/account/").content.decode()
    assert text.count("This session") == 1
    assert f"/account/sessions/{number_of(there)}/end/" in text
    assert here.post(f"/account/sessions/{number_of(there)}/end/").headers["Location"] == "/account/"
    assert signed_in(here)
    assert not signed_in(there)
    event = Event.objects.get(type="sessions.ended")
    assert (event.actor_id, event.target_id) == ("dave", "dave")


def test_all_others_are_ended_at_once(cast: Cast, as_: ClientOf) -> None:
    here, *others = (as_(cast.dave) for _ in range(3))
    theirs = as_(cast.carol)
    here.post("/account/sessions/end-others/")
    assert [signed_in(client) for client in (here, *others, theirs)] == [True, False, False, True]


def test_nobody_ends_a_session_of_somebody_else_or_sees_it(cast: Cast, as_: ClientOf) -> None:
    theirs, mine = as_(cast.carol), as_(cast.dave)
    assert mine.post(f"/account/sessions/{number_of(theirs)}/end/").status_code == 404
    assert signed_in(theirs)
    assert f"/account/sessions/{number_of(theirs)}/end/" not in mine.get("/account/").content.decode()


def test_the_key_of_a_session_is_on_no_page(cast: Cast, as_: ClientOf) -> None:
    here, there = as_(cast.dave), as_(cast.dave)
    text = here.get("/account/").content.decode()
    assert str(here.session.session_key) not in text
    assert str(there.session.session_key) not in text


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36",
            "Chrome on Linux",
        ),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/130.0 Safari/537.36 Edg/130.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile Safari/604.1", "Safari on iPhone"),
        ("curl/8.0", "curl/8.0"),
        ("x" * 90, "x" * 40),
        ("", "Unknown"),
    ],
)
def test_a_browser_is_named_so_that_people_recognize_it(agent: str, words: str) -> None:
    assert device_of(agent) == words
