"""Measure and print: ``python -m benchmarks [--quick]``. Only ratios within one run mean anything."""

import argparse
import gc
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import django
import httpx

from benchmarks import workload
from benchmarks.client import drive
from permissions.engine.evaluate import decide
from permissions.engine.types import Question, World
from tests.serving import free_port

ROOT = Path(__file__).resolve().parent.parent


def best_of(work: Callable[[], int], rounds: int = 5) -> float:
    """Give the fewest seconds that one piece of work took; ``work`` answers how many pieces it did."""
    best = float("inf")
    for _ in range(rounds):
        began = time.perf_counter()
        pieces = work()
        best = min(best, (time.perf_counter() - began) / pieces)
    return best


def _decide_all(world: World, asked: list[Question]) -> int:
    for question in asked:
        decide(world, question)
    return len(asked)


def in_process(sizes: list[int]) -> dict[int, float]:
    """Measure ``decide`` on worlds in memory, in microseconds."""
    found = {}
    for size in sizes:
        world = workload.world(size)
        asked = workload.engine_questions(size, 20_000)
        gc.collect()
        gc.freeze()
        allowed = sum(decide(world, question).allows for question in asked)
        found[size] = best_of(partial(_decide_all, world, asked)) * 1e6
        print(f"  {size:>7,} agents   {found[size]:6.2f} µs a decision   ({allowed / len(asked):.0%} allowed)")
        gc.unfreeze()
        del world, asked
    return found


def has_perm(rounds: int) -> float:
    """Measure guardian's ``has_perm`` on one object, in microseconds, on the database that the settings name."""
    from guardian.shortcuts import assign_perm

    from directory.models import Agent, User

    owner = User.objects.get(username="owner@bench")
    agents = list(Agent.objects.all()[:200])
    for agent in agents[::2]:
        assign_perm("operate_agent", owner, agent)

    def work() -> int:
        for number in range(rounds):
            # A new instance each time: an account as a request would load it, with nothing cached on it.
            User(pk=owner.pk, is_active=True, organization_id=owner.organization_id).has_perm(
                "directory.operate_agent", agents[number % len(agents)]
            )
        return rounds

    return best_of(work, rounds=3) * 1e6


def over_http(key: str, environment: dict[str, str], agents: int, seconds: float) -> dict[int, float]:
    """Measure evaluations over HTTP with durable records at 1, 8 and 64 connections; gives rates."""
    port = free_port()
    command = [sys.executable, str(ROOT / "manage.py"), "serve", "--port", str(port)]
    server = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        requests = [_request(key, each) for each in workload.questions(agents, 20_000)]
        _wait(port)
        cold = _name_every_agent(key, port, agents)
        print(f"  the first decision about an agent, read from the database: {cold:.1f} ms")
        drive("127.0.0.1", port, requests, connections=8, seconds=2)
        found = {}
        for connections in (1, 8, 64):
            measured = drive("127.0.0.1", port, requests, connections=connections, seconds=seconds)
            found[connections] = measured.rate
            print(
                f"  {connections:>3} connections   {measured.rate:8,.0f}/s   p50 {measured.percentile(0.5):6.2f} ms   "
                f"p99 {measured.percentile(0.99):6.2f} ms   ({measured.allowed / len(measured.latencies):.0%} allowed, "
                f"{measured.failed} failed)"
            )
        return found
    finally:
        server.terminate()
        server.wait()


def _request(key: str, wanted: workload.Wanted) -> bytes:
    properties = {"region": wanted.region, "status": wanted.status, "amount": wanted.amount}
    body = json.dumps(
        {
            "subject": {"type": "agent", "id": f"agent{wanted.agent}"},
            "action": {"name": wanted.action},
            "resource": {"type": wanted.type, "id": "r1", "properties": properties},
        }
    ).encode()
    head = (
        f"POST /access/v1/evaluation HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\nPrefer: return=minimal\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _name_every_agent(key: str, port: int, agents: int) -> float:
    """Ask about each agent once, so that the world holds them all; gives the milliseconds for each."""
    items = [{"subject": {"type": "agent", "id": f"agent{number}"}} for number in range(agents)]
    body = {"action": {"name": "read"}, "resource": {"type": "type0", "id": "r1"}}
    began = time.perf_counter()
    for start in range(0, agents, 10):
        batch = {**body, "evaluations": items[start : start + 10]}
        answer = httpx.post(
            f"http://127.0.0.1:{port}/access/v1/evaluations", json=batch, headers={"Authorization": f"Bearer {key}"}, timeout=60
        )
        answer.raise_for_status()
    return (time.perf_counter() - began) / agents * 1_000


def _wait(port: int) -> None:
    for _ in range(300):
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise SystemExit("the server did not become ready")


def main() -> None:
    """Run everything once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer agents and seconds")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory() as directory:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agentiam.settings")
        os.environ["AGENTIAM_DATA_DIR"] = directory
        django.setup()
        from django.core.management import call_command
        from django.db import connection

        from benchmarks.seeding import seed

        print(f"{datetime.now(UTC):%Y-%m-%d}  Python {platform.python_version()}  {connection.vendor}  {os.cpu_count()} cores")
        print("In process")
        sizes = in_process([1_000, 10_000] if quick else [1_000, 10_000, 100_000])
        agents = 200 if quick else 1_000
        call_command("migrate", verbosity=0)
        key = seed(agents)
        print(f"Over HTTP, {agents:,} agents, one process, every answer after its record is durable")
        over_http(key, dict(os.environ), agents, 2 if quick else 8)
        print("guardian has_perm on one object")
        guardian = has_perm(500)
        print(f"  {guardian:8.1f} µs a check   {guardian / sizes[1_000]:,.0f} times a decision in process")
        connection.close()


if __name__ == "__main__":
    main()
