"""What a server process shows of itself: its numbers where the others can read them, and traces where they are wanted."""

from collections.abc import Callable

from django.conf import settings

from agentiam.kit.measures import measures
from agentiam.operations import metrics, tracing
from agentiam.operations.tracing import Application


def watched(application: Application, *, decides: Callable[[str], str]) -> Application:
    """Give the application as it is served; unchanged unless it is to be traced, since a frame more costs each decision."""
    if metrics.available():
        measures.keep_in(metrics.directory())
    return tracing.traced(application, decides=decides) if settings.TRACING else application
