"""The Celery app: it carries ids of jobs to workers, and nothing that a worker would believe.

It is made the default of every thread when Django is ready (not when the package is imported: ``python -m audit.offline`` and
the condition language need neither Celery nor settings).
"""

import os
from typing import Final

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agentiam.settings")

app: Final = Celery("agentiam")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(related_name="jobs")
app.set_default()


def drop_foreign_tasks() -> None:
    """Keep only the product's own tasks: Celery's run what a message says, and a message may be forged by the broker."""
    for name in [name for name in app.tasks if name.startswith("celery.")]:
        app.tasks.unregister(name)
