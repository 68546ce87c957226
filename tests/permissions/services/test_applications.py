"""Applications and their keys."""

from datetime import timedelta

import pytest

from agentiam.kit.errors import IllegalTransition
from agentiam.kit.tokens import split_token
from directory.services.proofs import BadEnd, BadNetwork, peppers
from directory.services.versions import InvalidRecord
from permissions.models import Application, ApplicationKey
from permissions.services.application_keys import (
    KeyNotRotatable,
    issue_application_key,
    revoke_application_key,
    rotate_application_key,
)
from permissions.services.applications import AudienceTaken, resume_application, suspend_application
from tests.factories import NOW
from tests.permissions.factories import make_application

DAY = timedelta(days=1)


def issue(cast, **values):
    return issue_application_key(application=cast.crm, label="main", by=cast.by, now=NOW, **values)


def test_a_slug_is_given_once_in_an_organization(cast):
    with pytest.raises(InvalidRecord, match="already exists"):
        make_application(cast.acme, "crm")
    assert make_application(cast.elsewhere, "crm").pk


@pytest.mark.parametrize("audience", ["{base}", "{base}/", "{base}/o/acme", "{base}?x", "spiffe://acme.example/agent/1"])
def test_no_application_is_taken_for_agentiam_or_for_an_agent(cast, settings, audience):
    settings.BASE_URL = "https://iam.example.com"
    named = audience.format(base="HTTPS://iam.example.com" if audience == "{base}" else settings.BASE_URL)
    with pytest.raises(AudienceTaken):
        make_application(cast.acme, "evil", audience=named)
    assert make_application(cast.acme, "neighbour", audience="https://iam.example.com.au/api").pk


def test_a_slug_and_an_audience_have_a_form(cast):
    with pytest.raises(InvalidRecord, match="slug"):
        make_application(cast.acme, "not a slug")
    with pytest.raises(InvalidRecord, match="audience"):
        make_application(cast.acme, audience="nonsense")


def test_a_suspended_application_is_suspended_once(cast):
    assert suspend_application(application=cast.crm, by=cast.by, now=NOW).state == "suspended"
    with pytest.raises(IllegalTransition, match="suspended already"):
        suspend_application(application=cast.crm, by=cast.by, now=NOW)
    assert not Application.objects.active().filter(pk=cast.crm.pk).exists()
    assert resume_application(application=cast.crm, by=cast.by, now=NOW).state == "active"
    with pytest.raises(IllegalTransition, match="active already"):
        resume_application(application=cast.crm, by=cast.by, now=NOW)


def test_a_key_is_an_applications_and_matches_its_digest(cast):
    key, token = issue(cast)
    assert token.text.startswith("aip_")
    assert split_token(token.text).public_id == key.public_id
    stored = ApplicationKey.objects.get(pk=key.pk)
    assert peppers().matches(token.secret, stored.digest, stored.pepper)
    assert stored.expires_at == NOW + timedelta(days=90)


def test_a_key_ends_within_90_days_and_has_networks(cast):
    assert issue(cast, expires_at=NOW + DAY, allowed_networks=["10.0.0.0/8"])[0].allowed_networks == ["10.0.0.0/8"]
    with pytest.raises(BadEnd):
        issue(cast, expires_at=NOW + 91 * DAY)
    with pytest.raises(BadEnd):
        issue(cast, expires_at=NOW)
    with pytest.raises(BadNetwork):
        issue(cast, allowed_networks=["ten"])


def test_rotation_overlaps(cast):
    key, _ = issue(cast)
    new, _ = rotate_application_key(key=key, overlap=DAY, by=cast.by, now=NOW)
    key.refresh_from_db()
    assert (key.successor, key.expires_at, key.revoked_at) == (new, NOW + DAY, None)
    assert set(ApplicationKey.objects.live(NOW)) == {key, new}
    assert set(ApplicationKey.objects.live(NOW + DAY)) == {new}


def test_a_key_is_rotated_once_and_not_after_its_end(cast):
    key, _ = issue(cast)
    new, _ = rotate_application_key(key=key, overlap=DAY, by=cast.by, now=NOW)
    with pytest.raises(KeyNotRotatable, match="successor"):
        rotate_application_key(key=key, overlap=DAY, by=cast.by, now=NOW)
    revoke_application_key(key=new, by=cast.by, now=NOW)
    with pytest.raises(KeyNotRotatable, match="ended"):
        rotate_application_key(key=new, overlap=DAY, by=cast.by, now=NOW)
    with pytest.raises(IllegalTransition, match="revoked already"):
        revoke_application_key(key=new, by=cast.by, now=NOW)
