"""Machine-wide slots for hashing: as many hashes at a time as there are cores, however many workers there are."""

import contextlib
import ctypes
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

# What cannot block is called with the GIL held. fcntl.flock lets go of it, and a thread of low priority beside a busy
# event loop may wait milliseconds to have it back, four times for each hash.
_flock: Final = ctypes.PyDLL(None, use_errno=True).flock
_flock.argtypes = (ctypes.c_int, ctypes.c_int)
_flock.restype = ctypes.c_int

_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class HashSlots:
    """One thread's view of the slots in a directory that the machine's workers share.

    A slot is a file held by an exclusive `flock`, which the kernel frees when its holder dies, however it dies. Every
    thread opens the files for itself, so that threads of one process exclude each other as processes do. The directory
    must be on a local file system and belong to the user that runs the workers.

    Beside each slot stands a queue file: whoever wants the slot holds the queue first. So a slot that somebody waits
    for is nobody else's, and those who want it take turns. Without it, the thread that has just freed a slot may have
    it again before the kernel has woken another: runs of 16 were seen.
    """

    __slots__ = ("_home", "_slots")

    def __init__(self, directory: Path, count: int, home: int) -> None:
        """Open `count` slots; `home` modulo `count` is the one this thread waits at. Raises OSError."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = directory.stat()
        if state.st_uid != os.geteuid() or state.st_mode & 0o022:
            # Whoever may write here may hold every slot for ever.
            raise PermissionError(f"{directory} must belong to the user that serves, and be written by nobody else")
        self._home = home % count
        self._slots = [(_open(directory / f"slot-{n}"), _open(directory / f"queue-{n}")) for n in range(count)]

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold a slot: any that is free and unclaimed, the home slot first, else wait for the home slot."""
        slot = self._take_free()
        if slot is None:
            slot = self._wait()
        try:
            yield
        finally:
            _unlock(slot)

    def close(self) -> None:
        """Close the files, which frees whatever this thread held."""
        for pair in self._slots:
            for descriptor in pair:
                os.close(descriptor)
        self._slots.clear()

    def _take_free(self) -> int | None:
        for slot, queue in (*self._slots[self._home :], *self._slots[: self._home]):
            if not _try_lock(queue):
                continue
            taken = _try_lock(slot)
            _unlock(queue)
            if taken:
                return slot
        return None

    def _wait(self) -> int:
        slot, queue = self._slots[self._home]
        fcntl.flock(queue, fcntl.LOCK_EX)
        try:
            fcntl.flock(slot, fcntl.LOCK_EX)
        finally:
            _unlock(queue)
        return slot


def _open(path: Path) -> int:
    return os.open(path, _FLAGS, 0o600)


def _try_lock(descriptor: int) -> bool:
    if _flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EINTR):
        return False
    raise OSError(number, os.strerror(number))


def _unlock(descriptor: int) -> None:
    _flock(descriptor, fcntl.LOCK_UN)
