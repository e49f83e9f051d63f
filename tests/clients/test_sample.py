"""The sample service that each client protects by its verifier, over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import time
from collections.abc import AsyncIterator, Mapping

import httpx

from tests.clients.runners import runner
from tests.clients.server import Served
from tests.clients.users import new_user
from twofold.v1 import session_pb2

_START_SECONDS = 60.0
_STOP_SECONDS = 20.0
# By itself, by the signal, or as the JVM tells that.
_ENDED = {0, -signal.SIGTERM, 128 + signal.SIGTERM}


@contextlib.asynccontextmanager
async def _sample(served: Served, language: str) -> AsyncIterator[httpx.AsyncClient]:
    """The running sample, which has ended at SIGTERM when the block is left."""
    log = served.folder / f"sample-{language}.log"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            runner(language), "sample", served.config("tls", {}), stdout=asyncio.subprocess.PIPE, stderr=errors
        )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_START_SECONDS):
            line = await process.stdout.readline()
        assert line, log.read_text()
        url = f"http://127.0.0.1:{json.loads(line)['port']}"
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=10) as http:
            yield http
        process.terminate()
        async with asyncio.timeout(_STOP_SECONDS):
            assert await process.wait() in _ENDED, log.read_text()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _bearer(token: str) -> Mapping[str, str]:
    return {"authorization": f"Bearer {token}"}


async def test_a_user_who_signed_out_is_refused_within_a_second(served: Served, language: str) -> None:
    """The sample lets a signed-in user in, nobody without a good token, and one who signed out no more in a second."""
    async with served.server.client(served.server.shop) as client, _sample(served, language) as http:
        user = await new_user(served, client, f"sample-{language}")
        tokens = await user.sign_in(client)
        kept = await user.sign_in(client)

        for headers in ({}, _bearer("not-a-token"), _bearer(tokens.access_token[:-8] + "AAAAAAAA")):
            refused = await http.get("/whoami", headers=headers)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"].startswith("Bearer")
        answer = await http.get("/whoami", headers=_bearer(tokens.access_token))
        assert (answer.status_code, answer.json()) == (200, {"account_id": user.account_id})

        await client.sessions.SignOut(session_pb2.SignOutRequest(), session=tokens.access_token)
        signed_out = time.monotonic()
        while True:
            asked = time.monotonic()
            status = (await http.get("/whoami", headers=_bearer(tokens.access_token))).status_code
            if status == 401:
                break
            assert asked - signed_out < 1.0, "it still lets the user in, a second after the sign-out"
            await asyncio.sleep(0.02)
        assert (await http.get("/whoami", headers=_bearer(kept.access_token))).status_code == 200
