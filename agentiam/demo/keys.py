"""A day of decisions is played with keys that are made for it, last an hour, and are revoked when it is over."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

from django.utils import timezone

from agentiam.kit.actors import system
from directory.lifecycle import State
from directory.models import Agent, Credential, Organization
from directory.services.credentials import issue_api_key, revoke_credential
from directory.services.reports import together
from permissions.models import Application, ApplicationKey
from permissions.services.application_keys import issue_application_key, revoke_application_key

TRAFFIC: Final = system("demo_traffic")
LABEL: Final = "demo_traffic"
_LIFE: Final = timedelta(hours=1)


@contextmanager
def borrowed_keys(organization: Organization, *, agents: Iterable[str]) -> Iterator[dict[str, str]]:
    """Give a key to each of an organization's applications and to these agents, by ``application/SLUG`` and ``agent/ID``.

    They are revoked whatever happens meanwhile. If even that is prevented, they end within the hour.
    """
    keys: dict[str, str] = {}
    issued: list[ApplicationKey | Credential] = []
    now = timezone.now()
    why: dict[str, Any] = {"by": TRAFFIC, "reason": "A day is played.", "now": now}
    try:
        with together():
            applications = Application.objects.in_organization(organization.pk)
            for application in applications.filter(state=Application.State.ACTIVE):
                key, token = issue_application_key(application=application, label=LABEL, expires_at=now + _LIFE, **why)
                issued.append(key)
                keys[f"application/{application.slug}"] = token.text
            holders = Agent.objects.in_organization(organization.pk).filter(external_id__in=list(agents))
            for agent in holders.filter(state=State.ACTIVE.value):
                credential, token = issue_api_key(agent=agent, label=LABEL, expires_at=now + _LIFE, **why)
                issued.append(credential)
                keys[f"agent/{agent.external_id}"] = token.text
        yield keys
    finally:
        try:
            _revoke(issued)
        except KeyboardInterrupt:
            _revoke(issued)
            raise


def _revoke(issued: Iterable[ApplicationKey | Credential]) -> None:
    now = timezone.now()
    with together():
        for key in issued:
            if not type(key)._default_manager.filter(pk=key.pk, revoked_at__isnull=True).exists():  # noqa: SLF001  (either table)
                # Somebody was quicker, or the interruption came before it was there.
                continue
            if isinstance(key, Credential):
                revoke_credential(credential=key, by=TRAFFIC, reason="The day is over.", now=now)
            else:
                revoke_application_key(key=key, by=TRAFFIC, reason="The day is over.", now=now)
