"""The limits that calls are held against: an empty method of grpc.aio, and one behind the boundary, in one process.

`python -m tests.load.bench.empty`, with a server's settings in the environment, prints two ports: bare, behind.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any, cast

import grpc
import uvloop
from uuid_utils.compat import uuid7

from twofold.v1 import session_pb2, session_pb2_grpc
from twofold_server import logs, settings
from twofold_server.app import App, build
from twofold_server.crypto.access_tokens import AccessClaims
from twofold_server.domain.callers import Caller
from twofold_server.domain.checked_tokens import CheckedToken
from twofold_server.domain.values import RealmId
from twofold_server.rpc.boundary import Boundary
from twofold_server.rpc.health import Health
from twofold_server.rpc.passage import Limits
from twofold_server.rpc.server import Listener, Server


class _Bare:
    """What generated registration asks for, one method of it with nothing inside."""

    async def CheckSession(self, _request: object, _context: object) -> session_pb2.CheckSessionResponse:
        return session_pb2.CheckSessionResponse()

    def __getattr__(self, _name: str) -> object:
        return self.CheckSession


class _Known:
    """Knows every token without a look at it."""

    def __init__(self, app: App) -> None:
        now = app.clock()
        claims = AccessClaims("", uuid7(), "", "", uuid7(), uuid7(), 1, ("pwd",), 1, now, now, now)
        self._token = CheckedToken(claims, RealmId("default"), "", "", "")

    async def check(self, _token: str, _caller: Caller) -> CheckedToken:
        return self._token


async def _empty(_request: object, _call: object) -> session_pb2.CheckSessionResponse:
    return session_pb2.CheckSessionResponse()


def _behind(app: App) -> Server:
    descriptor = session_pb2.DESCRIPTOR.services_by_name["SessionService"]
    servicer: Any = app.services.contract[descriptor]
    servicer.CheckSession = _empty
    known: Any = _Known(app)
    boundary = Boundary(
        {descriptor: servicer},
        callers=app.services.callers,
        sessions=app.services.sessions,
        tokens=known,
        realms=app.services.realms,
        approvers=app.services.approvers,
        clock=app.clock,
        limits=Limits(),
    )
    return Server(boundary, Health([]))


async def _serve() -> None:
    chosen = settings.load()
    logs.configure(chosen.log_level)
    app = await build(chosen)
    bare = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    session_pb2_grpc.add_SessionServiceServicer_to_server(cast("Any", _Bare()), bare)
    bare_port = bare.add_insecure_port("127.0.0.1:0")
    behind = _behind(app)
    behind_port = behind.listen(Listener("127.0.0.1:0"))
    await bare.start()
    await behind.start()
    print(bare_port, behind_port, flush=True)
    # Until whoever started it closes the pipe, or dies.
    await asyncio.to_thread(sys.stdin.read)
    await bare.stop(0)
    await behind.stop(0)
    await app.close()


if __name__ == "__main__":
    uvloop.run(_serve())
