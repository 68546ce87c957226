"""Verifies an exported log or proof on any machine, without Django or a database: ``python -m audit.offline FILE [--key KEY]``.

Without ``--key`` the signatures are verified against the key in the file itself: that finds accidents, and not a forger who
signed the whole file anew. Exit status: 0 whole, 1 broken, 2 not readable.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from audit import statements
from audit.chain import BadKey, PublicKey, parse_canonical
from audit.verification import Report, Verifier, describe

FORMAT: Final = "agentiam-log/1"

_RECORD: Final = b',"record":'
_CHECKPOINT: Final = b',"checkpoint":'


class NotAnExport(ValueError):
    """The file is not an exported log."""


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            yield number, line.rstrip(b"\n")


def _header(path: Path) -> tuple[str, dict[str, PublicKey]]:
    try:
        header = json.loads(next(_lines(path))[1])
        if header["format"] != FORMAT:
            raise NotAnExport(f"the format {header['format']!r} is not {FORMAT}")
        keys = [PublicKey.from_jwk(jwk) for jwk in header["keys"]]
        return str(header["organization"]), {key.id: key for key in keys}
    except (StopIteration, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NotAnExport(f"the first line is not the header of an exported log: {error}") from error


def _split(line: bytes, marker: bytes) -> tuple[dict[str, Any], bytes]:
    """A line's own members, and the raw bytes of the last, which is what was hashed or signed."""
    members, _, raw = line.partition(marker)
    found = json.loads(members + b"}")
    if not isinstance(found, dict) or not raw.endswith(b"}"):
        raise ValueError("not a line of an exported log")
    return found, raw[:-1]


def _feed_statement(verifier: Verifier, line: bytes, organization: str) -> None:
    """Take a line that is no record: a checkpoint or a head. Raises ValueError, KeyError or TypeError for anything else."""
    if _CHECKPOINT in line:
        members, raw = _split(line, _CHECKPOINT)
        verifier.checkpoint(
            raw, stored_hash=members["hash"], key_id=str(members["key_id"]), signature=str(members["signature"])
        )
        return
    head = parse_canonical(line)["head"]
    if head.keys() != {"id", "sequence", "hash"}:
        raise ValueError("not the head of a chain")
    verifier.head(
        chain=str(head["id"]), organization=organization, sequence=int(head["sequence"]), record_hash=str(head["hash"])
    )


def _is_record(line: bytes) -> bool:
    return line[:9] == b'{"hash":"' and line[73:84] == b'"' + _RECORD and line[-1:] == b"}"


def verify_file(path: Path, *, pinned: PublicKey | None = None) -> Report:
    """Verify an exported log; only ``pinned`` may have signed it, or without it any key that the file names.

    The file is read twice: what the checkpoints at its end swear is held against the records. Raises NotAnExport and OSError.
    """
    organization, keys = _header(path)
    if pinned is not None:
        keys = {pinned.id: pinned}
    verifier = Verifier(organization, keys=keys, trusted=keys.keys(), closed=True)
    for number, line in _lines(path):
        if number == 1 or _is_record(line):
            continue
        try:
            _feed_statement(verifier, line, organization)
        except (ValueError, KeyError, TypeError, RecursionError):
            verifier.unreadable(f"line {number} is neither a record nor a head nor a checkpoint")
    for _, line in _lines(path):
        if _is_record(line):
            verifier.record(line[84:-1], stored_hash=line[9:73].decode("ascii", "replace"))
    return verifier.report()


def _read_key(text: str) -> PublicKey:
    path = Path(text)
    try:
        return PublicKey.from_text(path.read_text("utf-8") if path.is_file() else text)
    except (BadKey, OSError, UnicodeDecodeError) as error:
        raise argparse.ArgumentTypeError(f"not an Ed25519 public key: {error}") from error


def _proof(path: Path) -> bytes | None:
    """Read the file if it is a proof, which is one short line; an exported log may be long and is read piece by piece."""
    with path.open("rb") as file:
        start = file.read(64)
        return start + file.read() if statements.is_proof(start) else None


def _say(verdict: statements.Verdict, trust: str, *, as_json: bool) -> int:
    sys.stdout.write((statements.as_json(verdict) if as_json else "\n".join([*statements.describe(verdict), trust])) + "\n")
    return 0 if verdict.genuine else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify the file that the command line names, say what was found, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m audit.offline", description="Verify an exported event log or proof.")
    parser.add_argument("file", type=Path, help="the exported log or proof")
    parser.add_argument("--key", type=_read_key, help="the only public key to trust: a file or text; PEM, JWK or base64")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    options = parser.parse_args(arguments)
    pinned = options.key is not None
    trust = (
        "verified against the key given" if pinned else "verified against the key in the file itself, which proves no origin"
    )
    try:
        proof = _proof(options.file)
        if proof is not None:
            return _say(statements.verify_file(proof, pinned=options.key), trust, as_json=options.json)
        report = verify_file(options.file, pinned=options.key)
    except statements.NotAProof as error:
        sys.stderr.write(f"{options.file} is no exported proof: {error}.\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"{options.file} cannot be read: {error.strerror or error}.\n")
        return 2
    except NotAnExport as error:
        sys.stderr.write(f"{options.file}: {error}\n")
        return 2
    if options.json:
        sys.stdout.write(json.dumps({**asdict(report), "whole": report.whole, "key_pinned": pinned}) + "\n")
    else:
        sys.stdout.write("\n".join([*describe(report), trust]) + "\n")
    return 0 if report.whole else 1


if __name__ == "__main__":
    raise SystemExit(main())
