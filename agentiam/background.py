"""What a server process does about jobs is a setting: run them in threads, hand them to Celery, or leave them to others."""

from typing import Final

from django.conf import settings

from agentiam.jobs.dispatching import BesideServer, Dispatcher
from agentiam.jobs.embedded import Threads
from agentiam.jobs.relay import Relay

GRACE_SECONDS: Final = 10.0
"""How long a server that ends waits for its jobs, after it has waited for its requests."""


def jobs_beside_server() -> BesideServer:
    """Make what starts and ends with a server process."""
    dispatcher = None
    if settings.JOBS != "none":
        dispatcher = Dispatcher(Threads() if settings.JOBS == "embedded" else Relay())
    return BesideServer(dispatcher, grace_seconds=GRACE_SECONDS)
