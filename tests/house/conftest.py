"""The cast: alice administers, bob has no right for the whole organization, carol audits, mallory belongs to another."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from directory.models import Organization, User
from tests.factories import make_organization, make_person

PASSWORD = "correct horse battery staple"


@pytest.fixture(autouse=True)
def _own_cache(settings: Any) -> None:
    """Keep one test's counters from another's, also where test processes share one Redis; clearing it would empty theirs."""
    settings.CACHES = {"default": settings.CACHES["default"] | {"KEY_PREFIX": uuid4().hex}}


@pytest.fixture
def acme(db: None) -> Organization:
    return make_organization("acme")


@pytest.fixture
def people(acme: Organization) -> dict[str, User]:
    cast = {
        "alice": make_person(acme, "alice", password=PASSWORD, is_superuser=True, is_staff=True),
        "bob": make_person(acme, "bob", password=PASSWORD),
        "carol": make_person(acme, "carol", password=PASSWORD),
        "mallory": make_person(make_organization("evil"), "mallory", password=PASSWORD, is_superuser=True, is_staff=True),
    }
    cast["carol"].user_permissions.add(Permission.objects.get(content_type__app_label="audit", codename="view_event"))
    return cast


@pytest.fixture
def as_(people: dict[str, User]) -> Callable[[str], Client]:
    """Give a client that is signed in as one of the cast, or as nobody."""

    def client_of(name: str, **options: Any) -> Client:
        client = Client(**options)
        if name != "anonymous":
            client.force_login(people[name])
        return client

    return client_of
