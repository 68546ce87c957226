"""The addresses of the event log's and the jobs' resources."""

from typing import Any, Final

from agentiam.api.audit.chains import ChainViewSet, SigningKeyViewSet
from agentiam.api.audit.events import EventViewSet
from agentiam.api.audit.integrity import CheckpointViewSet, IntegrityViewSet
from agentiam.api.audit.jobs import JobViewSet

ROUTES: Final[tuple[tuple[str, type[Any], str], ...]] = (
    ("events", EventViewSet, "event"),
    ("checkpoints", CheckpointViewSet, "checkpoint"),
    ("chains", ChainViewSet, "chain"),
    ("signing-keys", SigningKeyViewSet, "signing-key"),
    ("integrity", IntegrityViewSet, "integrity"),
    ("jobs", JobViewSet, "job"),
)
