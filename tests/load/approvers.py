"""500 phones that watch one server: how long a challenge takes to reach its phone, and what a stream costs.

`.venv/bin/python -m tests.load.approvers [phones]`: a PostgreSQL with durable writes and a server of its own, each in a
process of its own. Prints what it measured, and fails where the 99th percentile is 200 ms or more.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import secrets
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc.aio
from uuid_utils.compat import uuid7

from dev.postgres import server
from tests.service import settings_for
from twofold import Approver, ApproverIdentity, Client
from twofold.approver import _Key
from twofold.v1 import session_pb2, session_pb2_grpc, two_factor_pb2, two_factor_pb2_grpc
from twofold_server import logs
from twofold_server.app import build
from twofold_server.crypto.keyring import Keyring, Place
from twofold_server.db.migrate import migrate
from twofold_server.db.pool import Pool, open_pool
from twofold_server.domain.clock import system_clock

PHONES = 500
CHALLENGES_OF_EACH = 2
CHALLENGES_A_SECOND = 50
CHANNELS = 4
UNARY_CALLS = 2000
LIMIT_SECONDS = 0.2


@dataclass
class Phone:
    """A phone, and its account's challenges that are still to be asked for."""

    approver: Approver
    challenges: list[tuple[str, str]]
    asked_at: float = 0.0
    seconds: list[float] = field(default_factory=list)


async def seed(pool: Pool, keyring: Keyring, clients: list[Client], number: int) -> list[Phone]:
    """Write accounts with a phone and challenges each, past the sign-ups that are not the subject here."""
    phones, now = [], system_clock()
    for n in range(number):
        account_id, factor_id, approver_id, key = uuid7(), uuid7(), uuid7(), _Key.new("ES256")
        await pool.execute(
            """
            WITH account AS (
                INSERT INTO accounts (account_id, realm_id, email, email_key, second_factor, create_time, update_time)
                VALUES ($1, 'default', $1::uuid::text, $1::uuid::text, true, $4, $4) RETURNING account_id
            ), factor AS (
                INSERT INTO factors (factor_id, account_id, realm_id, kind, name, secret, create_time)
                SELECT $2, account_id, 'default', 'push', 'Phone', '', $4 FROM account RETURNING factor_id
            )
            INSERT INTO approvers (approver_id, account_id, realm_id, enrollment_id, factor_id, public_key, algorithm,
                                   name, create_time)
            SELECT $3, $1, 'default', $3, factor_id, $5, 'ES256', 'Phone', $4 FROM factor
            """,
            account_id, factor_id, approver_id, now, key.public,
        )  # fmt: skip
        challenges = []
        for _ in range(CHALLENGES_OF_EACH):
            ticket_id = uuid7()
            token, binding = (base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode() for _ in "ab")
            payload = {"ip_address": "192.0.2.7", "user_agent": "Firefox/1", "audience": "twofold"}
            await pool.execute(
                """
                INSERT INTO tickets (ticket_id, realm_id, purpose, subject, handle_hash, binding_hash, account_id,
                                     epoch, client_id, payload, create_time, expire_time)
                VALUES ($1, 'default', 'challenge', $2::uuid::text, $3, $4, $2, 1,
                        'development', $5, $6, $6::timestamptz + interval '10 min')
                """,
                ticket_id, account_id, *(hashlib.sha256(text.encode()).digest() for text in (token, binding)),
                keyring.seal(
                    json.dumps(payload).encode(),
                    Place("tickets", "payload", "default", str(account_id), str(ticket_id)),
                ), now,
            )  # fmt: skip
            challenges.append((token, binding))
        identity = ApproverIdentity(str(approver_id), "default", "Twofold", "", "ES256", key.pem)
        phones.append(Phone(Approver(clients[n % len(clients)], identity), challenges))
    return phones


async def watch(phone: Phone, opened: asyncio.Event) -> None:
    """Keep a phone's stream open, and note when each request arrives."""
    async for message in phone.approver.watch():
        arrived = time.perf_counter()
        opened.set()
        phone.seconds += [arrived - phone.asked_at for _ in message.opened]


async def unary(target: str) -> list[float]:
    """What unary calls take, one after the other."""
    found = []
    async with grpc.aio.insecure_channel(target) as channel:
        stub: Any = session_pb2_grpc.SessionServiceStub(channel)
        for _ in range(UNARY_CALLS):
            started = time.perf_counter()
            await stub.GetSigningKeys(session_pb2.GetSigningKeysRequest(realm_id="default"))
            found.append(time.perf_counter() - started)
    return found


async def ask(target: str, phones: list[Phone]) -> list[float]:
    """Ask for every challenge, so many a second; what the calls took."""
    found = []
    async with grpc.aio.insecure_channel(target) as channel:
        stub: Any = two_factor_pb2_grpc.TwoFactorServiceStub(channel)

        async def one(phone: Phone) -> None:
            token, binding = phone.challenges.pop()
            phone.asked_at = time.perf_counter()
            await stub.StartChallenge(
                two_factor_pb2.StartChallengeRequest(
                    challenge_token=token, challenge_binding=binding, push=two_factor_pb2.PushChallenge()
                )
            )
            found.append(time.perf_counter() - phone.asked_at)

        tasks = []
        for _ in range(CHALLENGES_OF_EACH):
            for phone in phones:
                tasks.append(asyncio.create_task(one(phone)))
                await asyncio.sleep(1 / CHALLENGES_A_SECOND)
        await asyncio.gather(*tasks)
    await asyncio.sleep(1)
    return found


def resident_kib(pid: int) -> int:
    """The memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def cpu_seconds(pid: int) -> float:
    """The processor's time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def percentile(values: list[float], share: float) -> float:
    """The value that so large a share stays below, in milliseconds."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] * 1000


async def measure(dsn: str, folder: Path, number: int) -> bool:
    """Measure and print; whether the limit was kept."""
    await migrate(dsn)
    key = secrets.token_hex(32)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.load.approvers", "serve", dsn, folder, key,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None and process.stdin is not None
    target = f"127.0.0.1:{int(await process.stdout.readline())}"
    clients = [Client(target, deadline=30) for _ in range(CHANNELS)]
    try:
        pool = await open_pool(dsn, 2)
        phones = await seed(pool, Keyring.from_text(key), clients, number)
        alone = await unary(target)
        before = resident_kib(process.pid)
        events = [asyncio.Event() for _ in phones]
        started = time.perf_counter()
        tasks = [asyncio.create_task(watch(p, e)) for p, e in zip(phones, events, strict=True)]
        await asyncio.gather(*(event.wait() for event in events))
        opening = time.perf_counter() - started
        await asyncio.sleep(2)
        used = cpu_seconds(process.pid)
        await asyncio.sleep(5)
        idle = (cpu_seconds(process.pid) - used) / 5
        after = resident_kib(process.pid)
        beside = await unary(target)
        asking = await ask(target, phones)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await pool.close()
    finally:
        for client in clients:
            await client.close()
        process.stdin.close()
        await process.wait()
    seconds = [value for phone in phones for value in phone.seconds]
    asked = number * CHALLENGES_OF_EACH
    print(f"phones {number}, all shown what is open within {opening:.2f} s, each with a proof of its own")
    print(f"memory {(after - before) / number:.0f} KiB a stream ({before} to {after} KiB); idle {idle:.1%} of a core")
    print(
        f"from challenge to phone, {len(seconds)} of {asked} at {CHALLENGES_A_SECOND} a second: "
        f"p50 {percentile(seconds, 0.5):.0f} ms, p99 {percentile(seconds, 0.99):.0f} ms, "
        f"most {max(seconds) * 1000:.0f} ms"
    )
    for name, values in (("alone", alone), ("beside the streams", beside), ("that ask", asking)):
        print(f"unary calls {name}: p50 {percentile(values, 0.5):.2f} ms, p99 {percentile(values, 0.99):.2f} ms")
    return len(seconds) == asked and percentile(seconds, 0.99) < LIMIT_SECONDS * 1000


async def serve(dsn: str, folder: Path, key: str) -> None:
    """Serve until whoever started it closes the pipe; the port on standard output."""
    logs.configure("ERROR")
    app = await build(settings_for(dsn, folder, master_key=key))
    async with app.serving():
        print(app.ports[0], flush=True)
        await asyncio.to_thread(sys.stdin.read)


def main() -> int:
    """Measure with as many phones as the command line says."""
    if sys.argv[1:2] == ["serve"]:
        asyncio.run(serve(sys.argv[2], Path(sys.argv[3]), sys.argv[4]))
        return 0
    number = int(sys.argv[1]) if len(sys.argv) > 1 else PHONES
    with tempfile.TemporaryDirectory() as folder, server(Path(folder) / "data") as cluster:
        return 0 if asyncio.run(measure(cluster.dsn("postgres"), Path(folder), number)) else 1


if __name__ == "__main__":
    sys.exit(main())
