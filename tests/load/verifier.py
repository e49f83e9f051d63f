"""How fast SyncVerifier is: `python -m tests.load.verifier`. Prints ratios against limits measured in the same run.

Tokens that it has not seen against the raw rate of P-256 verification, tokens that it has against a bare SHA-256 and a
dict look-up; 10,000 tokens, each a fresh string, while another process streams 100 revocations a second to it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import random
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from typing import Any

import grpc
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from twofold import SyncVerifier
from twofold.v1 import session_pb2

REALM, AUDIENCE, ISSUER, KID = "default", "billing", "https://auth.example.com/realms/default", "k" * 43
TOKENS = 10_000
CHUNK = 100
ROUNDS = 4
REVOCATIONS_A_SECOND = 100
GOAL_NEW, GOAL_SEEN = 0.7, 0.1
ES256 = ec.ECDSA(SHA256())
KEY = ec.generate_private_key(ec.SECP256R1())


def b64(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def token(now: int) -> tuple[bytes, bytes, bytes]:
    """A token of the service's size, what was signed of it, and the signature in DER."""
    header = {"alg": "ES256", "typ": "at+jwt", "kid": KID}
    claims = {
        "iss": ISSUER,
        "sub": str(uuid.uuid4()),
        "aud": AUDIENCE,
        "client_id": "web",
        "jti": str(uuid.uuid4()),
        "sid": str(uuid.uuid4()),
        "epoch": 3,
        "amr": ["pwd", "otp", "mfa"],
        "aal": 2,
        "iat": now,
        "exp": now + 3600,
        "auth_time": now,
        "second_factor_time": now,
    }
    signed = ".".join(b64(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims)).encode()
    der = KEY.sign(signed, ES256)
    r, s = decode_dss_signature(der)
    return signed + b"." + b64(r.to_bytes(32, "big") + s.to_bytes(32, "big")).encode(), signed, der


async def serve(x: str, y: str) -> None:
    """Serve the key and the stream until the parent is gone; prints the port."""

    async def keys(_request: session_pb2.GetSigningKeysRequest, _context: object) -> session_pb2.GetSigningKeysResponse:
        key = session_pb2.SigningKey(key_id=KID, x=bytes.fromhex(x), y=bytes.fromhex(y))
        return session_pb2.GetSigningKeysResponse(keys=[key], issuer=ISSUER, audiences=[AUDIENCE])

    async def watch(
        _request: session_pb2.WatchRevocationsRequest, _context: object
    ) -> AsyncIterator[session_pb2.WatchRevocationsResponse]:
        reset = True
        while True:
            row = session_pb2.Revocation(
                revocation_id=str(uuid.uuid4()),
                realm_id=REALM,
                kind=session_pb2.REVOCATION_KIND_SESSION,
                subject=str(uuid.uuid4()),
            )
            row.expire_time.FromSeconds(int(time.time()) + 960)
            message = session_pb2.WatchRevocationsResponse(
                revocations=[row], reset=reset, current=True, resume_token="1.1"
            )
            message.server_time.GetCurrentTime()
            yield message
            reset = False
            await asyncio.sleep(1 / REVOCATIONS_A_SECOND)

    handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        "GetSigningKeys": grpc.unary_unary_rpc_method_handler(
            keys,
            session_pb2.GetSigningKeysRequest.FromString,
            session_pb2.GetSigningKeysResponse.SerializeToString,
        ),
        "WatchRevocations": grpc.unary_stream_rpc_method_handler(
            watch,
            session_pb2.WatchRevocationsRequest.FromString,
            session_pb2.WatchRevocationsResponse.SerializeToString,
        ),
    }
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("twofold.v1.SessionService", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(0)


def alternate(
    limit: Callable[[Any], object], limits: list[Any], work: Callable[[Any], object], items: list[Any]
) -> tuple[list[float], list[float]]:
    """Seconds a call, of the limit and of the work by turns in chunks: what disturbs the machine disturbs both."""
    found: tuple[list[float], list[float]] = ([], [])
    for start in range(0, len(items), CHUNK):
        for times, call, given in ((found[0], limit, limits), (found[1], work, items)):
            chunk = given[start : start + CHUNK]
            began = time.perf_counter()
            for item in chunk:
                call(item)
            times.append((time.perf_counter() - began) / len(chunk))
    return found


def measure(port: int) -> dict[str, tuple[list[float], list[float]]]:
    """By row the seconds a call of the limit and of the verifier, chunk by chunk."""
    now = int(time.time())
    public = KEY.public_key()
    new: tuple[list[float], list[float]] = ([], [])
    seen: tuple[list[float], list[float]] = ([], [])
    with SyncVerifier(f"127.0.0.1:{port}", realm_id=REALM, audience=AUDIENCE) as verifier:
        for _ in range(ROUNDS):
            made = [token(now) for _ in range(TOKENS)]
            for total, found in zip(
                new,
                alternate(
                    lambda one: public.verify(one[2], one[1], ES256),
                    made,
                    verifier.verify,
                    [one[0].decode() for one in made],
                ),
                strict=True,
            ):
                total.extend(found)
            table = {sha256(one[0]).digest(): 1 for one in made}
            order = random.choices(made, k=3 * TOKENS)
            for total, found in zip(
                seen,
                alternate(
                    lambda one, table=table: table.get(sha256(one.encode()).digest()),  # type: ignore[misc]
                    [one[0].decode() for one in order],
                    verifier.verify,
                    [one[0].decode() for one in order],
                ),
                strict=True,
            ):
                total.extend(found)
        held = len(verifier._judge.received.held)
    assert held > REVOCATIONS_A_SECOND, f"only {held} revocations arrived"
    return {"new": new, "seen": seen}


def main() -> int:
    """Measure on one core, the stream's server on another; 1 if a goal is missed."""
    if len(sys.argv) == 4 and sys.argv[1] == "--serve":
        asyncio.run(serve(sys.argv[2], sys.argv[3]))
        return 0
    cores = sorted(os.sched_getaffinity(0))
    numbers = KEY.public_key().public_numbers()
    command = [sys.executable, "-m", "tests.load.verifier", "--serve", f"{numbers.x:064x}", f"{numbers.y:064x}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stdin is not None
        try:
            port = int(child.stdout.readline())
            with contextlib.suppress(OSError):
                os.sched_setaffinity(child.pid, cores[1:] or cores)
                os.sched_setaffinity(0, cores[:1])
            rows = measure(port)
        finally:
            child.stdin.close()
    missed = False
    for row, limit, goal in (
        ("new", "raw P-256 verification", GOAL_NEW),
        ("seen", "SHA-256 + dict look-up", GOAL_SEEN),
    ):
        of_limit, of_work = (statistics.median(times) for times in rows[row])
        ratio = statistics.median(one / other for one, other in zip(*rows[row], strict=True))
        print(f"{row} token: {1 / of_work:,.0f}/s; {limit}: {1 / of_limit:,.0f}/s; ratio {ratio:.2f} (goal {goal})")
        missed |= ratio < goal
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
