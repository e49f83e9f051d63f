"""The protected sample of the Python client: an ASGI app behind the middleware, on a free loopback port."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from typing import Any

import uvicorn

from twofold import TlsOptions, Verifier, VerifierMiddleware, current_session


def main(config: dict[str, Any]) -> None:
    """Serve `GET /whoami` until SIGTERM; prints the port once tokens can be verified."""
    # uvicorn gives the signal on when it has stopped; the verifier is to be closed all the same.
    signal.signal(signal.SIGTERM, lambda *_: None)
    asyncio.run(_serve(config))


async def whoami(scope: Any, receive: Any, send: Any) -> None:
    """Tell whose session it is."""
    if scope["type"] == "http" and (scope["method"], scope["path"]) == ("GET", "/whoami"):
        status, told = 200, {"account_id": current_session().account_id}
    else:
        status, told = 404, {}
    body = json.dumps(told).encode("ascii")
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode("ascii"))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _serve(config: dict[str, Any]) -> None:
    tls = None
    if config["root_certificates"]:
        tls = TlsOptions.from_files(config["root_certificates"], config["client_certificate"], config["client_key"])
    verifier = Verifier(
        config["target"],
        realm_id=config["realm_id"],
        audience=config["audience"],
        credential=config["credential"],
        tls=tls,
    )
    # Entered here, so that the port is told only when it can verify; elsewhere the middleware starts its verifier.
    async with verifier:
        server = uvicorn.Server(uvicorn.Config(VerifierMiddleware(whoami, verifier), log_level="warning"))
        with socket.create_server(("127.0.0.1", 0)) as listening:
            print(json.dumps({"port": listening.getsockname()[1]}), flush=True)
            await server.serve(sockets=[listening])
