import base64
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agentiam.environment import Environment, Unreadable, peppers_from, signing_key_from
from agentiam.keyfiles import MAKERS, keys_from

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys
from pathlib import Path
from agentiam.environment import Environment
from agentiam.keyfiles import keys_from
print(sorted(keys_from(Environment({}), Path(sys.argv[1]), may_make=True).items()))
"""


def test_keys_are_made_once_and_kept(tmp_path: Path) -> None:
    first = keys_from(Environment({}), tmp_path / "keys", may_make=True)
    assert keys_from(Environment({}), tmp_path / "keys", may_make=True) == first
    assert set(first) == set(MAKERS)


def test_only_their_owner_can_read_keys(tmp_path: Path) -> None:
    keys_from(Environment({}), tmp_path / "keys", may_make=True)
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "keys").iterdir()} == {0o600}
    assert len(list((tmp_path / "keys").iterdir())) == len(MAKERS), "drafts stay behind"


def test_processes_that_start_at_once_end_up_with_the_same_keys(tmp_path: Path) -> None:
    def start(_: int) -> str:
        command = [sys.executable, "-c", PROGRAM, str(tmp_path / "keys")]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(start, range(8)))) == 1


def test_threads_that_start_at_once_end_up_with_the_same_keys(tmp_path: Path) -> None:
    def start(number: int) -> tuple[tuple[str, str], ...]:
        return tuple(keys_from(Environment({}), tmp_path / str(number % 20), may_make=True).items())

    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(start, range(200)))) == 20


def test_what_is_made_can_be_read(tmp_path: Path) -> None:
    keys = keys_from(Environment({}), tmp_path / "keys", may_make=True)
    peppers = peppers_from("X", keys["AGENTIAM_CREDENTIAL_PEPPERS"])
    assert list(peppers) == [1]
    assert len(peppers[1]) == 32
    assert len(base64.b64decode(signing_key_from("X", keys["AGENTIAM_AUDIT_SIGNING_KEY"]))) == 32
    assert len(keys["AGENTIAM_SECRET_KEY"]) >= 50


def test_nothing_is_made_where_it_may_not_be(tmp_path: Path) -> None:
    given = {"AGENTIAM_SECRET_KEY": "given"}
    others = "AGENTIAM_CREDENTIAL_PEPPERS, AGENTIAM_AUDIT_SIGNING_KEY, AGENTIAM_CARD_SIGNING_KEY"
    missing = f"{others}, AGENTIAM_KEY_ENCRYPTION_KEYS are not set"
    with pytest.raises(Unreadable, match=missing):
        keys_from(Environment(given), tmp_path / "keys", may_make=False)
    assert not (tmp_path / "keys").exists()


def test_a_given_key_is_taken_before_a_kept_one(tmp_path: Path) -> None:
    keys_from(Environment({}), tmp_path / "keys", may_make=True)
    keys = keys_from(Environment({"AGENTIAM_SECRET_KEY": "given"}), tmp_path / "keys", may_make=True)
    assert keys["AGENTIAM_SECRET_KEY"] == "given"


def test_new_keys_are_printed_without_any_settings() -> None:
    done = subprocess.run([sys.executable, "-m", "agentiam.keyfiles"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert [line.partition("=")[0] for line in done.stdout.splitlines()] == list(MAKERS)
