"""Is there anything of agentiam here? Asked before the settings are read, which make a data directory and keys."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

DATABASE: Final = "agentiam.sqlite3"
RUN: Final = "Run `make run` or `.venv/bin/python manage.py migrate`, or set AGENTIAM_DATA_DIR."


def nothing_here(environment: Mapping[str, str], base: Path) -> str:
    """Say that there is no embedded database where one is meant; empty where there is, or where another database is named."""
    if any(environment.get(name, "").strip() for name in ("DATABASE_URL", "DATABASE_URL_FILE")):
        return ""
    directory = Path(environment.get("AGENTIAM_DATA_DIR", "").strip() or base / "var").absolute()
    return "" if (directory / DATABASE).exists() else f"There is no agentiam in {directory}."


def as_finding(says: str) -> str:
    """Write as the doctor does for programs that there is nothing to look at."""
    finding = {"check": "data directory", "state": "failed", "says": says, "remedy": RUN}
    return json.dumps({"ok": False, "findings": [finding]}, ensure_ascii=False)


def without_tables(error: Exception, *, name: str) -> str:
    """Say what is wrong where a database answers and has not the tables; empty for any other error of a database."""
    text = str(error)
    if "no such table" not in text and not ("relation" in text and "does not exist" in text):
        return ""
    where = f"in {Path(name).parent}" if Path(name).is_absolute() else f"called {name}"
    return f"There is no agentiam database {where}: migrations are missing. {RUN}"
