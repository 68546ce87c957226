"""A load generator on raw sockets: keeps a number of connections busy for some seconds, and notes how long each answer took."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import uvloop


@dataclass
class Measured:
    """What came back: answers, how long each took in seconds, and how many were a yes or no answer at all."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list, repr=False)
    allowed: int = 0
    failed: int = 0

    @property
    def rate(self) -> float:
        """Answers in a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """Give the latency, in milliseconds, that this share of answers did not exceed."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1_000


class _Connection(asyncio.Protocol):
    """One connection that sends its next request when the last is answered."""

    def __init__(self, requests: Sequence[bytes], start: int, measured: Measured, until: float) -> None:
        self._requests = requests
        self._next = start
        self._measured = measured
        self._until = until
        self._buffer = b""
        self._sent_at = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(self._requests[self._next % len(self._requests)])  # type: ignore[attr-defined]
        self._next += 1

    def data_received(self, data: bytes) -> None:
        """Wait for the whole answer, note it, and go on."""
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        now = time.perf_counter()
        self._measured.latencies.append(now - self._sent_at)
        if not head.startswith(b"HTTP/1.1 200"):
            self._measured.failed += 1
        elif b'"decision":true' in body:
            self._measured.allowed += 1
        self._buffer = b""
        if now < self._until:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        """End."""
        if not self.done.done():
            self.done.set_result(None)


async def _drive(host: str, port: int, requests: Sequence[bytes], connections: int, seconds: float) -> Measured:
    loop = asyncio.get_running_loop()
    measured = Measured()
    began = time.perf_counter()
    until = began + seconds
    step = len(requests) // connections
    made = []
    for number in range(connections):
        one = partial(_Connection, requests, number * step, measured, until)
        made.append((await loop.create_connection(one, host, port))[1])
    await asyncio.gather(*(each.done for each in made))
    measured.seconds = time.perf_counter() - began
    return measured


def drive(host: str, port: int, requests: Sequence[bytes], *, connections: int, seconds: float) -> Measured:
    """Ask over some connections for some seconds."""
    return uvloop.run(_drive(host, port, requests, connections, seconds))
