"""The overview: true facts about what the person may see, in numbers with unit and window."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from audit.models import Effect, Event
from directory.lifecycle import State
from directory.models import Agent, Organization, User
from permissions.models import Application

WINDOW: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class NavigationItem:
    """A page in the navigation: the name of its address, its words, and its icon."""

    url_name: str
    label: str
    icon: str


# Groups of pages that exist; each page adds itself here when it is built.
NAVIGATION: Final[tuple[tuple[str, tuple[NavigationItem, ...]], ...]] = (("", (NavigationItem("home", "Overview", "home"),)),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What one person sees of their organization at one instant."""

    agents: dict[str, int]
    people: int
    applications: int
    decisions: dict[str, int] | None
    """None if the person may not read the event log."""
    total_agents: int = field(init=False)
    total_decisions: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "total_agents", sum(self.agents.values()))
        object.__setattr__(self, "total_decisions", sum((self.decisions or {}).values()))

    @property
    def of_all_agents(self) -> str:
        """The whole that the active agents are part of."""
        return f"of {self.total_agents}"

    @property
    def empty(self) -> bool:
        """Whether there is nothing yet to decide about."""
        return not self.total_agents and not self.applications


def overview(user: Any, *, now: datetime) -> Overview:
    """Count what a person may see; four queries. The decisions are counted in the index range of the window."""
    states = dict.fromkeys((state.value for state in State), 0)
    by_state = Agent.objects.visible_to(user).values_list("state").annotate(number=Count("pk"))
    decisions = None
    if user.has_perm("audit.view_event"):
        recent = Event.objects.visible_to(user).decisions().filter(id__gte=_first_id(now - WINDOW))
        counted = dict(recent.values_list("effect").annotate(number=Count("pk")))
        decisions = {
            effect: counted.get(effect, 0) for effect in (Effect.ALLOW.value, Effect.DENY.value, Effect.ESCALATE.value)
        }
    return Overview(
        agents=states | dict(by_state),
        people=User.objects.visible_to(user).people().active().count(),
        applications=Application.objects.visible_to(user).count(),
        decisions=decisions,
    )


def _first_id(instant: datetime) -> UUID:
    """The smallest UUIDv7 of an instant (RFC 9562, section 5.7): ids are in the order of time, and indexed."""
    return UUID(int=int(instant.timestamp() * 1000) << 80)


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show the overview."""
    user: Any = request.user
    organization = Organization.objects.visible_to(user).first()
    facts = overview(user, now=timezone.now())
    return render(request, "home_page.html", {"overview": facts, "organization": organization})


def shell(request: HttpRequest) -> dict[str, Any]:
    """Give every page what its frame shows."""
    match = request.resolver_match
    return {
        "navigation": NAVIGATION,
        "current": match.url_name if match is not None else "",
        "environment": settings.ENVIRONMENT,
    }
