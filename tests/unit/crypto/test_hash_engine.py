import asyncio
import contextlib
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import pytest_asyncio

from twofold_server.crypto.hash_engine import AccountBusy, HashEngine, HashEngineClosed, HashQueueFull
from twofold_server.crypto.passwords import AbsurdCost, BcryptCost, HashParameters, UnsupportedHash, make_hash

CHEAP = HashParameters(8, 1, 1)


@pytest_asyncio.fixture
async def engine(tmp_path: Path) -> AsyncIterator[HashEngine]:
    made = HashEngine(CHEAP, slots_directory=tmp_path, slots=1, queue_limit=8)
    yield made
    await made.close()


class Gate:
    """Work that holds the engine's only thread until it is opened."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def work(self) -> None:
        self.entered.set()
        assert self.opened.wait(10)

    async def hold(self, engine: HashEngine) -> "asyncio.Task[None]":
        task = asyncio.create_task(engine.run(self.work))
        await asyncio.to_thread(self.entered.wait, 10)
        return task


@pytest_asyncio.fixture
async def gate(engine: HashEngine) -> AsyncIterator[Gate]:
    made = Gate()
    task = await made.hold(engine)
    yield made
    made.opened.set()
    await task


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_passwords_are_hashed_and_verified(engine: HashEngine) -> None:
    """What the engine hashed it verifies, and nothing else."""
    stored = await engine.hash("correct horse", account="a")
    assert stored.startswith(b"$argon2id$v=19$m=8,t=1,p=1$")
    assert await engine.verify(stored, "correct horse", account="a", known_device=True)
    assert not await engine.verify(stored, "correct horsf", account="a")
    assert not engine.needs_rehash(stored)
    assert engine.needs_rehash("$2b$10$" + "." * 53)
    assert (engine.queued, engine.in_flight) == (0, 0)


async def test_a_decoy_answers_nothing(engine: HashEngine) -> None:
    """A decoy of any parameters ends without a verdict."""
    for parameters in (None, HashParameters(16, 1, 1), BcryptCost(4)):
        await engine.decoy(parameters, "password", account="a")
    assert engine.in_flight == 0


async def test_a_stored_hash_is_refused_before_it_is_queued(engine: HashEngine, gate: Gate) -> None:
    """An absurd or unsupported stored hash is refused although the only thread is busy."""
    with pytest.raises(AbsurdCost):
        await engine.verify(b"$2b$15$" + b"." * 53, "x", account=None)
    with pytest.raises(UnsupportedHash):
        await engine.verify(b"plain", "x", account=None)
    assert engine.queued == 0


async def test_work_runs_off_the_loop_and_its_errors_come_back(engine: HashEngine) -> None:
    """A function runs in a hash thread with its arguments; what it raises, the caller gets, and the thread goes on."""

    def where(prefix: str, *, suffix: str) -> str:
        return prefix + threading.current_thread().name + suffix

    assert await engine.run(where, "<", suffix=">") == "<hash-0>"
    with pytest.raises(ZeroDivisionError):
        await engine.run(lambda: 1 / 0)
    with pytest.raises(SystemExit):
        await engine.run(sys.exit)
    assert await engine.run(where, "<", suffix=">") == "<hash-0>"


@pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities of their own on Linux")
async def test_hash_threads_have_lower_priority(engine: HashEngine) -> None:
    """A hash thread's niceness is five more than the loop's."""

    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    assert await engine.run(niceness) == min(niceness() + 5, 19)


async def test_a_full_queue_refuses_at_once_and_keeps_room_for_known_devices(engine: HashEngine, gate: Gate) -> None:
    """Of eight places six are open to all and two more to known devices; the rest is told when to come again."""
    waiting = [asyncio.create_task(engine.hash("x", account=None)) for _ in range(6)]
    await settle()
    with pytest.raises(HashQueueFull) as caught:
        await engine.hash("x", account=None)
    assert 0 < caught.value.retry_after_seconds <= 30
    waiting += [asyncio.create_task(engine.hash("x", account=None, known_device=True)) for _ in range(2)]
    await settle()
    with pytest.raises(HashQueueFull):
        await engine.hash("x", account=None, known_device=True)
    assert engine.queued == 8
    gate.opened.set()
    assert len(await asyncio.gather(*waiting)) == 8
    assert engine.queued == 0


async def test_a_burst_is_refused_before_it_reads(engine: HashEngine, gate: Gate) -> None:
    """What still reads for its hash counts as if it waited, but not who claims a known device; and it is let go of."""
    with contextlib.ExitStack() as reading:
        for number in range(6):
            reading.enter_context(engine.expected(account=f"a{number}"))
        with pytest.raises(HashQueueFull) as refusal:
            reading.enter_context(engine.expected(account="a6"))
        assert refusal.value.retry_after_seconds > 0
        for number in range(20):
            reading.enter_context(engine.expected(account=f"k{number}", known_device=True))
    with engine.expected(account="a7"):
        pass
    gate.opened.set()
    assert await engine.verify(await engine.hash("x", account="a0"), "x", account="a0")


async def test_what_runs_does_not_take_the_place_of_what_may_wait(engine: HashEngine) -> None:
    """With an idle thread one more may read than may wait."""
    with contextlib.ExitStack() as reading:
        for number in range(7):
            reading.enter_context(engine.expected(account=f"a{number}"))
        with pytest.raises(HashQueueFull):
            reading.enter_context(engine.expected(account="a7"))


async def test_five_may_read_for_an_account(engine: HashEngine) -> None:
    """Reads for the hashes of one account count as its hashes do, so that a flood at it leaves room for others."""
    with contextlib.ExitStack() as reading:
        for _ in range(5):
            reading.enter_context(engine.expected(account="a"))
        with pytest.raises(AccountBusy):
            reading.enter_context(engine.expected(account="a"))
        reading.enter_context(engine.expected(account="b"))
    with engine.expected(account="a"):
        pass


async def test_known_devices_are_served_in_turn(engine: HashEngine, gate: Gate) -> None:
    """A known device that comes after six unknown ones waits for one of them at most."""
    order: list[str] = []

    async def one(name: str, known: bool) -> None:
        await engine.hash("x", account=None, known_device=known)
        order.append(name)

    tasks = [asyncio.create_task(one("unknown", False)) for _ in range(6)]
    await settle()
    tasks.append(asyncio.create_task(one("known", True)))
    await settle()
    gate.opened.set()
    await asyncio.gather(*tasks)
    assert order.index("known") <= 1


async def test_an_account_has_at_most_five_hashes_in_flight(engine: HashEngine, gate: Gate) -> None:
    """The sixth hash of one account is refused, another account's and that of the owner's device are not; after them
    the account is free again.
    """
    five = [asyncio.create_task(engine.hash("x", account="a")) for _ in range(5)]
    await settle()
    with pytest.raises(AccountBusy) as caught:
        await engine.hash("x", account="a")
    assert caught.value.retry_after_seconds > 0
    others = [asyncio.create_task(engine.hash("x", account=a, known_device=k)) for a, k in (("a", True), ("b", False))]
    await settle()
    gate.opened.set()
    await asyncio.gather(*five, *others)
    await engine.hash("x", account="a")


async def test_a_caller_that_has_gone_is_not_hashed_for(engine: HashEngine, gate: Gate) -> None:
    """Cancelled work that still waits is never run, and its place and its account's are free at once."""
    ran: list[int] = []
    gone = [asyncio.create_task(engine.run(ran.append, number)) for number in range(3)]
    hashes = [asyncio.create_task(engine.hash("x", account="a")) for _ in range(3)]
    await settle()
    for task in (*gone, *hashes):
        task.cancel()
    await asyncio.gather(*gone, *hashes, return_exceptions=True)
    assert (engine.queued, engine.in_flight) == (0, 1)
    five = [asyncio.create_task(engine.hash("x", account="a")) for _ in range(5)]
    gate.opened.set()
    await asyncio.gather(*five)
    assert ran == []


async def test_a_caller_that_goes_while_its_hash_runs_is_counted_to_the_end(engine: HashEngine) -> None:
    """Work that runs cannot be recalled: it stays in flight until it ends, then nothing is left of it."""
    gate = Gate()
    task = await gate.hold(engine)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert engine.in_flight == 1
    gate.opened.set()
    await engine.hash("x")
    assert engine.in_flight == 0


async def test_a_closed_engine_takes_nothing_and_ends_its_threads(tmp_path: Path) -> None:
    """Closing finishes what runs, refuses what waits and what comes, and leaves no thread."""
    engine = HashEngine(CHEAP, slots_directory=tmp_path, slots=1)
    gate = Gate()
    running = await gate.hold(engine)
    waiting = asyncio.create_task(engine.hash("x"))
    await settle()
    closing = asyncio.create_task(engine.close())
    with pytest.raises(HashEngineClosed):
        await waiting
    with pytest.raises(HashEngineClosed):
        await engine.hash("x")
    gate.opened.set()
    await closing
    await running
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("hash-")]


async def test_workers_share_the_slots(tmp_path: Path) -> None:
    """Two engines on one directory never run more at a time than there are slots."""
    engines = [HashEngine(CHEAP, slots_directory=tmp_path, slots=2) for _ in range(2)]
    guard, inside, most = threading.Lock(), 0, 0

    def work() -> None:
        nonlocal inside, most
        with guard:
            inside += 1
            most = max(most, inside)
        time.sleep(0.002)
        with guard:
            inside -= 1

    await asyncio.gather(*(engine.run(work) for engine in engines for _ in range(20)))
    for engine in engines:
        await engine.close()
    assert most == 2


async def test_a_directory_that_does_not_work_ends_the_start(tmp_path: Path) -> None:
    """Without its slot files the engine does not start."""
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"exists|directory"):
        HashEngine(CHEAP, slots_directory=tmp_path / "file")


async def test_the_loop_stays_free_while_hashing(tmp_path: Path) -> None:
    """While full-cost hashes run, the loop's other work is not held up by them."""
    engine = HashEngine(HashParameters(), slots_directory=tmp_path, slots=1)
    hashing = asyncio.create_task(engine.hash("x"))
    turns = 0
    while not hashing.done():
        turns += 1
        await asyncio.sleep(0)
    await engine.close()
    assert turns > 20


@pytest.mark.alone
async def test_handing_over_costs_little_more_than_an_executor(tmp_path: Path) -> None:
    """A tiny hash through the engine takes no more than three times as long as through a bare thread pool."""
    engine = HashEngine(CHEAP, slots_directory=tmp_path, slots=1)
    loop = asyncio.get_running_loop()

    async def best(call: "Callable[[], asyncio.Future[bytes]]") -> float:
        taken = []
        for _ in range(300):
            started = time.perf_counter()
            await call()
            taken.append(time.perf_counter() - started)
        return sorted(taken)[len(taken) // 4]

    with ThreadPoolExecutor(1) as pool:
        bare = await best(lambda: loop.run_in_executor(pool, make_hash, "x", CHEAP))
    ours = await best(lambda: asyncio.ensure_future(engine.hash("x")))
    await engine.close()
    assert ours < 3 * bare
