"""Everything that the doctor looks at, in the order in which one thing explains the next."""

from collections.abc import Iterator
from typing import Final

from django.conf import settings
from django.core import checks

from agentiam.operations.doctor import addresses, database, machine, people, services, trust
from agentiam.operations.doctor.findings import Finding, Judgement, Probe, broken, doubtful, examine, fine, named


def look_at_settings() -> Judgement:
    """Run the system checks."""
    found = checks.run_checks(include_deployment_checks=settings.PRODUCTION)
    return judge_settings(
        [(str(each.id), each.level >= checks.ERROR, str(each.msg)) for each in found if not each.is_silenced()]
    )


def judge_settings(found: list[tuple[str, bool, str]]) -> Judgement:
    """Judge what the checks said."""
    remedy = "Run: .venv/bin/python manage.py check --deploy; each says how to put it right (docs/configuration.md)."
    errors = [f"{number} ({message})" for number, is_error, message in found if is_error]
    if errors:
        return broken(f"settings that are refused: {named(errors)}", remedy)
    if found:
        return doubtful(f"settings to think about: {named([f'{number} ({message})' for number, _, message in found])}", remedy)
    return fine("every setting passes its checks")


PROBES: Final = (
    Probe("settings", look_at_settings),
    Probe("database", database.look_at_database),
    Probe("migrations", database.look_at_migrations),
    Probe("embedded database", database.look_at_embedded),
    Probe("database connections", database.look_at_connections),
    Probe("clock", database.look_at_clock),
    Probe("data directory", machine.look_at_data_directory),
    Probe("key files", machine.look_at_key_files),
    Probe("disk", machine.look_at_disk),
    Probe("time zones", machine.look_at_time_zones),
    Probe("static files", machine.look_at_static_files),
    Probe("base URL", addresses.look_at_base_url),
    Probe("reached", addresses.look_from_outside),
    Probe("hosts", addresses.look_at_hosts),
    Probe("origins", addresses.look_at_origins),
    Probe("Redis", services.look_at_redis),
    Probe("counters", services.look_at_counters),
    Probe("workers", services.look_at_workers),
    Probe("dead jobs", services.look_at_dead_jobs),
    Probe("mail", services.look_at_mail),
    Probe("peppers", trust.look_at_peppers),
    Probe("signing key", trust.look_at_signing_key),
    Probe("log verified", trust.look_at_verification),
    Probe("administrators", people.look_at_administrators),
    Probe("second factors", people.look_at_second_factors),
    Probe("organizations", people.look_at_organizations),
    Probe("application keys", people.look_at_application_keys),
)


def examination() -> Iterator[Finding]:
    """Look at everything."""
    return examine(PROBES)
