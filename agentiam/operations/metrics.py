"""Numbers for Prometheus, from any process for all of them; only for whoever is near or has the token, and else not there.

The client library is an extra. Without it counting goes on and nobody can read it: the address does not exist.
"""

import hmac
import ipaddress
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import Error as DatabaseProblem
from django.db.models import Count, F, Min, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from agentiam.jobs.models import Job
from agentiam.kit.measures import Series, everybody, measures
from agentiam.requests import client_address
from audit.export.product import version
from audit.models import Chain, Checkpoint

log = logging.getLogger(__name__)

_HELP: Final = {
    "audit_batch_records": "Records that were committed together",
    "audit_queue_records": "Records that wait to be written",
    "decision_seconds": "Time to answer a request for decisions, until its records were durable and the answer left",
    "decisions": "Decisions that were recorded, by effect",
    "tokens_refused": "Requests at the OAuth endpoints that were refused",
    "decisions_unrecorded": "Submissions of records that could not be written in time; none of these decisions was given",
    "http_requests": "Requests that were answered, by route, method and status",
    "page_seconds": "Time to answer a request that is not for decisions",
    "worlds_renewed": "How often an organization's rules in memory were brought up to date",
}
_STATES: Final = (Job.State.WAITING, Job.State.RUNNING, Job.State.DEAD)
_FORWARDED: Final = ("Forwarded", "X-Forwarded-For", "X-Real-IP")


def directory() -> Path:
    """Where the processes of this machine keep their numbers."""
    return settings.DATA_DIR / "metrics"


def available() -> bool:
    """Tell whether the client library is installed, without loading it."""
    try:
        return find_spec("prometheus_client") is not None
    except ModuleNotFoundError:
        return False


@login_not_required
def metrics(request: HttpRequest) -> HttpResponse:
    """Give every number in Prometheus' text format."""
    if not may_read(request) or not available():
        raise Http404
    return _answer(request)


@require_safe
def _answer(request: HttpRequest) -> HttpResponse:
    client = import_module("prometheus_client")
    registry = client.CollectorRegistry(auto_describe=False)
    registry.register(_Collector())
    return HttpResponse(client.generate_latest(registry), content_type=client.CONTENT_TYPE_LATEST)


def may_read(request: HttpRequest) -> bool:
    """Tell whether a request comes from a network that may read, or carries the token."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if settings.METRICS_TOKEN and scheme.lower() == "bearer":
        return hmac.compare_digest(given.strip().encode(), settings.METRICS_TOKEN.encode())
    try:
        address = ipaddress.ip_address(client_address(request))
    except ValueError:
        return False
    if _came_by_stranger(request, str(address)):
        return False
    return any(address in network for network in settings.METRICS_NETWORKS)


def _came_by_stranger(request: HttpRequest, address: str) -> bool:
    """Tell whether a proxy brought it whose word does not count: then the address is the proxy's, and may be our own."""
    forwarded = [request.headers[name] for name in _FORWARDED if name in request.headers]
    return bool(forwarded) and not any(address in text for text in forwarded)


class _Collector:
    """What the client library asks."""

    def collect(self) -> Iterator[Any]:
        """Give the counted numbers of all processes, and those that the database has."""
        core = import_module("prometheus_client.core")
        yield core.InfoMetricFamily("agentiam", "The product", {"version": version()})
        yield from _counted(core, everybody(directory(), measures))
        yield from _stored(core, timezone.now())


def _counted(core: Any, found: Iterable[Series]) -> Iterator[Any]:
    families: dict[str, list[Series]] = defaultdict(list)
    for series in found:
        families[series.name].append(series)
    for name, members in sorted(families.items()):
        kind = {"counter": core.CounterMetricFamily, "gauge": core.GaugeMetricFamily, "histogram": core.HistogramMetricFamily}[
            members[0].kind
        ]
        labels = sorted({label for series in members for label in series.labels})
        family = kind(f"agentiam_{name}", _HELP.get(name, name), labels=[*labels, "process"])
        for series in members:
            values = [*(series.labels.get(label, "") for label in labels), str(series.process)]
            if series.kind == "histogram":
                family.add_metric(values, list(_buckets(series)), series.values[-1])
            else:
                family.add_metric(values, series.values[0])
        yield family


def _buckets(series: Series) -> Iterator[tuple[str, float]]:
    total = 0.0
    for bound, number in zip((*map(str, series.bounds), "+Inf"), series.values, strict=False):
        total += number
        yield bound, total


def _stored(core: Any, now: datetime) -> Iterator[Any]:
    up = core.GaugeMetricFamily("agentiam_database_up", "Whether the database answers")
    try:
        families = list(_from_database(core, now))
    except DatabaseProblem as error:
        log.warning("the database did not answer for the metrics: %s", type(error).__name__)
        families = []
        up.add_metric([], 0)
    else:
        up.add_metric([], 1)
    yield up
    yield from families


def _from_database(core: Any, now: datetime) -> Iterator[Any]:
    """Four queries."""
    jobs = core.GaugeMetricFamily("agentiam_jobs", "Jobs that are not finished, by state", labels=["state"])
    counted = Job.objects.filter(state__in=_STATES).values_list("state").annotate(number=Count("pk"))
    numbers = dict.fromkeys((state.value for state in _STATES), 0) | dict(counted)
    for state, number in numbers.items():
        jobs.add_metric([state], number)
    yield jobs
    due = Job.objects.filter(state=Job.State.WAITING, run_at__lte=now).aggregate(oldest=Min("run_at"))["oldest"]
    age = 0.0 if due is None else (now - due).total_seconds()
    yield core.GaugeMetricFamily("agentiam_jobs_oldest_due_seconds", "How long the oldest due job has waited", value=age)
    latest = Checkpoint.objects.order_by("-id").values_list("at", flat=True).first()
    if latest is not None:
        seconds = max(0.0, (now - latest).total_seconds())
        yield core.GaugeMetricFamily("agentiam_checkpoint_age_seconds", "Age of the newest checkpoint", value=seconds)
    behind = Chain.objects.filter(last_sequence__gt=F("sworn_sequence"))
    unsworn = behind.aggregate(number=Sum(F("last_sequence") - F("sworn_sequence")))["number"] or 0
    yield core.GaugeMetricFamily("agentiam_unsworn_records", "Records that no checkpoint covers yet", value=unsworn)
