import contextlib
import fcntl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from twofold_server.crypto.hash_slots import HashSlots

HOLDER = """
import sys, time
from pathlib import Path
from twofold_server.crypto.hash_slots import HashSlots
with HashSlots(Path(sys.argv[1]), 1, 0).held():
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "a" / "slots"


@contextlib.contextmanager
def another_process_holding(directory: Path) -> Iterator[subprocess.Popen[str]]:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(directory)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder
    finally:
        holder.kill()
        holder.communicate()


def test_no_more_hold_a_slot_than_there_are(directory: Path) -> None:
    """Of six threads of one process never more than two are inside at a time, and all come in."""
    inside, most, entered = 0, 0, 0
    guard = threading.Lock()

    def work(home: int) -> None:
        nonlocal inside, most, entered
        slots = HashSlots(directory, 2, home)
        for _ in range(20):
            with slots.held():
                with guard:
                    inside, entered = inside + 1, entered + 1
                    most = max(most, inside)
                time.sleep(0.001)
                with guard:
                    inside -= 1
        slots.close()

    threads = [threading.Thread(target=work, args=(home,)) for home in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert entered == 120
    assert most == 2


def test_a_slot_that_somebody_waits_for_is_left_to_him(directory: Path) -> None:
    """Whoever comes later takes another slot, although the one waited for has just become free."""
    slots = HashSlots(directory, 2, 0)
    with (directory / "queue-0").open("r+") as queue, (directory / "slot-0").open("r+") as slot:
        fcntl.flock(queue, fcntl.LOCK_EX)
        with slots.held():
            fcntl.flock(slot, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with (directory / "slot-1").open("r+") as other, pytest.raises(BlockingIOError):
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    slots.close()


def test_a_greedy_holder_starves_nobody(directory: Path) -> None:
    """A thread that takes the slot again at once lets one that waits have it: one turn each, not hundreds to none."""
    turns = {"greedy": 0, "patient": 0}
    stop = threading.Event()

    def work(name: str) -> None:
        slots = HashSlots(directory, 1, 0)
        while not stop.is_set():
            with slots.held():
                turns[name] += 1
                time.sleep(0.002)
        slots.close()

    threads = [threading.Thread(target=work, args=(name,)) for name in turns]
    for thread in threads:
        thread.start()
    time.sleep(0.6)
    stop.set()
    for thread in threads:
        thread.join(10)
    assert min(turns.values()) * 3 > max(turns.values())


def test_a_slot_is_freed_when_its_holder_is_killed(directory: Path) -> None:
    """A slot held by another process is waited for, and free as soon as that process is killed."""
    slots = HashSlots(directory, 1, 0)
    got = threading.Event()

    def work() -> None:
        with slots.held():
            got.set()

    with another_process_holding(directory) as holder:
        thread = threading.Thread(target=work)
        thread.start()
        assert not got.wait(0.3)
        holder.kill()
        assert got.wait(5)
        thread.join(5)
    slots.close()


def test_any_free_slot_is_taken(directory: Path) -> None:
    """A thread whose home slot is taken runs in another that is free."""
    first, second = HashSlots(directory, 2, 0), HashSlots(directory, 2, 0)
    with first.held(), second.held():
        pass
    first.close()
    second.close()


def test_a_slot_is_freed_by_an_error(directory: Path) -> None:
    """An error inside frees the slot."""
    slots = HashSlots(directory, 1, 0)
    with pytest.raises(RuntimeError), slots.held():
        raise RuntimeError
    with slots.held():
        pass
    slots.close()


def test_the_files_are_the_user_s_own(directory: Path) -> None:
    """Directory and files are open to their owner alone, and a planted link is not followed."""
    HashSlots(directory, 1, 0).close()
    assert directory.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}
    target = directory.parent / "target"
    (directory / "slot-1").symlink_to(target)
    with pytest.raises(OSError, match="symbolic"):
        HashSlots(directory, 2, 0)
    assert not target.exists()
    assert list(directory.parent.iterdir()) == [directory]
