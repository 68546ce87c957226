"""Is the database there, of a version that works, up to date, of the same time, and with room for everybody?"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import Error as DatabaseProblem
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from agentiam.operations import metrics
from agentiam.operations.doctor.findings import Judgement, broken, doubtful, fine, skipped

LEAST: Final[Mapping[str, tuple[int, ...]]] = {"postgresql": (14,), "sqlite": (3, 35)}
NETWORKED: Final = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "ceph", "glusterfs", "fuse.glusterfs", "afs")
CONNECTIONS_PER_PROCESS: Final = 24
"""Its writer, its readers and searches, its jobs, and the requests that are answered at once."""

_REMEDIES: Final = (
    ("password authentication failed", "Put the right user and password into DATABASE_URL."),
    ("refused", "Start the database, or put its address and port into DATABASE_URL."),
    ("timeout", "See whether a firewall stands between, and whether DATABASE_URL names the right machine."),
    ("translate host name", "Put a host name that can be resolved into DATABASE_URL."),
    ("resolve host", "Put a host name that can be resolved into DATABASE_URL."),
    ("does not exist", "Make the database and the user that DATABASE_URL names: createdb NAME."),
    ("too many", "Raise max_connections of the database, or run fewer processes."),
    ("unable to open", "Make the directory of the database file, and let this user write there."),
    ("readonly", "Let this user write the database file and its directory."),
    ("not a database", "DATABASE_URL names a file that is no SQLite database: name another, or restore a backup."),
    ("malformed", "The database file is damaged: restore a backup."),
)


def look_at_database() -> Judgement:
    """Connect, and ask for the version."""
    try:
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        version: tuple[int, ...] = tuple(connection.get_database_version())
    except DatabaseProblem as error:
        return judge_database(connection.vendor, (), problem=str(error))
    return judge_database(connection.vendor, version)


def judge_database(vendor: str, version: tuple[int, ...], *, problem: str = "") -> Judgement:
    """Judge whether it answers, and its version."""
    if problem:
        first = problem.strip().splitlines()[-1]
        remedy = next((text for sign, text in _REMEDIES if sign in problem.lower()), "Check DATABASE_URL.")
        return broken(f"the database does not answer: {first}", remedy)
    least = LEAST.get(vendor, ())
    shown, wanted = (".".join(map(str, each)) for each in (version, least))
    if version < least:
        return broken(f"{vendor} is of version {shown}, which is too old", f"Upgrade to {wanted} or later.")
    return fine(f"{vendor} {shown} answers")


def look_at_migrations() -> Judgement:
    """Compare the migrations of the program with those that the database has had."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    ours = {label for label, _ in executor.loader.disk_migrations}
    unknown = [f"{app}.{name}" for app, name in executor.loader.applied_migrations if (app, name) not in _known(executor)]
    return judge_migrations(
        [f"{migration.app_label}.{migration.name}" for migration, _ in plan],
        [name for name in unknown if name.partition(".")[0] in ours],
    )


def _known(executor: MigrationExecutor) -> set[tuple[str, str]]:
    disk: Any = executor.loader.disk_migrations
    replaced = {each for migration in disk.values() for each in migration.replaces}
    return set(disk) | replaced


def judge_migrations(pending: Sequence[str], unknown: Sequence[str]) -> Judgement:
    """Judge what is missing in the database, and what is in it that the program does not know."""
    if pending:
        return broken(f"{len(pending)} migrations are missing, {pending[0]} first", "Run: .venv/bin/python manage.py migrate")
    if unknown:
        remedy = "An older program runs on a newer database: run the newer program."
        return broken(f"the database has had migrations that this program does not know: {unknown[0]}", remedy)
    return fine("every migration is applied")


def look_at_clock() -> Judgement:
    """Compare the database's clock with this machine's."""
    if connection.vendor != "postgresql":
        return skipped("the embedded database has no clock of its own")
    with connection.cursor() as cursor:
        before = datetime.now(UTC)
        cursor.execute("SELECT clock_timestamp()")
        theirs: datetime = cursor.fetchone()[0]
        after = datetime.now(UTC)
    if before <= theirs <= after:
        return judge_clock(0.0)
    return judge_clock((theirs - after).total_seconds() if theirs > after else (theirs - before).total_seconds())


def judge_clock(ahead_seconds: float) -> Judgement:
    """Judge by how much the database's clock differs: leases, expiries and the order of events rest on it."""
    away = abs(ahead_seconds)
    says = f"the clock of the database is {away:.1f} s {'ahead' if ahead_seconds > 0 else 'behind'}"
    remedy = "Let both machines follow a time server (chrony, systemd-timesyncd)."
    if away > 10:
        return broken(says, remedy)
    return doubtful(says, remedy) if away > 1 else fine("the database's clock and this one agree")


def look_at_connections() -> Judgement:
    """Count the database's connections and the processes of this installation here."""
    if connection.vendor != "postgresql":
        return skipped("the embedded database has no limit of connections")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int, "
            "(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')"
        )
        limit, used = cursor.fetchone()
    return judge_connections(limit, used, processes=len(list(metrics.directory().glob("*.numbers"))) or 1)


def judge_connections(limit: int, used: int, *, processes: int) -> Judgement:
    """Judge whether there is room for what is used, and for what the processes of one machine may need."""
    if used >= limit * 0.9:
        return broken(
            f"{used} of {limit} connections of the database are in use",
            "Raise max_connections, or put a pooler (session mode) between.",
        )
    needed = processes * CONNECTIONS_PER_PROCESS
    if needed > limit:
        return doubtful(
            f"{processes} server processes may need {needed} connections, and the database allows {limit}",
            f"Raise max_connections to {needed * 3 // 2}, or serve with fewer --workers.",
        )
    return fine(f"{used} of {limit} connections of the database are in use")


def look_at_embedded() -> Judgement:
    """Ask the embedded database how careful it is, and the machine what its file lies on."""
    if connection.vendor != "sqlite":
        return skipped("the database is not the embedded one")
    found: dict[str, Any] = {}
    with connection.cursor() as cursor:
        for name in ("journal_mode", "synchronous"):
            cursor.execute(f"PRAGMA {name}")
            found[name] = cursor.fetchone()[0]
    name = str(settings.DATABASES["default"]["NAME"])
    mounts = Path("/proc/mounts")
    kind = filesystem_of(Path(name), mounts.read_text(encoding="utf-8") if mounts.exists() else "")
    return judge_embedded(str(found["journal_mode"]), int(found["synchronous"]), filesystem=kind)


def filesystem_of(path: Path, mounts: str) -> str:
    """Find the kind of file system that a path lies on, in the text of /proc/mounts; empty if it is not there."""
    found = ("", "")
    for line in mounts.splitlines():
        parts = line.split()
        if len(parts) > 2 and path.absolute().is_relative_to(parts[1].replace("\\040", " ")) and len(parts[1]) >= len(found[0]):
            found = (parts[1], parts[2])
    return found[1]


def judge_embedded(journal: str, synchronous: int, *, filesystem: str) -> Judgement:
    """Judge whether what SQLite says is written is on the disk."""
    if filesystem in NETWORKED:
        return broken(
            f"the database file is on a network file system ({filesystem}), whose locks cannot be trusted",
            "Move AGENTIAM_DATA_DIR to a local disk, or use PostgreSQL.",
        )
    if journal not in {"wal", "memory"}:
        return broken(
            f"the embedded database's journal mode is {journal}, not wal",
            "Let nothing else open the file, and restart the server.",
        )
    if synchronous < 2:
        return broken(
            "the embedded database does not wait for the disk (PRAGMA synchronous)",
            "Leave DATABASES as the settings have it: it must be FULL.",
        )
    return fine("the embedded database writes ahead and waits for the disk")
