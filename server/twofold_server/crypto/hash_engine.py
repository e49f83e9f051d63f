"""The password engine: hashing in threads of its own, off the event loop, admitted before any work is done."""

import asyncio
import contextlib
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, Generic, ParamSpec, TypeVar

from twofold_server.crypto.allocator import tune_allocator
from twofold_server.crypto.hash_slots import HashSlots
from twofold_server.crypto.passwords import (
    BcryptCost,
    HashParameters,
    check_hash,
    decoy,
    is_outdated,
    make_hash,
    parse_stored,
)

_P = ParamSpec("_P")
_T = TypeVar("_T")

_PRIORITY_STEP: Final = 5
_MAX_PER_ACCOUNT: Final = 5
_FIRST_GUESS_SECONDS: Final = 0.05
_SMOOTHING: Final = 0.1
_MIN_RETRY_SECONDS: Final = 0.5
_MAX_RETRY_SECONDS: Final = 30.0
_CLOSE_SECONDS: Final = 5.0


class HashQueueFull(Exception):
    """No more work is taken at present; ask again after `retry_after_seconds`."""

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__("the password engine takes no more work at present")
        self.retry_after_seconds = retry_after_seconds


class AccountBusy(HashQueueFull):
    """Five hashes of this account are in flight already, for devices of the same sort, known or not."""


class HashEngineClosed(HashQueueFull):
    """The engine was closed before it came to this."""


class _Job(Generic[_T]):
    __slots__ = ("account", "future", "known_device", "work")

    def __init__(
        self, work: Callable[[], _T], future: "asyncio.Future[_T]", account: str | None, known_device: bool
    ) -> None:
        self.work = work
        self.future = future
        self.account = account
        self.known_device = known_device


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


class HashEngine:
    """Hashes and checks passwords, at most as many at a time on the whole machine as there are slots.

    Belongs to one event loop and one process: make it after any fork. Its methods raise HashQueueFull before any work
    when `queue_limit` waits; a quarter of that is kept for known devices, whose work and that of others is taken in
    turns, so that a flood from unknown devices delays the owners by one hash, not by the whole queue. A caller that is
    cancelled while it waits is not hashed for.
    """

    def __init__(
        self,
        parameters: HashParameters | None = None,
        *,
        slots_directory: Path,
        slots: int | None = None,
        queue_limit: int = 64,
    ) -> None:
        """Start the threads. `slots` defaults to the cores this process may use, and must be the same in all workers.

        Raises OSError if the slot files cannot be opened.
        """
        self.parameters = HashParameters() if parameters is None else parameters
        self._count = slots or available_cores()
        self._limit = queue_limit
        self._limit_unknown = queue_limit - max(1, queue_limit // 4)
        self._waiting: dict[bool, deque[_Job[Any]]] = {True: deque(), False: deque()}
        self._known_next = True
        self._accounts: dict[tuple[str, bool], int] = {}
        self._in_flight = 0
        self._expected = 0
        self._mean_seconds = _FIRST_GUESS_SECONDS
        self._closed = False
        # One token for each job. The jobs themselves stand in deques, whose single operations need no lock of ours: the
        # loop would have to wait for it behind a thread of lower priority.
        self._tokens: SimpleQueue[bool] = SimpleQueue()
        tune_allocator(self.parameters.memory_kib)
        # Opened here, so that a directory that does not work ends the start and not the first sign-in.
        views = [HashSlots(slots_directory, self._count, home) for home in range(self._count)]
        self._threads = [
            threading.Thread(target=self._serve, args=(view,), name=f"hash-{number}", daemon=True)
            for number, view in enumerate(views)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def queued(self) -> int:
        """How many jobs wait for a thread or slot."""
        return len(self._waiting[True]) + len(self._waiting[False])

    @property
    def in_flight(self) -> int:
        """How many jobs were taken and have not ended, those that wait among them."""
        return self._in_flight

    async def hash(self, password: str, *, account: str | None = None, known_device: bool = False) -> bytes:
        """Hash an NFC-normalised password with the engine's parameters. Raises HashQueueFull or AccountBusy.

        `account` is what at most five hashes in flight are counted by, those for known devices apart, or a stranger's
        guesses would keep the owner out. For a sign-in use something made of the identifier, whether it has an account
        or not, so that the refusal is the same for both.
        """
        parameters = self.parameters
        return await self._submit(lambda: make_hash(password, parameters), account, known_device)

    async def verify(
        self, stored: bytes | str, password: str, *, account: str | None = None, known_device: bool = False
    ) -> bool:
        """Say whether the password is the one hashed. Raises as `hash` does, and PasswordHashError before any work."""
        parsed = parse_stored(stored)
        return await self._submit(lambda: check_hash(parsed, password), account, known_device)

    async def decoy(
        self,
        parameters: HashParameters | BcryptCost | None,
        password: str,
        *,
        account: str | None = None,
        known_device: bool = False,
    ) -> None:
        """Do for an identifier without an account what `verify` does for a hash of these parameters (None: today's)."""
        parsed = decoy(self.parameters if parameters is None else parameters)
        await self._submit(lambda: check_hash(parsed, password), account, known_device)

    @contextlib.contextmanager
    def expected(self, *, account: str | None = None, known_device: bool = False) -> Iterator[None]:
        """Count a hash that will be asked for after the block, as if it waited already; raise what asking now would.

        Around the read that comes before the hash: the excess of a burst is then refused before it reads, not after.
        Where a known device is only claimed (`known_device`) nothing is counted: made-up claims would keep owners out.
        """
        self._admit(account, known_device)
        if known_device:
            yield
            return
        idle = self._count - (self._in_flight - self.queued)
        if len(self._waiting[False]) + self._expected >= self._limit_unknown + idle:
            raise HashQueueFull(self._retry_after(self.queued + self._expected))
        self._expected += 1
        self._count_for(account, known_device)
        try:
            yield
        finally:
            self._expected -= 1
            self._uncount_for(account, known_device)

    def needs_rehash(self, stored: bytes | str) -> bool:
        """Say whether a sign-in should replace this hash. Raises PasswordHashError."""
        return is_outdated(parse_stored(stored), self.parameters)

    async def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run other slow work of sign-in (password advice, a QR code) in the engine's threads. Raises HashQueueFull."""
        return await self._submit(lambda: function(*args, **kwargs), None, False)

    async def close(self) -> None:
        """Take no more work, let what runs finish, and end the threads. What still waited gets HashEngineClosed."""
        self._closed = True
        for waiting in self._waiting.values():
            while waiting:
                job = waiting.popleft()
                self._settle(job, None, HashEngineClosed(_MIN_RETRY_SECONDS))
        for _ in self._threads:
            self._tokens.put(False)
        for thread in self._threads:
            # A worker stopped by a debugger may hold a slot for ever; its neighbours must still be able to end.
            await asyncio.to_thread(thread.join, _CLOSE_SECONDS)

    async def _submit(self, work: Callable[[], _T], account: str | None, known_device: bool) -> _T:
        self._admit(account, known_device)
        loop = asyncio.get_running_loop()
        job: _Job[_T] = _Job(work, loop.create_future(), account, known_device)
        self._in_flight += 1
        self._count_for(account, known_device)
        self._waiting[known_device].append(job)
        self._tokens.put(True)
        try:
            return await job.future
        except asyncio.CancelledError:
            self._withdraw(job)
            raise

    def _admit(self, account: str | None, known_device: bool) -> None:
        if self._closed:
            raise HashEngineClosed(_MIN_RETRY_SECONDS)
        if self.queued >= self._limit or (not known_device and len(self._waiting[False]) >= self._limit_unknown):
            raise HashQueueFull(self._retry_after(self.queued))
        if account is not None and self._accounts.get((account, known_device), 0) >= _MAX_PER_ACCOUNT:
            raise AccountBusy(self._retry_after(_MAX_PER_ACCOUNT))

    def _count_for(self, account: str | None, known_device: bool) -> None:
        if account is not None:
            counted = account, known_device
            self._accounts[counted] = self._accounts.get(counted, 0) + 1

    def _uncount_for(self, account: str | None, known_device: bool) -> None:
        if account is not None:
            counted = account, known_device
            left = self._accounts[counted] - 1
            if left:
                self._accounts[counted] = left
            else:
                del self._accounts[counted]

    def _retry_after(self, jobs: int) -> float:
        seconds = jobs * self._mean_seconds / self._count
        return min(max(seconds, _MIN_RETRY_SECONDS), _MAX_RETRY_SECONDS)

    def _withdraw(self, job: _Job[_T]) -> None:
        try:
            self._waiting[job.known_device].remove(job)
        except ValueError:
            return  # a thread has it, and settles it
        self._settle(job, None, None)

    def _settle(self, job: _Job[_T], result: _T | None, error: BaseException | None) -> None:
        """End a job, on the loop's thread."""
        self._in_flight -= 1
        self._uncount_for(job.account, job.known_device)
        if job.future.done():
            return
        if error is not None:
            job.future.set_exception(error)
        else:
            job.future.set_result(result)  # type: ignore[arg-type]  # without an error there is a result

    def _finish(self, job: _Job[Any], result: object, error: BaseException | None, seconds: float) -> None:
        self._mean_seconds += _SMOOTHING * (seconds - self._mean_seconds)
        self._settle(job, result, error)

    def _serve(self, slots: HashSlots) -> None:
        """Run jobs, in a thread of lower priority, so that checks and new calls stay quick while all cores hash."""
        if sys.platform == "linux":
            own = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, own, os.getpriority(os.PRIO_PROCESS, own) + _PRIORITY_STEP)
        while self._tokens.get():
            if not self.queued:
                continue  # withdrawn meanwhile
            started = time.monotonic()
            job: _Job[Any] | None = None
            result: object = None
            error: BaseException | None = None
            try:
                # The slot first, then the job: what is cancelled or outranked meanwhile is not what gets the slot.
                with slots.held():
                    job = self._next_job()
                    if job is not None:
                        started = time.monotonic()
                        result = job.work()
            except BaseException as raised:  # noqa: BLE001 - it is the caller's, and the thread goes on
                error = raised
                job = job or self._next_job()
            if job is not None:
                self._report(job, result, error, time.monotonic() - started)
            del job, result, error  # or the thread would keep the password until its next job
        slots.close()

    def _report(self, job: _Job[Any], result: object, error: BaseException | None, seconds: float) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            job.future.get_loop().call_soon_threadsafe(self._finish, job, result, error, seconds)

    def _next_job(self) -> _Job[Any] | None:
        known_first, self._known_next = self._known_next, not self._known_next
        for known in (known_first, not known_first):
            try:
                return self._waiting[known].popleft()
            except IndexError:
                continue
        return None
