"""What acts for a person now: what they let agents do on the consent page, and what they consented to in other ways."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Max

from directory.models import Agent, User
from permissions.models import AccessToken, Application, Authorization, Consent


@dataclass(frozen=True, slots=True)
class Deed:
    """Actions on one type of object."""

    type: str
    actions: tuple[str, ...]
    identifier: str = ""

    @property
    def words(self) -> str:
        """Say it in words: ``read and write lead``."""
        names = [each.replace("_", " ").replace("-", " ") for each in self.actions]
        listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "do everything with"
        noun = self.type.rpartition(".")[2].replace("_", " ").replace("-", " ")
        return f"{listed} {noun} {self.identifier}".rstrip()


@dataclass(frozen=True, slots=True)
class Connection:
    """One thing that acts for a person, with what ends it: an authorization, or a consent alone."""

    row: Authorization | Consent
    agent: Agent
    application: str
    deeds: tuple[Deed, ...]
    since: datetime
    until: datetime | None
    used_at: datetime | None = None

    @property
    def kind(self) -> str:
        """What it is that ends: ``authorization`` or ``consent``."""
        return type(self.row).__name__.lower()


def connections_of(user: User, *, now: datetime) -> list[Connection]:
    """List what acts for a person now, the latest first; five queries."""
    given = Authorization.objects.filter(user=user).live(now).select_related("agent__owner")
    authorizations = list(given.annotate(used_at=Max("access_tokens__issued_at")).order_by("-created_at"))
    audiences = dict(
        Application.objects.filter(organization=user.organization_id)
        .filter(audience__in={each.audience for each in authorizations})
        .values_list("audience", "name")
    )
    found = [_of_authorization(each, audiences) for each in authorizations]
    alone = Consent.objects.filter(user=user).live(now).exclude(authorizations__in=[each.pk for each in authorizations])
    used = _last_tokens(user)
    rows = alone.select_related("agent__owner", "resource_type__application").order_by("-given_at")
    return [*found, *(_of_consent(each, used) for each in rows)]


def _of_authorization(row: Any, audiences: dict[str, str]) -> Connection:
    return Connection(
        row=row,
        agent=row.agent,
        application=audiences.get(row.audience, row.audience),
        deeds=tuple(_deeds(row.scopes, row.details)),
        since=row.created_at,
        until=row.ends_at,
        used_at=row.used_at,
    )


def _of_consent(row: Consent, used: dict[Any, datetime]) -> Connection:
    actions = () if row.actions == ["*"] else tuple(row.actions)
    return Connection(
        row=row,
        agent=row.agent,
        application=row.resource_type.application.name,
        deeds=(Deed(row.resource_type.name, actions),),
        since=row.given_at,
        until=row.ends_at,
        used_at=used.get(row.agent_id),
    )


def _deeds(scopes: Iterable[str], details: Iterable[dict[str, Any]]) -> Iterable[Deed]:
    by_type: dict[str, list[str]] = {}
    for scope in scopes:
        name, _, action = scope.rpartition(":")
        by_type.setdefault(name, []).append(action)
    yield from (Deed(name, tuple(actions)) for name, actions in by_type.items())
    for each in details:
        yield Deed(each["resource_type"], tuple(each.get("actions", ())), each.get("identifier", ""))


def _last_tokens(user: User) -> dict[Any, datetime]:
    """When each agent last got a token for a person otherwise than by the consent page."""
    rows = AccessToken.objects.filter(user=user, authorization__isnull=True)
    return dict(rows.values_list("agent_id").annotate(at=Max("issued_at")).order_by())
