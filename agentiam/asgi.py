"""The application that servers run: decisions beside Django in one process, with one set of settings."""

import os
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agentiam.settings")
pages: Any = get_asgi_application()

# The apps must be loaded before their modules can be imported.
from agentiam.background import jobs_beside_server  # noqa: E402
from agentiam.operations.watching import watched  # noqa: E402
from agentiam.routing import Router  # noqa: E402
from permissions.access.application import application as access  # noqa: E402
from permissions.access.application import route_of, serves  # noqa: E402

application = watched(Router(access=access, serves=serves, pages=pages, jobs=jobs_beside_server()), decides=route_of)
