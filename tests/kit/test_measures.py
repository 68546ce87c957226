import json
import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from agentiam.kit import measures as module
from agentiam.kit.measures import Measures, everybody

ROOT = Path(__file__).resolve().parents[2]


def numbers(found):
    return {(series.name, tuple(sorted(series.labels.items()))): series.values for series in found}


def test_what_is_counted_is_read():
    own = Measures()
    own.counter("asked", effect="allow").add()
    own.counter("asked", effect="allow").add(2)
    own.counter("asked", effect="deny").add()
    own.gauge("waiting").set(7)
    own.gauge("waiting").set(5)
    assert numbers(own.own()) == {
        ("asked", (("effect", "allow"),)): (3.0,),
        ("asked", (("effect", "deny"),)): (1.0,),
        ("waiting", ()): (5.0,),
    }
    assert {series.process for series in own.own()} == {os.getpid()}


def test_a_histogram_counts_by_bounds_that_belong_to_the_bucket_below():
    own = Measures()
    seconds = own.histogram("seconds", (1, 2, 5))
    for value in (0.5, 1, 1.5, 5, 6, 100):
        seconds.observe(value)
    series = own.own()[0]
    assert (series.bounds, series.values) == ((1, 2, 5), (2, 1, 1, 2, 114.0))


def test_threads_lose_nothing():
    own = Measures()
    counter = own.counter("asked")

    def count(_):
        for _ in range(5_000):
            counter.add()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(count, range(8)))
    assert numbers(own.own())["asked", ()] == (40_000.0,)


def test_ever_new_names_do_not_fill_the_memory():
    own = Measures()
    for number in range(10_000):
        own.counter("asked", path=str(number)).add()
    assert len(own.own()) == 4_096
    own.histogram("seconds", (1,)).observe(1)
    assert len(own.own()) == 4_096


def test_what_was_counted_before_there_was_a_file_is_in_it(tmp_path):
    own = Measures()
    counter = own.counter("asked")
    counter.add(3)
    own.keep_in(tmp_path / "numbers")
    counter.add(4)
    own.counter("later").add()
    assert numbers(own.own()) == {("asked", ()): (7.0,), ("later", ()): (1.0,)}
    own.keep_in(tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere" / f"{os.getpid()}.numbers").exists()


def other_process(directory):
    program = f"""
        import sys
        from pathlib import Path
        from agentiam.kit.measures import Measures
        own = Measures()
        own.counter("asked", effect="allow").add(5)
        own.keep_in(Path({str(directory)!r}))
        own.histogram("seconds", (1.0,)).observe(0.5)
        print("ready", flush=True)
        sys.stdin.readline()
        own.counter("asked", effect="allow").add(1)
        print("counted", flush=True)
        sys.stdin.readline()
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    return process


def tell(process):
    process.stdin.write("\n")
    process.stdin.flush()


def test_one_process_answers_for_all_at_once_and_for_none_that_has_ended(tmp_path):
    own = Measures()
    own.counter("asked", effect="allow").add(2)
    own.keep_in(tmp_path)
    process = other_process(tmp_path)
    theirs = [series for series in everybody(tmp_path, own) if series.process == process.pid]
    assert numbers(theirs) == {("asked", (("effect", "allow"),)): (5.0,), ("seconds", ()): (1.0, 0.0, 0.5)}
    tell(process)
    assert process.stdout.readline() == "counted\n"
    found = {series.process: series.values for series in everybody(tmp_path, own) if series.name == "asked"}
    assert found == {os.getpid(): (2.0,), process.pid: (6.0,)}
    process.kill()
    process.communicate()
    assert {series.process for series in everybody(tmp_path, own)} == {os.getpid()}
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{os.getpid()}.names", f"{os.getpid()}.numbers"]


def test_only_its_owner_may_read_the_file(tmp_path):
    own = Measures()
    own.keep_in(tmp_path / "numbers")
    assert (tmp_path / "numbers").stat().st_mode & 0o777 == 0o700
    for path in (tmp_path / "numbers").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600


def test_the_child_of_a_fork_counts_for_itself(tmp_path):
    own = Measures()
    counter = own.counter("asked")
    counter.add(3)
    own.keep_in(tmp_path)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        counter.add()
        os.write(writing, json.dumps([series.values for series in own.own()]).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert json.loads(os.read(reading, 1000)) == [[1.0]]
    assert numbers(own.own())["asked", ()] == (3.0,)


def test_a_file_that_is_half_there_is_passed_over(tmp_path):
    own = Measures()
    (tmp_path / "garbage.numbers").write_bytes(b"")
    (tmp_path / "1.names").write_text("[")
    assert everybody(tmp_path, own) == []


def test_where_files_cannot_be_locked_a_process_answers_for_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "fcntl", None)
    own = Measures()
    own.keep_in(tmp_path / "numbers")
    own.counter("asked").add()
    assert not (tmp_path / "numbers").exists()
    assert numbers(everybody(tmp_path / "numbers", own)) == {("asked", ()): (1.0,)}
