"""Do the helpers work: Redis, those who do the jobs, and the mail server?"""

import smtplib
from collections.abc import Sequence
from typing import Any, Final

import redis
from django.conf import settings
from django.core import mail
from django.db.models import Min
from django.utils import timezone

from agentiam.jobs.models import Job
from agentiam.kit.measures import everybody, measures
from agentiam.operations import metrics
from agentiam.operations.doctor.findings import Judgement, broken, doubtful, fine, named, skipped

_KEY: Final = "agentiam:doctor"
_SECONDS: Final = 3.0
SLOW_SECONDS: Final = 60.0
STUCK_SECONDS: Final = 300.0

_REDIS_REMEDIES: Final = (
    ("refused", "Start Redis, or put its address into REDIS_URL."),
    ("timeout", "See whether a firewall stands between, and whether REDIS_URL names the right machine."),
    ("timed out", "See whether a firewall stands between, and whether REDIS_URL names the right machine."),
    ("db index", "REDIS_URL names a database that this Redis does not have: it ends with /0 to /15."),
    ("out of range", "REDIS_URL names a database that this Redis does not have: it ends with /0 to /15."),
    ("noauth", "Put the password into REDIS_URL."),
    ("authentication", "Put the password into REDIS_URL."),
    ("wrongpass", "Put the right user and password into REDIS_URL."),
    ("invalid username", "Put the right user and password into REDIS_URL."),
    ("read only", "REDIS_URL names a replica: name the primary."),
    ("oom", "Redis has no memory left: give it more."),
)


def look_at_redis() -> Judgement:
    """Write and read a key, and ask what happens when the memory is full."""
    if not settings.REDIS_URL:
        return skipped("no Redis is configured; each process remembers for itself")
    client: Any = redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=_SECONDS, socket_timeout=_SECONDS)
    try:
        client.set(_KEY, "1", ex=10)
        answered = client.get(_KEY) == b"1"
        policy = str(client.info("memory").get("maxmemory_policy", ""))
    except redis.RedisError as error:
        return judge_redis(problem=str(error), policy="", jobs=settings.JOBS)
    finally:
        client.close()
    return judge_redis(problem="" if answered else "it forgets at once", policy=policy, jobs=settings.JOBS)


def judge_redis(*, problem: str, policy: str, jobs: str) -> Judgement:
    """Judge whether Redis answers, and keeps what it was given."""
    if problem:
        remedy = next((text for sign, text in _REDIS_REMEDIES if sign in problem.lower()), "Check REDIS_URL.")
        return broken(f"Redis does not work: {problem}", remedy)
    if jobs == "celery" and policy.startswith("allkeys"):
        return doubtful(
            f"Redis throws messages to workers away when it is full (maxmemory-policy {policy})",
            "Set maxmemory-policy to noeviction or volatile-lru.",
        )
    return fine("Redis keeps what it is given")


def look_at_counters() -> Judgement:
    """Count the server processes of this machine that keep their numbers in the data directory."""
    everybody(metrics.directory(), measures)  # removes what ended processes have left
    processes = len(list(metrics.directory().glob("*.numbers")))
    return judge_counters(processes, shared=bool(settings.REDIS_URL), production=settings.PRODUCTION)


def judge_counters(processes: int, *, shared: bool, production: bool) -> Judgement:
    """Judge whether the limits of the API and of signing in are what they say: together, or each process for itself."""
    if shared:
        return fine("all processes count requests and tries together")
    if processes > 1:
        judge = broken if production else doubtful
        return judge(
            f"{processes} server processes count requests, tries to sign in and used SAML assertions each for itself: "
            f"whoever guesses has {processes} times the tries",
            "Set REDIS_URL, or serve with --workers 1.",
        )
    return fine("one process counts requests and tries; several need REDIS_URL")


def look_at_workers() -> Judgement:
    """Measure how long the oldest due job has waited."""
    now = timezone.now()
    oldest = Job.objects.filter(state=Job.State.WAITING, run_at__lte=now).aggregate(oldest=Min("run_at"))["oldest"]
    return judge_workers(settings.JOBS, 0.0 if oldest is None else (now - oldest).total_seconds())


def judge_workers(mode: str, oldest_seconds: float) -> Judgement:
    """Judge whether anybody does the jobs."""
    if oldest_seconds <= SLOW_SECONDS:
        return fine("due jobs are done")
    remedies = {
        "celery": "Start workers: .venv/bin/python manage.py worker; with the server's REDIS_URL and DATABASE_URL.",
        "embedded": "Start the server (.venv/bin/python manage.py serve), which does the jobs, or a worker (manage.py worker).",
        "none": "AGENTIAM_JOBS is none: start .venv/bin/python manage.py worker somewhere.",
    }
    says = f"a job has been due for {oldest_seconds / 60:.0f} minutes"
    judge = broken if oldest_seconds > STUCK_SECONDS else doubtful
    return judge(f"{says}: nobody does them, or not fast enough", remedies.get(mode, remedies["none"]))


def look_at_dead_jobs() -> Judgement:
    """Name the jobs that were given up."""
    dead = list(Job.objects.filter(state=Job.State.DEAD).order_by("-id").values_list("task", "last_error")[:50])
    return judge_dead_jobs([(task, error.splitlines()[0] if error else "") for task, error in dead])


def judge_dead_jobs(dead: Sequence[tuple[str, str]]) -> Judgement:
    """Judge what was given up."""
    if not dead:
        return fine("no job was given up")
    tasks = sorted({task for task, _ in dead})
    return doubtful(
        f"{len(dead)} jobs were given up ({named(tasks)}); the last said: {dead[0][1][:200]}",
        "Mend the cause, then run them again or cancel them (the jobs page, or the API).",
    )


def look_at_mail() -> Judgement:
    """Open a connection to the mail server, and send nothing."""
    backend = settings.EMAIL_BACKEND.rsplit(".", 2)[-2]
    problem = ""
    if backend == "smtp":
        line = mail.get_connection(timeout=_SECONDS)
        try:
            line.open()
        except (OSError, smtplib.SMTPException) as error:
            problem = f"{type(error).__name__}: {error}"
        finally:
            line.close()
    return judge_mail(backend, problem=problem, production=settings.PRODUCTION)


def judge_mail(backend: str, *, problem: str, production: bool) -> Judgement:
    """Judge whether invitations and warnings leave."""
    if problem:
        remedy = "Put the right server, port, user and password into AGENTIAM_EMAIL_URL."
        return broken(f"the mail server does not take mail: {problem}", remedy)
    if backend == "smtp":
        return fine("the mail server answers")
    judge = doubtful if production else None
    says = f"mail does not leave this machine ({backend})"
    return fine(says) if judge is None else judge(says, "Set AGENTIAM_EMAIL_URL to a mail server.")
