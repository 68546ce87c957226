"""Is this machine fit: files that nobody else reads, room on the disk, time zones, and the pages' own files?"""

import os
import shutil
import stat
import zoneinfo
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.conf import settings
from django.contrib.staticfiles import finders

from agentiam.operations.doctor.findings import Judgement, broken, doubtful, fine, named
from directory.models import Organization

NEEDED_FILES: Final = ("css/tokens.css", "css/base.css", "css/layout.css", "css/components.css", "js/theme.js", "img/mark.svg")
LEAST_FREE: Final = 512 * 1024 * 1024
LEAST_SHARE: Final = 0.05
LARGEST_WAL: Final = 512 * 1024 * 1024
_MEGABYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file or directory as far as its safety goes."""

    path: str
    mode: int
    readable: bool = True
    writable: bool = True


def _facts(path: Path) -> FileFacts:
    mode = stat.S_IMODE(path.stat().st_mode)
    return FileFacts(
        str(path), mode, os.access(path, os.R_OK), os.access(path, os.W_OK | os.X_OK if path.is_dir() else os.W_OK)
    )


def look_at_data_directory() -> Judgement:
    """Look at AGENTIAM_DATA_DIR."""
    path: Path = settings.DATA_DIR
    return judge_data_directory(_facts(path) if path.is_dir() else None, str(path))


def judge_data_directory(facts: FileFacts | None, path: str) -> Judgement:
    """Judge whether the data directory is there, can be written, and is closed to others."""
    if facts is None:
        return broken(f"the data directory {path} is not there", f"mkdir -m 700 {path}, or name another in AGENTIAM_DATA_DIR.")
    if not facts.writable:
        return broken(f"the data directory {path} cannot be written by this user", f"chown it: chown $(id -u) {path}")
    if facts.mode & 0o077:
        return broken(f"others may look into the data directory {path} (mode {facts.mode:o})", f"chmod 700 {path}")
    return fine(f"{path} is ours alone")


def look_at_key_files() -> Judgement:
    """Look at every file that a key was read from."""
    return judge_key_files([_facts(path) for path in settings.KEY_FILES if path.exists()])


def judge_key_files(files: Sequence[FileFacts]) -> Judgement:
    """Judge whether anybody but the owner and their group may read a key."""
    open_files = [facts.path for facts in files if facts.mode & 0o007]
    if open_files:
        return broken(
            f"everybody may read the key file {named(open_files)}",
            f"chmod o-rwx {' '.join(open_files)}, and replace the keys if the machine has other users.",
        )
    if unreadable := [facts.path for facts in files if not facts.readable]:
        return broken(f"this user cannot read the key file {named(unreadable)}", "Give it to the user that the server runs as.")
    if writable := [facts.path for facts in files if facts.mode & 0o020]:
        return doubtful(f"a group may change the key file {named(writable)}", f"chmod g-w {' '.join(writable)}")
    return fine(f"{len(files)} key files are closed to others")


def look_at_disk() -> Judgement:
    """Measure the disk of the data directory, and the embedded database's log."""
    usage = shutil.disk_usage(settings.DATA_DIR)
    database = settings.DATABASES["default"]
    wal = Path(f"{database['NAME']}-wal")
    embedded = database["ENGINE"].endswith("sqlite3") and wal.exists()
    return judge_disk(usage.free, usage.total, wal=wal.stat().st_size if embedded else 0)


def judge_disk(free: int, total: int, *, wal: int) -> Judgement:
    """Judge the room that is left: a decision whose record cannot be written is not given."""
    if free < LEAST_FREE or free < total * LEAST_SHARE:
        return broken(
            f"the disk has {free // _MEGABYTE} MB left of {total // _MEGABYTE}: without room no decision can be recorded",
            "Make room, or move AGENTIAM_DATA_DIR to a larger disk.",
        )
    if wal > LARGEST_WAL:
        return doubtful(
            f"the embedded database's write-ahead log has grown to {wal // _MEGABYTE} MB: some reader never ends",
            "Restart the processes that hold the file open: the log then shrinks.",
        )
    return fine(f"{free // _MEGABYTE} MB are free")


def look_at_time_zones() -> Judgement:
    """Load every zone that an organization lives in."""
    zones = {"UTC", "Europe/Berlin", *Organization.objects.values_list("time_zone", flat=True).distinct()}
    return judge_time_zones(sorted(zones), _has_zone)


def _has_zone(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def judge_time_zones(zones: Sequence[str], known: Callable[[str], bool]) -> Judgement:
    """Judge whether the machine knows the zones: without one, conditions on local time cannot hold."""
    missing = [name for name in zones if not known(name)]
    if missing:
        return broken(
            f"the time zone {named(missing)} is not in this machine's data",
            "Install the time zone data: apt-get install tzdata, or pip install tzdata.",
        )
    return fine(f"{len(zones)} time zones are known")


def look_at_static_files() -> Judgement:
    """Look for the files that every page needs."""
    return judge_static_files([name for name in NEEDED_FILES if finders.find(name) is None])


def judge_static_files(missing: Sequence[str]) -> Judgement:
    """Judge whether pages will have their style."""
    if missing:
        return broken(
            f"static files are missing: {named(missing)}", "Run from a whole checkout: the directory static/ belongs to it."
        )
    return fine("the pages' own files are there")
