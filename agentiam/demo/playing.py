"""A day is played over a few connections at once, in the order of its script, and what was answered is counted."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Any, Final
from urllib.parse import urlsplit

from agentiam.demo.day import ANOMALY, Call
from agentiam.demo.server import Server, Unreachable

CONNECTIONS: Final = 4
_LOOK_EVERY: Final = 0.2
_OK: Final = 200
_UNAUTHORIZED: Final = 401

_HOME: Final = "127.0.1."
_STRANGE: Final = "127.0.9.66"


@dataclass(slots=True)
class Tally:
    """What came of a day, counted."""

    effects: Counter[str] = field(default_factory=Counter)
    terms: Counter[str] = field(default_factory=Counter)
    """Terms of the authority formula that lost, of what was denied."""
    approvals: Counter[str] = field(default_factory=Counter)
    """Guardrails that asked for a person."""
    parts: Counter[str] = field(default_factory=Counter)
    anomalous: Counter[str] = field(default_factory=Counter)
    masked: int = 0
    reported: int = 0
    searches: int = 0
    found: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    """What should not have happened: answers that were neither yes nor no."""

    @property
    def decisions(self) -> int:
        """How many decisions were made."""
        return self.effects.total()

    def add(self, call: Call, status: int, answer: Any) -> None:
        """Count one answer."""
        if status != _OK or not isinstance(answer, dict):
            self.faults[f"status {status}"] += 1
        elif call.path.startswith("search/"):
            self.searches += 1
            self.found += len(answer["results"])
        else:
            for each in answer.get("evaluations", [answer]):
                self._decision(call, each)

    def _decision(self, call: Call, answer: Mapping[str, Any]) -> None:
        context = answer["context"]
        if "error" in context:
            self.faults[str(context["error"]["message"])] += 1
            return
        effect = str(context["effect"])
        self.effects[effect] += 1
        self.parts[call.part] += 1
        if call.part == ANOMALY:
            self.anomalous[effect] += 1
        if effect == "deny":
            self.terms[str(context["lost"]["term"])] += 1
        elif effect == "escalate":
            self.approvals[str(context["lost"]["who"])] += 1
        self.masked += bool(context["fields"]["masked"])
        self.reported += bool(context.get("report_only"))


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a day is played: at which server, with which keys, and under which ids its requests go."""

    base_url: str
    keys: Mapping[str, str] = field(repr=False)
    run_id: str

    def address_of(self, call: Call) -> str:
        """Choose where a call comes from: on this machine each caller has an address of its own, and the stray one another."""
        host = urlsplit(self.base_url).hostname
        if host != "127.0.0.1":
            return ""
        if call.part == ANOMALY and call.caller.startswith("agent/"):
            return _STRANGE
        return f"{_HOME}{10 + sorted(self.keys).index(call.caller)}"


def play(calls: Sequence[Call], stage: Stage, *, progress: Callable[[int, int], None]) -> Tally:
    """Send every request and count the answers; raises Unreachable when the server goes away, and leaves no thread behind.

    ``progress`` is told, in the calling thread, how many requests of how many are done.
    """
    tally, stop = Tally(), Event()
    script = _Script(calls)
    with ThreadPoolExecutor(max_workers=CONNECTIONS, thread_name_prefix="demo") as pool:
        # An interruption may come while the threads are being started, and has to end those that are there.
        try:
            players = [pool.submit(_play_on, script, stage, tally, stop) for _ in range(CONNECTIONS)]
            while True:
                done, waiting = wait(players, timeout=_LOOK_EVERY, return_when=FIRST_EXCEPTION)
                for player in done:
                    player.result()
                progress(script.taken if waiting else len(calls), len(calls))
                if not waiting:
                    return tally
        finally:
            stop.set()


class _Script:
    """Hands out the calls one after the other to whoever asks."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self._calls = iter(enumerate(calls))
        self.turn = Lock()
        self.taken = 0

    def next(self) -> tuple[int, Call] | None:
        """Give the next call with its number; None at the end."""
        with self.turn:
            found = next(self._calls, None)
            self.taken += found is not None
            return found


def _play_on(script: _Script, stage: Stage, tally: Tally, stop: Event) -> None:
    """Play what is left of a script, until it ends or somebody says stop."""
    servers: dict[str, Server] = {}
    try:
        while not stop.is_set() and (taken := script.next()) is not None:
            number, call = taken
            status, answer = _answer(servers, stage, call, f"{stage.run_id}-{number:06d}")
            if status == _UNAUTHORIZED:
                raise Unreachable(f"The server at {stage.base_url} does not know the keys: it uses another database.")
            with script.turn:
                tally.add(call, status, answer)
    finally:
        for server in servers.values():
            server.close()


def _answer(servers: dict[str, Server], stage: Stage, call: Call, request_id: str) -> tuple[int, Any]:
    address = stage.address_of(call)
    if address not in servers:
        servers[address] = Server(stage.base_url, from_address=address)
    return servers[address].ask(call.path, call.body, key=stage.keys[call.caller], request_id=request_id)


def summary(tally: Tally) -> Iterator[str]:
    """Say what came of a day, in lines."""
    yield f"{tally.decisions} decisions and {tally.searches} searches ({tally.found} found)."
    for effect in ("allow", "escalate", "deny"):
        yield f"  {effect:<9}{tally.effects[effect]:>6}"
    yield f"  {tally.masked} allowed with masked fields; {tally.reported} with something that a report-only guardrail noted."
    yield "Denied, by what was missing:"
    yield from (f"  {term:<15}{count:>6}" for term, count in tally.terms.most_common())
    yield "For a person to decide, by guardrail:"
    yield from (f"  {name:<22}{count:>6}" for name, count in tally.approvals.most_common())
    for fault, count in tally.faults.most_common():
        yield f"! {count} times {fault}"
