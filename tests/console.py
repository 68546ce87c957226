"""A second process beside a served copy: runs each line of Python that comes in, answers each with one line of JSON."""

import importlib
import json
import os
import pkgutil
import sys
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import django


def _world() -> dict[str, Any]:
    """Give every model by its name, and every service by its verb."""
    from agentiam.kit.actors import system

    names: dict[str, Any] = {"by": system("test"), "UTC": UTC, "datetime": datetime}
    for app in ("directory", "permissions"):
        names.update(_public(importlib.import_module(f"{app}.models")))
        services = importlib.import_module(f"{app}.services")
        for found in pkgutil.iter_modules(services.__path__):
            names.update(_public(importlib.import_module(f"{app}.services.{found.name}")))
    return names


def _public(module: ModuleType) -> dict[str, Any]:
    return {name: value for name, value in vars(module).items() if not name.startswith("_")}


def main() -> None:
    """Run what comes in until the input ends."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agentiam.settings")
    django.setup()
    names = _world()
    for line in sys.stdin:
        names["now"] = datetime.now(UTC)
        names["result"] = None
        try:
            exec(json.loads(line), names)  # noqa: S102  (the test's own lines)
            answer = {"result": names["result"]}
        except Exception as error:  # noqa: BLE001  (whatever it was, the test is told)
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer, default=str) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
