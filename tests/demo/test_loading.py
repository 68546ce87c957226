"""Loading: all of it or nothing, and a password that is seen once."""

import io

import pytest
from django.core.management import call_command
from django.utils import timezone

from agentiam.demo.loading import load_company
from agentiam.demo.manifests import COMPANY
from audit.models import Event
from directory.models import Organization, User

pytestmark = pytest.mark.django_db


def test_the_command_prints_a_password_once_and_keeps_it_nowhere() -> None:
    out = io.StringIO()
    call_command("demo", stdout=out)
    password = next(line.split()[-1] for line in out.getvalue().splitlines() if "Password" in line)
    person = User.objects.get(username=f"admin@{COMPANY}")
    assert person.check_password(password)
    assert not any(password in event.body for event in Event.objects.all())
    assert not any(password in repr(each) for each in (person, vars(person)))


def test_a_load_that_fails_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("in the middle")

    monkeypatch.setattr("agentiam.demo.loading.happen", fail)
    with pytest.raises(RuntimeError):
        load_company(now=timezone.now())
    assert not Organization.objects.exists()
    assert not Event.objects.exists()
