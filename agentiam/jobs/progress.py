"""A long task says how far it is, and hears by it whether it may go on."""

from agentiam.jobs.leases import current


def progress(done: int, total: int | None = None, note: str = "") -> None:
    """Say how far the job at hand is, and renew its lease; outside a job nothing happens.

    It is a short transaction of its own, so everybody sees it at once; only within a transaction on SQLite, which has one
    writer at a time, it becomes visible with the rest. Calls within a second of the one before are passed over, except for the
    last (``done`` equals ``total``). Raises LeaseLost when somebody else has the job by now, or it was cancelled: let it
    through, it ends the task without a failure.
    """
    lease = current()
    if lease is not None:
        lease.progress(done, total, note)
