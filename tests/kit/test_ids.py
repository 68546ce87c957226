"""Identifiers are unique, ordered, and not repeated by a forked process."""

import os
import threading
import time
from uuid import RFC_4122, UUID

from agentiam.kit.ids import uuid7


def test_identifiers_are_version_7_and_carry_the_time():
    before = time.time_ns() // 1_000_000
    found = uuid7()
    assert found.version == 7
    assert found.variant == RFC_4122
    assert before <= found.int >> 80 <= before + 5_000


def test_identifiers_increase_strictly():
    found = [uuid7() for _ in range(20_000)]
    assert found == sorted(set(found))


def test_threads_never_get_the_same():
    made: list[UUID] = []
    threads = [threading.Thread(target=lambda: made.extend([uuid7() for _ in range(2_000)])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 16_000


def test_a_forked_process_draws_its_own_noise():
    uuid7()
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.write(writer, uuid7().bytes)
        os._exit(0)
    os.waitpid(child, 0)
    theirs, ours = UUID(bytes=os.read(reader, 16)), uuid7()
    assert theirs.int & 0xFFFF_FFFF_FFFF != ours.int & 0xFFFF_FFFF_FFFF
