"""A log is whole if every record follows the one before it and every chain goes as far as its head and the checkpoints say.

Whoever can write to the database can rewrite records, hashes and heads, but cannot sign: up to the last checkpoint, whatever
was changed, removed, moved or added is found, also if all hashes were made anew. What came after it is protected by the hashes
alone. Only the standard library, cryptography and rfc8785 are needed. Checkpoints and heads are fed first, then the records,
streaming; 48 bytes are kept for each head that a checkpoint swore.
"""

from array import array
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from audit.chain import GENESIS, VERSION, NotCanonical, PublicKey, digest, parse_canonical

COLUMN_NAMES: Final = (
    "id",
    "organization",
    "chain",
    "sequence",
    "type",
    "at",
    "actor.kind",
    "actor.id",
    "actor.label",
    "target.type",
    "target.id",
    "target.label",
    "effect",
    "request_id",
    "reason",
)
Columns = tuple[str, str, str, int, str, str, str, str, str, str, str, str, str, str, str]

_MEMBERS: Final = frozenset(
    "v id at organization chain sequence previous type actor target reason request_id effect data".split()  # noqa: SIM905
)


_COLUMN_TYPES: Final = {str, int}
_BROKEN_LINK: Final = "the next record names another hash for it: it was changed and hashed anew"


class Kind(StrEnum):
    """In which way a log is broken."""

    CHANGED = "changed"
    REMOVED = "removed"
    REORDERED = "reordered"
    CUT = "cut"
    INSERTED = "inserted"
    CHAIN_MISSING = "chain_missing"
    CHECKPOINT_FORGED = "checkpoint_forged"
    CHECKPOINT_MISSING = "checkpoint_missing"
    KEY_UNKNOWN = "key_unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: of a chain the first, named by its record; or of the checkpoints."""

    kind: Kind
    what: str
    chain: str = ""
    sequence: int = 0
    event: str = ""
    checkpoint: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """What a verification saw, and what is wrong; ``unsworn`` records came after the last checkpoint over their chain."""

    organization: str
    records: int
    chains: int
    checkpoints: int
    unsworn: int
    findings: tuple[Finding, ...]

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


@dataclass(slots=True)
class _Sworn:
    """What the checkpoints say of one chain, in order."""

    sequences: "array[int]" = field(default_factory=lambda: array("Q"))
    numbers: "array[int]" = field(default_factory=lambda: array("Q"))
    hashes: bytearray = field(default_factory=bytearray)
    position: int = 0

    @property
    def last(self) -> int:
        return self.sequences[-1] if self.sequences else 0

    def hash_at(self, position: int) -> str:
        return self.hashes[32 * position : 32 * position + 32].hex()

    def add(self, sequence: int, record_hash: str, number: int) -> None:
        self.sequences.append(sequence)
        self.numbers.append(number)
        self.hashes += bytes.fromhex(record_hash)

    def contradicts(self, sequence: int, record_hash: str) -> int | None:
        """The number of a checkpoint that swears another hash for this record; sequences are asked for in ascending order."""
        position, sequences = self.position, self.sequences
        while position < len(sequences) and sequences[position] <= sequence:
            if sequences[position] == sequence and self.hash_at(position) != record_hash:
                return self.numbers[position]
            position += 1
        self.position = position
        return None


@dataclass(slots=True)
class _Chain:
    organization: str = ""
    known: bool = False
    last_sequence: int = 0
    last_hash: str = GENESIS
    claimed_sworn: int = 0
    sworn: _Sworn = field(default_factory=_Sworn)
    sequence: int = 0
    hash: str = GENESIS
    event: str = ""
    finding: Finding | None = None


class Verifier:
    """Verifies the log of one organization: feed checkpoints and heads, then records chain by chain, then ask for the report.

    ``keys`` are the public keys at hand by id; ``trusted`` the ids that may sign. With ``closed``, as in an export, every
    record must be covered by a checkpoint.
    """

    def __init__(
        self,
        organization: str,
        *,
        keys: Mapping[str, PublicKey],
        trusted: Collection[str],
        closed: bool = False,
        parse: Callable[[bytes], dict[str, Any]] = parse_canonical,
    ) -> None:
        self._organization = organization
        self._parse = parse
        self._keys = keys
        self._trusted = trusted
        self._closed = closed
        self._chains: dict[str, _Chain] = {}
        self._current = ""
        self._records = 0
        self._checkpoints = 0
        self._number = 0
        self._checkpoint_hash = GENESIS
        self._complete = False
        self._strays: list[Finding] = []
        self._checkpoint_findings: dict[Kind, Finding] = {}

    def head(self, *, chain: str, organization: str, sequence: int, record_hash: str, sworn_sequence: int = 0) -> None:
        """Take a chain's head; ``sworn_sequence`` is how far the log itself says that checkpoints cover the chain."""
        state = self._chains.setdefault(chain, _Chain())
        state.known = True
        state.organization = organization
        state.last_sequence = sequence
        state.last_hash = record_hash
        state.claimed_sworn = sworn_sequence

    def checkpoint(
        self, stored: bytes, *, stored_hash: str, key_id: str, signature: str, columns: Mapping[str, str | int] | None = None
    ) -> None:
        """Take the next checkpoint; ``columns`` are members that stand beside it as well."""
        self._checkpoints += 1
        number = self._number + 1
        try:
            body = parse_canonical(stored)
            heads = [_sworn_head(head) for head in body["chains"]]
            beside = {"organization": self._organization, "key_id": key_id, "v": VERSION, **(columns or {})}
            different = [name for name, value in beside.items() if body[name] != value]
            number, previous = int(body["number"]), body["previous"]
        except (NotCanonical, KeyError, TypeError, ValueError) as error:
            self._note(Kind.CHECKPOINT_FORGED, number, f"checkpoint {number} cannot be read: {error}")
            return
        if not self._is_signed(stored, stored_hash, key_id, signature, number):
            return
        if different or number <= self._number:
            what = f"its {different[0]} differs from what was signed" if different else "it comes twice or too late"
            self._note(Kind.CHECKPOINT_FORGED, number, f"checkpoint {number} is out of place: {what}")
            return
        if number > self._number + 1:
            missing = self._number + 1
            self._note(Kind.CHECKPOINT_MISSING, missing, f"checkpoint {missing} is gone; the next is {number}")
        elif previous != self._checkpoint_hash:
            self._note(Kind.CHECKPOINT_FORGED, number, f"checkpoint {number} does not follow the one before it")
        self._number, self._checkpoint_hash = number, stored_hash
        self._complete = body.get("complete") is True
        for chain, sequence, record_hash in heads:
            self._swear(self._chains.setdefault(chain, _Chain()), chain, sequence, record_hash)

    def _is_signed(self, stored: bytes, stored_hash: str, key_id: str, signature: str, number: int) -> bool:
        if key_id not in self._trusted or key_id not in self._keys:
            self._note(Kind.KEY_UNKNOWN, number, f"checkpoint {number} is signed by the key {key_id}, which is not trusted")
        elif digest(stored) != stored_hash or not self._keys[key_id].verifies(stored, signature):
            self._note(Kind.CHECKPOINT_FORGED, number, f"checkpoint {number} was changed or not signed by the key it names")
        else:
            return True
        return False

    def _swear(self, state: _Chain, chain: str, sequence: int, record_hash: str) -> None:
        if sequence < state.sworn.last and state.finding is None:
            was = f"an earlier checkpoint went to {state.sworn.last}, checkpoint {self._number} only to {sequence}"
            state.finding = Finding(Kind.CUT, was, chain, sequence + 1, checkpoint=self._number)
        state.sworn.add(sequence, record_hash, self._number)

    def _note(self, kind: Kind, number: int, what: str) -> None:
        self._checkpoint_findings.setdefault(kind, Finding(kind, what, checkpoint=number))

    def unreadable(self, what: str) -> None:
        """Take note of something that belongs to no chain and cannot be read."""
        self._strays.append(Finding(Kind.CHANGED, what))

    def orphan(self, *, chain: str, event: str) -> None:
        """Take note of a chain that records name although it has no head; ``event`` is its first record."""
        self._chains.setdefault(chain, _Chain()).event = event

    def record(self, stored: bytes, *, stored_hash: str, columns: Columns | None = None) -> None:
        """Take the next record; ``columns`` are those beside it.

        One that names no chain is held to belong to the one before.
        """
        self._records += 1
        said: Columns | None = None
        problem: tuple[Kind, str] | None = None
        try:
            body = self._parse(stored)
            previous, said = body["previous"], _columns_of(body)
        except (NotCanonical, KeyError, TypeError) as error:
            problem = Kind.CHANGED, f"the bytes are not a canonical record ({error})"
        beside = columns or said
        if beside is not None:
            self._current = beside[2]
        state = self._chains.setdefault(self._current, _Chain())
        event, sequence = (beside[0], beside[3]) if beside is not None else ("", state.sequence + 1)
        if state.finding is not None:
            self._recognize_reordering(state, sequence)
            return
        if said is not None and beside is not None:
            problem = (
                self._altered(body, said, beside, sound=digest(stored) == stored_hash)
                or self._misplaced(state, sequence, previous)
                or self._forsworn(state, sequence, stored_hash)
            )
        if problem is None:
            state.sequence, state.hash, state.event = sequence, stored_hash, event
            return
        kind, what = problem
        if kind is Kind.REMOVED:
            sequence = state.sequence + 1
        elif what == _BROKEN_LINK and state.sequence:
            sequence, event = state.sequence, state.event
        state.finding = Finding(kind, what, self._current, sequence, event)

    def _altered(self, body: dict[str, Any], said: Columns, beside: Columns, *, sound: bool) -> tuple[Kind, str] | None:
        """What is wrong with a record by itself."""
        if not sound:
            return Kind.CHANGED, "the record does not match its hash"
        if said != beside:
            if said[3] != beside[3]:
                return Kind.REORDERED, f"the record of sequence {said[3]} stands in the place of {beside[3]}"
            wrong = next(name for name, a, b in zip(COLUMN_NAMES, said, beside, strict=True) if a != b)
            return Kind.CHANGED, f"the column {wrong} differs from the record"
        if said[1] != self._organization or body["v"] != VERSION or body.keys() != _MEMBERS:
            return Kind.CHANGED, "the record belongs to another organization or has another form"
        return None

    def _misplaced(self, state: _Chain, sequence: int, previous: str) -> tuple[Kind, str] | None:
        """What is wrong with a record as the successor of the one before it."""
        expected = state.sequence + 1
        if sequence < expected:
            return Kind.INSERTED, f"a second record claims sequence {sequence}"
        if sequence > expected:
            return Kind.REMOVED, f"the records from sequence {expected} to {sequence - 1} are missing before this one"
        if previous != state.hash:
            return Kind.CHANGED, _BROKEN_LINK
        return None

    def _forsworn(self, state: _Chain, sequence: int, record_hash: str) -> tuple[Kind, str] | None:
        """Whether a checkpoint swears that another record stood here.

        Then everything was hashed anew since the checkpoint before.
        """
        number = state.sworn.contradicts(sequence, record_hash)
        if number is None:
            return None
        first = state.sworn.sequences[state.sworn.position - 1] + 1 if state.sworn.position else 1
        return (
            Kind.CHANGED,
            f"checkpoint {number} swears another record here: some from sequence {first} to this one were rewritten",
        )

    def _recognize_reordering(self, state: _Chain, sequence: int) -> None:
        """Say that records changed places if one that seemed to be missing comes later after all."""
        found = state.finding
        if found is not None and found.kind is Kind.REMOVED and sequence == found.sequence:
            what = f"the record of sequence {sequence} stands behind later ones"
            state.finding = Finding(Kind.REORDERED, what, found.chain, sequence, found.event)

    def report(self) -> Report:
        """Compare where each chain ended with where it should have, and sum up."""
        if self._closed and not self._complete:
            self._note(Kind.CHECKPOINT_MISSING, self._number + 1, "the log does not end with a checkpoint over all of it")
        findings = [*self._checkpoint_findings.values(), *self._strays[:1]]
        unsworn = 0
        for chain, state in sorted(self._chains.items()):
            unsworn += max(0, state.last_sequence - state.sworn.last)
            finding = state.finding or self._end_of(chain, state)
            if finding is not None:
                findings.append(finding)
        return Report(
            organization=self._organization,
            records=self._records,
            chains=len(self._chains),
            checkpoints=self._checkpoints,
            unsworn=unsworn,
            findings=tuple(findings),
        )

    def _end_of(self, chain: str, state: _Chain) -> Finding | None:
        end, head, sworn = state.sequence, state.last_sequence, state.sworn
        if not state.known or state.organization != self._organization:
            whose = "a checkpoint swears" if sworn.last else "records name"
            return Finding(Kind.CHAIN_MISSING, f"{whose} a chain that has no head", chain, 1, state.event)
        if end < max(head, sworn.last):
            by = f"checkpoint {sworn.numbers[-1]}" if sworn.last >= head else "its head"
            what = f"the chain ends at sequence {end}, but {by} says {max(head, sworn.last)}"
            return Finding(Kind.CUT, what, chain, end + 1, state.event)
        if end > head:
            return Finding(Kind.INSERTED, f"records go beyond the head, which is at {head}", chain, head + 1, state.event)
        if state.hash != state.last_hash:
            return Finding(Kind.CHANGED, "the head names another hash than the last record has", chain, end, state.event)
        if state.claimed_sworn > sworn.last or (self._closed and sworn.last < end):
            what = f"the checkpoints cover the chain only to sequence {sworn.last}"
            return Finding(Kind.CHECKPOINT_MISSING, what, chain, sworn.last + 1)
        return None


def _sworn_head(head: Mapping[str, Any]) -> tuple[str, int, str]:
    """Read what a checkpoint says of a chain; raises ValueError, KeyError or TypeError, for anybody may have signed it."""
    chain, sequence, record_hash = head["id"], head["sequence"], head["hash"]
    if not (type(chain) is str and type(sequence) is int and sequence >= 0 and len(bytes.fromhex(record_hash)) == 32):
        raise ValueError("a head is malformed")
    return chain, sequence, record_hash


def _columns_of(body: dict[str, Any]) -> Columns:
    """Read what stands beside a record out of it; raises KeyError or TypeError: the file may be anybody's."""
    actor, target = body["actor"], body["target"]
    columns = (
        body["id"],
        body["organization"],
        body["chain"],
        body["sequence"],
        body["type"],
        body["at"],
        actor["kind"],
        actor["id"],
        actor["label"],
        *((target["type"], target["id"], target["label"]) if target is not None else ("", "", "")),
        body["effect"],
        body["request_id"],
        body["reason"],
    )
    if type(columns[3]) is not int or set(map(type, columns)) != _COLUMN_TYPES:
        raise TypeError("a member is not of its type")
    return columns


def describe(report: Report) -> list[str]:
    """Say a report in lines for people: one when the log is whole, one more for each finding."""
    seen = f"{report.records} records in {report.chains} chains, {report.checkpoints} checkpoints"
    if report.whole:
        late = f"; {report.unsworn} records are newer than the last checkpoint" if report.unsworn else ""
        return [f"{report.organization}: whole. {seen}{late}"]
    lines = [f"{report.organization}: BROKEN. {seen}"]
    for finding in report.findings:
        where = f" chain {finding.chain}, sequence {finding.sequence}" if finding.chain else ""
        event = f", event {finding.event}" if finding.event else ""
        lines.append(f"  {finding.kind}:{where}{event}{':' if where else ''} {finding.what}")
    return lines
