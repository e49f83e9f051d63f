"""grpcurl, which knows nothing of the contract, against the server with TLS."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.clients.server import Served
from tests.clients.users import new_user

_SOURCE = Path(__file__).with_name("grpcurl")
_PACKAGE = "github.com/fullstorydev/grpcurl/cmd/grpcurl"


async def _run(*command: str | Path, folder: Path | None = None) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@pytest.fixture(scope="module")
async def grpcurl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, of the version and the hashes in tests/clients/grpcurl."""
    program: Path = tmp_path_factory.mktemp("grpcurl") / "grpcurl"
    code, out, err = await _run("go", "build", "-o", program, _PACKAGE, folder=_SOURCE)
    assert code == 0, out + err
    return program


async def test_a_tool_lists_describes_and_calls_over_tls(served: Served, grpcurl: Path) -> None:
    """With a credential grpcurl lists services, describes a method and calls it; without one it gets nothing."""
    server = served.server
    target = f"localhost:{server.port}"
    trusted = ("-cacert", served.folder / "servers.crt")
    caller = ("-H", f"authorization: Bearer {server.shop}")

    code, out, err = await _run(grpcurl, *trusted, *caller, target, "list")
    assert code == 0, err
    assert {f"twofold.v1.{name}Service" for name in ("Account", "TwoFactor", "Session", "Recovery")} < set(out.split())
    code, out, err = await _run(grpcurl, *trusted, *caller, target, "describe", "twofold.v1.AccountService.GetAccount")
    assert code == 0, err
    assert "rpc GetAccount ( .twofold.v1.GetAccountRequest ) returns ( .twofold.v1.GetAccountResponse )" in out
    assert "CALLER_ROLE_FRONTEND" in out

    async with server.client(server.shop) as client:
        user = await new_user(served, client, "grpcurl")
        tokens = await user.sign_in(client)
    session = ("-H", f"twofold-session: {tokens.access_token}")
    method = "twofold.v1.AccountService/GetAccount"
    code, out, err = await _run(grpcurl, *trusted, *caller, *session, target, method)
    assert code == 0, err
    account = json.loads(out)["account"]
    assert account["email"] == user.email

    code, out, err = await _run(grpcurl, *trusted, target, "list")
    assert code != 0
    assert "CALLER_UNKNOWN" in out + err or "Unauthenticated" in out + err
    code, out, err = await _run(grpcurl, *trusted, *caller, target, method)
    assert code != 0
    assert "SESSION_REQUIRED" in out + err
