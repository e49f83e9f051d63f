"""Whether the answer tells an address with an account from one without, by its time or its size (ASVS 6.3.8).

`.venv/bin/python -m tests.load.enumeration [calls]`: a PostgreSQL with durable writes and a server of its own, each in
a process of its own. At each public entrance so many calls (5,000 unless said otherwise) about known and as many about
unknown names take turns in random order, one at a time. A third of the accounts hold bcrypt hashes. Two classifiers
are tried on the times: the time itself, and the likelihood ratio of histograms learnt from the other half of the calls,
which finds any difference of shape; one on the sizes. Prints the area under the ROC curve of each, and fails where one
is over 0.55, or where status or text differ. An area from n calls each is off by 0.41 / sqrt(n) (one sigma).
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import secrets
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import altcha
import bcrypt
import grpc.aio
from google.protobuf.message import Message
from uuid_utils.compat import uuid7

from tests.load.bench.processes import durable_postgres, serving
from tests.load.bench.seeding import ISSUER, REALM, World, seed
from twofold.v1 import account_pb2, recovery_pb2, recovery_pb2_grpc, sign_in_pb2
from twofold_server.crypto.passwords import HashParameters
from twofold_server.db.migrate import migrate
from twofold_server.domain.clock import system_clock
from twofold_server.domain.passwords import Passwords, scheme_of
from twofold_server.domain.realms import Realms
from twofold_server.domain.values import RealmId
from twofold_server.domain.written_texts import ResourceName

CALLS: Final = 5000
LIMIT: Final = 0.55
BCRYPT_COST: Final = 10
_BINS: Final = 40
_AREAS: Final = ("time", "shape", "size")
_PASSWORD: Final = "neither of these is right 7"
Request = Callable[[str, sign_in_pb2.ClientContext], Message]


@dataclass(frozen=True, slots=True)
class Entrance:
    """A method that anyone may call, and its request about an address."""

    name: str
    method: str
    request: Request
    budgeted: bool = False
    """Counts failures, so that each account is asked once."""
    captcha: bool = False
    """Takes a solved CAPTCHA."""


@dataclass(slots=True)
class Answers:
    """What came back for one kind of address."""

    seconds: list[float] = field(default_factory=list)
    sizes: list[float] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)


ENTRANCES: Final = (
    Entrance(
        "sign-in",
        "/twofold.v1.AccountService/SignIn",
        lambda email, client: account_pb2.SignInRequest(email=email, password=_PASSWORD, client=client),
        budgeted=True,
    ),
    Entrance(
        "sign-up",
        "/twofold.v1.AccountService/SignUp",
        lambda email, client: account_pb2.SignUpRequest(email=email, password=_PASSWORD, client=client),
    ),
    Entrance(
        "reset",
        "/twofold.v1.RecoveryService/RequestPasswordReset",
        lambda email, client: recovery_pb2.RequestPasswordResetRequest(email=email, client=client),
    ),
    Entrance(
        "recovery",
        "/twofold.v1.RecoveryService/BeginTwoFactorRecovery",
        lambda email, client: recovery_pb2.BeginTwoFactorRecoveryRequest(
            email=email, password=_PASSWORD, client=client
        ),
        budgeted=True,
        captcha=True,
    ),
    Entrance(
        "hint",
        "/twofold.v1.RecoveryService/RequestSignInHint",
        # Each account owns something that is called as its address is.
        lambda email, client: recovery_pb2.RequestSignInHintRequest(resource_name=_owned_by(email), client=client),
        captcha=True,
    ),
)


def _owned_by(email: str) -> str:
    return email.replace("@", " at ").replace(".", " dot ")


async def main(calls: int) -> int:
    """Measure every entrance; 1 where one tells."""
    budgeted = sum(entrance.budgeted for entrance in ENTRANCES)
    with tempfile.TemporaryDirectory(prefix="twofold-enumeration-") as name:
        folder, key = Path(name), secrets.token_hex(32)
        with durable_postgres(folder) as database:
            await migrate(database.dsn())
            world = await seed(
                database.dsn(), key, HashParameters(), plain=calls * max(1, budgeted), guarded=0, sessions=0
            )
            await _bring_bcrypt(world)
            await _bring_resources(world)
            settings = {
                "database_url": database.dsn(), "master_key": key, "development": "true",
                "mail_directory": str(folder / "sent"), "hash_slots_directory": str(folder / "slots"),
            }  # fmt: skip
            try:
                async with serving(settings, folder / "server.log") as served:
                    rows = await _measure(world, f"127.0.0.1:{served.port}", calls)
            finally:
                await world.pool.close()
    print(json.dumps({"calls": calls, "load_average": os.getloadavg()[0], "entrances": rows}, indent=1))
    for row in rows:
        areas = ", ".join(f"by {name} {row[f'auc_{name}']:.3f}" for name in _AREAS)
        medians = f"{row['known_ms']:.2f} and {row['unknown_ms']:.2f} ms"
        print(f"{row['entrance']:10} {areas}; medians {medians}", file=sys.stderr)
    return int(any(row["differs"] or max(row[f"auc_{name}"] for name in _AREAS) > LIMIT for row in rows))


async def _bring_bcrypt(world: World) -> None:
    """Give every third account a hash as another system may have made it, sealed by the server's own code."""
    hashed = await asyncio.to_thread(bcrypt.hashpw, b"imported with this password", bcrypt.gensalt(BCRYPT_COST))
    passwords = Passwords(world.pool, world.keyring, None)  # type: ignore[arg-type]
    for user in world.plain[::3]:
        await world.pool.execute(
            "UPDATE password_credentials SET hash = $3, scheme = $4 WHERE account_id = $1 AND realm_id = $2",
            user.account_id, REALM, passwords.seal(RealmId(REALM), user.account_id, hashed), scheme_of(hashed),
        )  # fmt: skip
    await world.pool.execute("VACUUM (ANALYZE) password_credentials")


async def _bring_resources(world: World) -> None:
    now = system_clock()
    async with world.pool.acquire() as connection:
        names = [(user.account_id, ResourceName.parse(_owned_by(user.email))) for user in world.plain]
        await connection.copy_records_to_table(
            "resources",
            records=[(uuid7(), REALM, name.text, name.key, account_id, now) for account_id, name in names],
            columns=["resource_id", "realm_id", "name", "name_key", "account_id", "create_time"],
        )
    realms = Realms(world.pool, system_clock, issuer=ISSUER)
    await realms.set(REALM, {"sign_in_hint": "on", "captcha_cost": "100"})


async def _captcha(channel: grpc.aio.Channel) -> str:
    stub: Any = recovery_pb2_grpc.RecoveryServiceStub(channel)
    asked = await stub.CreateCaptcha(recovery_pb2.CreateCaptchaRequest())
    challenge = altcha.Challenge.from_dict(json.loads(asked.challenge_json))
    solution = altcha.solve_challenge(challenge)
    assert solution is not None
    return altcha.Payload(challenge, solution).to_base64()


async def _measure(world: World, target: str, calls: int) -> list[dict[str, Any]]:
    users = iter(world.plain)
    rows = []
    async with grpc.aio.insecure_channel(target) as channel:
        for entrance in ENTRANCES:
            taken = [next(users) for _ in range(calls)] if entrance.budgeted else world.plain[:calls]
            order = [(user.email, True) for user in taken]
            # As long as the others, and made of the same parts.
            order += [(user.email.replace(".org", ".net"), False) for user in taken]
            random.SystemRandom().shuffle(order)
            rows.append(_row(entrance, await _ask(channel, entrance, order)))
            print(f"{entrance.name}: asked", file=sys.stderr, flush=True)
    return rows


async def _ask(channel: grpc.aio.Channel, entrance: Entrance, order: Sequence[tuple[str, bool]]) -> dict[bool, Answers]:
    call: Any = channel.unary_unary(entrance.method, request_serializer=lambda message: message.SerializeToString())
    found = {True: Answers(), False: Answers()}
    warm = f"nobody.warm.{secrets.token_hex(4)}@example.org"
    for number, (email, known) in enumerate([*((f"{n}{warm}", None) for n in range(20)), *order]):
        # Each from a network of its own: what one network may do is not the subject.
        client = sign_in_pb2.ClientContext(
            ip_address=f"11.{number >> 8 & 255}.{number & 255}.9", user_agent="Firefox/130.0"
        )
        if entrance.captcha:
            client.captcha = await _captcha(channel)
        request = entrance.request(email, client)
        began, size = time.perf_counter(), 0
        try:
            seen, size = "OK", len(await call(request, timeout=10))
        except grpc.aio.AioRpcError as error:
            seen = f"{error.code().name}: {error.details()}"
        seconds = time.perf_counter() - began
        if known is not None:
            found[known].seconds.append(seconds)
            found[known].sizes.append(size)
            found[known].seen[seen] += 1
    return found


def _row(entrance: Entrance, found: dict[bool, Answers]) -> dict[str, Any]:
    known, unknown = found[True], found[False]
    return {
        "entrance": entrance.name,
        "auc_time": round(_either_way(_auc(known.seconds, unknown.seconds)), 4),
        "auc_shape": round(_shape(known.seconds, unknown.seconds), 4),
        "auc_size": round(_either_way(_auc(known.sizes, unknown.sizes)), 4),
        "known_ms": round(statistics.median(known.seconds) * 1000, 3),
        "unknown_ms": round(statistics.median(unknown.seconds) * 1000, 3),
        "known": dict(known.seen),
        "unknown": dict(unknown.seen),
        "differs": set(known.seen) != set(unknown.seen),
    }


def _auc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """The chance that one of `positive` is above one of `negative` (Mann-Whitney); ties count half."""
    ranked = sorted([(value, True) for value in positive] + [(value, False) for value in negative])
    total, start = 0.0, 0
    while start < len(ranked):
        end = start
        while end < len(ranked) and ranked[end][0] == ranked[start][0]:
            end += 1
        total += (start + 1 + end) / 2 * sum(mine for _, mine in ranked[start:end])
        start = end
    return (total - len(positive) * (len(positive) + 1) / 2) / (len(positive) * len(negative))


def _either_way(auc: float) -> float:
    return max(auc, 1 - auc)


def _shape(known: Sequence[float], unknown: Sequence[float]) -> float:
    """The area under the curve of a classifier by likelihood ratio, each half judged by what the other half taught."""
    halves = [(known[i::2], unknown[i::2]) for i in (0, 1)]
    areas = []
    for (learn_known, learn_unknown), (try_known, try_unknown) in (halves, halves[::-1]):
        edges = statistics.quantiles([*learn_known, *learn_unknown], n=_BINS)
        ratios = [
            (a + 1) / (b + 1)
            for a, b in zip(_histogram(learn_known, edges), _histogram(learn_unknown, edges), strict=True)
        ]
        areas.append(_auc([ratios[_bin(s, edges)] for s in try_known], [ratios[_bin(s, edges)] for s in try_unknown]))
    return statistics.mean(areas)


def _bin(value: float, edges: Sequence[float]) -> int:
    return sum(value > edge for edge in edges)


def _histogram(values: Sequence[float], edges: Sequence[float]) -> list[int]:
    counts = Counter(_bin(value, edges) for value in values)
    return [counts[number] for number in range(len(edges) + 1)]


if __name__ == "__main__":
    sys.exit(asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else CALLS)))
