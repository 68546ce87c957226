"""A client made from the OpenAPI document, as somebody elsewhere would make one."""

import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TypeAlias

PACKAGE = "made_client"

Made: TypeAlias = Callable[[str], ModuleType]


def generate(document: Path, to: Path) -> Made:
    """Write a client into a directory, and give its parts by name; the directory must be on the path."""
    settings = to / "settings.yaml"
    settings.write_text(f"post_hooks: []\npackage_name_override: {PACKAGE}\n")
    program = [str(Path(sys.executable).parent / "openapi-python-client"), "generate", "--path", str(document)]
    done = subprocess.run(
        [*program, "--output-path", str(to / "made"), "--config", str(settings)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr, done.stdout + done.stderr
    for name in [each for each in sys.modules if each.partition(".")[0] == PACKAGE]:
        del sys.modules[name]  # of another test's directory
    importlib.invalidate_caches()  # the directory may have been looked for before it was there
    return lambda name: importlib.import_module(f"{PACKAGE}{name}")
