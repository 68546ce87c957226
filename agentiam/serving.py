"""Run the server: one process or several on one socket, stopped in order by SIGTERM or SIGINT."""

import signal
import socket
from types import FrameType
from typing import Final
from urllib.parse import urlsplit

import uvicorn
from django.conf import settings
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

APPLICATION: Final = "agentiam.asgi:application"
GRACE_SECONDS: Final = 30


class AddressTaken(Exception):
    """The address cannot be listened on; the text says why, and the remedy what whoever starts the server may do."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


def usual_port() -> int:
    """Give the port that people are told to go to, where that is on this machine; behind a proxy it says nothing about ours."""
    address = urlsplit(settings.BASE_URL)
    local = address.scheme == "http" and address.hostname in {"127.0.0.1", "localhost", "::1"}
    return address.port or 80 if local else 8000


def listen(host: str, port: int) -> socket.socket:
    """Bind the socket that all processes share; raises AddressTaken. Port 0 takes any that is free."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise AddressTaken(f"{host} is not an address of this machine ({error.strerror}).") from None
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # Listening at once: on some systems two may bind the same port, and only the second to listen hears of it.
        listener.listen(2048)
    except OSError as error:
        listener.close()
        problem = f"Port {port} of {host} cannot be used: {error.strerror}."
        raise AddressTaken(problem, remedy="Choose another with --port.") from None
    listener.set_inheritable(True)
    return listener


def run(listener: socket.socket, *, workers: int, trusted_proxies: list[str]) -> int:
    """Serve until told to stop; requests under way are finished within GRACE_SECONDS. Returns the exit code."""
    config = uvicorn.Config(
        APPLICATION,
        loop="auto",
        http="httptools",
        ws="none",
        lifespan="on",
        workers=workers,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=trusted_proxies,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return _run_many(config, listener) if workers > 1 else _run_one(config, listener)


def _run_one(config: uvicorn.Config, listener: socket.socket) -> int:
    server = uvicorn.Server(config)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    # uvicorn raises the signal again when it has finished; with this handler that does not turn an orderly end into a killing.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    server.run(sockets=[listener])
    return 0 if server.started else STARTUP_FAILURE


def _run_many(config: uvicorn.Config, listener: socket.socket) -> int:
    supervisor = Multiprocess(config, sockets=[listener])
    supervisor.run()
    failed = any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes)
    return STARTUP_FAILURE if failed else 0
