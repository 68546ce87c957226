"""No answer of the API shows a secret or a digest of one, whatever is asked for."""

import re
from typing import Any

import pytest

from directory.models import Credential, OnboardingToken, PersonKey, User
from permissions.models import ApplicationKey, TokenKey
from tests.api.bodies import address_for
from tests.api.test_permission_table import TABLE
from tests.api.world import rows_of_every_kind
from tests.permissions.factories import make_access_token

READS = [path for method, path in TABLE if method == "GET"]
SECRET = re.compile(r"ai[aopu]_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}")


@pytest.fixture
def hidden(acme: Any, people: Any, agent: Any) -> tuple[dict[str, str], set[str]]:
    """Make a row of every kind; answers them, and what must never be shown."""
    rows = rows_of_every_kind(acme, people, agent)
    reference = make_access_token(agent, kid="", public_id="reference", digest="f" * 64)
    rows["access-tokens"] = str(reference.pk)
    digests = {reference.digest, *TokenKey.objects.values_list("sealed", flat=True)}
    digests |= {row.digest for model in (Credential, ApplicationKey, PersonKey, OnboardingToken) for row in model.objects.all()}
    passwords = set(User.objects.values_list("password", flat=True))
    return rows, {each for each in digests | passwords if each}


def test_no_answer_shows_a_secret(as_, hidden):
    rows, untold = hidden
    assert len(untold) > 10
    alice, shown = as_("alice"), 0
    for path in READS:
        answer = alice.get(address_for(path, rows))
        text = answer.content.decode()
        shown += len(text)
        assert not SECRET.search(text), path
        assert not [each for each in untold if each in text], path
    assert shown > 20_000


def test_no_refusal_repeats_what_was_sent_as_a_key(as_):
    key = "aia_0123456789abcdef_" + "S" * 49
    answer = as_("anonymous").get("agents", Authorization=f"Bearer {key}")
    assert answer.status_code == 401
    assert "SSSS" not in answer.content.decode()
