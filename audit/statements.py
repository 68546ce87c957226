"""A statement's signature is Ed25519 over its canonical bytes (RFC 8785), which name the key; its file is canonical too.

So no byte of such a file can change without being found. This module needs neither Django nor a database: whoever has the file
and the public key can check it.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from agentiam.kit.canonical import canonical_bytes
from audit.chain import VERSION, BadKey, NotCanonical, PublicKey, Signer, digest, instant, parse_canonical

FORMAT: Final = "agentiam-proof/1"

_FILE: Final = frozenset({"format", "hash", "key", "signature", "statement"})
# No checkpoint has these members, and no statement a checkpoint's, so that neither can be passed off as the other.
_STATEMENT: Final = frozenset({"v", "statement", "id", "organization", "target", "at", "content", "key_id"})
_TARGET: Final = frozenset({"type", "id", "label"})
_KIND: Final = re.compile(r"[a-z]+(?:_[a-z]+)*")


class NotAProof(ValueError):
    """The file is not an exported statement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What is sworn: of which kind, about what, when; ``content`` is JSON data, and says the rest."""

    id: str
    kind: str
    organization: str
    target_type: str
    target_id: str
    target_label: str
    at: datetime
    content: Mapping[str, Any]

    def stored(self, *, key_id: str) -> bytes:
        """Write the bytes that are signed with the key of that id; raises ValueError for what is no statement."""
        if not _KIND.fullmatch(self.kind):
            raise ValueError(f"{self.kind!r} is not a kind of statement")
        return canonical_bytes(
            {
                "v": VERSION,
                "statement": self.kind,
                "id": self.id,
                "organization": self.organization,
                "target": {"type": self.target_type, "id": self.target_id, "label": self.target_label},
                "at": instant(self.at),
                "content": dict(self.content),
                "key_id": key_id,
            }
        )


@dataclass(slots=True)
class Verdict:
    """What was found wrong with a statement; nothing, and it is genuine. ``body`` is what it says, as far as it can be read."""

    problems: list[str] = field(default_factory=list)
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def genuine(self) -> bool:
        """Whether a trusted key signed exactly this."""
        return not self.problems


def verify(
    stored: bytes, *, stored_hash: str, key_id: str, signature: str, keys: Mapping[str, PublicKey], trusted: Collection[str]
) -> Verdict:
    """Check a statement's bytes, hash and signature against the keys at hand, of which some are trusted."""
    verdict = Verdict()
    try:
        verdict.body = parse_canonical(stored)
    except NotCanonical as error:
        verdict.problems.append(f"the statement cannot be read: {error}")
        return verdict
    verdict.problems += _misshapen(verdict.body)
    if digest(stored) != stored_hash:
        verdict.problems.append("the hash is not that of the statement")
    if verdict.body.get("key_id") != key_id:
        verdict.problems.append("the statement names another key than the one that is said to have signed it")
    if key_id not in trusted:
        verdict.problems.append(f"the key {key_id} is not trusted")
    key = keys.get(key_id)
    if key is None:
        verdict.problems.append(f"the key {key_id} is not at hand")
    elif not key.verifies(stored, signature):
        verdict.problems.append("the signature is not that of the key over the statement")
    return verdict


def sign(statement: Statement, signer: Signer) -> tuple[bytes, str, str]:
    """Answer a statement's bytes, their hash and the signature over them."""
    stored = statement.stored(key_id=signer.public.id)
    return stored, digest(stored), signer.sign(stored)


def proof_file(stored: bytes, *, signature: str, key: PublicKey) -> bytes:
    """Write a statement with its signature and the key's public half as one line of canonical JSON."""
    members = {
        "format": FORMAT,
        "hash": digest(stored),
        "key": key.jwk,
        "signature": signature,
        "statement": parse_canonical(stored),
    }
    return canonical_bytes(members) + b"\n"


def is_proof(content: bytes) -> bool:
    """Tell whether a file is meant to be an exported statement, whole or not."""
    return content.startswith(b'{"format":"' + FORMAT.partition("/")[0].encode("ascii"))


def verify_file(content: bytes, *, pinned: PublicKey | None = None, trusted: Collection[str] = ()) -> Verdict:
    """Check an exported statement: only ``pinned`` may have signed it, or a key whose id is ``trusted``.

    With neither, the key in the file counts, which finds accidents and no forger. Raises NotAProof.
    """
    if not content.endswith(b"\n"):
        raise NotAProof("it does not end as a proof ends")
    try:
        members = parse_canonical(content[:-1])
        if members.keys() != _FILE or members["format"] != FORMAT:
            raise NotAProof(f"it is not of the format {FORMAT}")
        named = PublicKey.from_jwk(members["key"])
        if named.jwk != members["key"]:
            raise NotAProof("the key has members that it should not have")
        stored = canonical_bytes(members["statement"])
    except (NotCanonical, BadKey, TypeError, AttributeError) as error:
        raise NotAProof(f"it cannot be read as one: {error}") from error
    counting = {pinned.id} if pinned is not None else set(trusted) or {named.id}
    known = [named] if pinned is None else [named, pinned]
    return verify(
        stored,
        stored_hash=str(members["hash"]),
        key_id=named.id,
        signature=str(members["signature"]),
        keys={key.id: key for key in known},
        trusted=counting,
    )


def describe(verdict: Verdict) -> list[str]:
    """Say in lines what a statement is about, and what is wrong with it."""
    if not verdict.genuine:
        return ["not genuine", *(f"  {problem}" for problem in verdict.problems)]
    body = verdict.body
    target, content = body["target"], body["content"]
    lines = [f"genuine: {body['statement']} of {target['type']} {target['id']} ({target['label']}) at {body['at']}"]
    for name in ("ended", "remaining"):
        counts = content.get(name)
        if isinstance(counts, dict):
            said = ", ".join(f"{kind} {len(of) if isinstance(of, list) else of}" for kind, of in sorted(counts.items()))
            lines.append(f"  {name}: {said}")
    elsewhere = content.get("elsewhere")
    if isinstance(elsewhere, list):
        lines += [f"  at the partner {each['organization']}: left to the job {each['job']}" for each in elsewhere]
    return lines


def as_json(verdict: Verdict) -> str:
    """Say the same for a program."""
    return json.dumps({"genuine": verdict.genuine, "problems": verdict.problems, "statement": verdict.body})


def _misshapen(body: Mapping[str, Any]) -> list[str]:
    target = body.get("target")
    fits = (
        body.keys() == _STATEMENT
        and body["v"] == VERSION
        and isinstance(target, dict)
        and target.keys() == _TARGET
        and isinstance(body["content"], dict)
        and isinstance(body["statement"], str)
    )
    return [] if fits else ["this is not a statement"]
