"""`twofold-server agent` and `support`, run as people run them: from the invitation to an executed case."""

from __future__ import annotations

import asyncio
import re
import secrets
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.e2e.program import Ended, environment, run
from tests.integration.quick import add_caller
from tests.service import Service, seed_of, serving, settings_for
from twofold_server.crypto import otp
from twofold_server.domain.callers import Role
from twofold_server.settings import Settings

PASSWORD = "an agent's own long password"


@dataclass
class Terminal:
    """A shell of whoever runs the service, or of an agent, beside a running server."""

    service: Service
    operator: dict[str, str]
    agent: dict[str, str]
    folder: Path

    async def operate(self, *words: str) -> Ended:
        """Run `twofold-server` as the operator."""
        return await run(self.operator, *words)

    async def work(self, name: str, *words: str, typed: str = "") -> Ended:
        """Run `twofold-server support` as the agent of a name."""
        file = self.folder / name / "desk.json"
        return await run(self.agent, "support", "--realm", "default", "--file", str(file), *words, typed=typed)

    async def enlist(self, name: str) -> str:
        """An agent who has activated the account and signed in for the first time; a backup code."""
        email = f"{name}@desk.example.org"
        invited = await self.operate("agent", "add", email)
        assert invited.code == 0, invited
        made = await self.work(name, "activate", typed=f"{invited.out.strip()}\n{PASSWORD}\n")
        assert (made.code, made.out.split(":")[0]) == (0, email), made
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "twofold_server", "support", "--file", str(self.folder / name / "desk.json"),
            "sign-in", email, env=self.agent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(f"{PASSWORD}\n".encode())
        async with asyncio.timeout(30):
            line = (await process.stdout.readline()).decode()
            seed = re.search(r"key: ([A-Z2-7 ]+)", line)
            assert seed is not None, line
            code = otp.totp_code(seed_of(seed[1].strip()), otp.step_at(datetime.now(UTC)))
            out, err = await process.communicate(f"{code}\n".encode())
        assert process.returncode == 0, err
        await self.service.app.pool.execute("UPDATE accounts SET create_time = '2026-01-01' WHERE realm_id = 'support'")
        codes: list[str] = re.findall(r"good once: (\S+)", out.decode())
        return codes[0]


@pytest.fixture
async def terminal(database: str, tmp_path: Path) -> AsyncIterator[Terminal]:
    """A server with a clock that runs, as the programs' does, and the desk's caller."""
    key = tmp_path / "master.txt"
    key.touch(0o600)
    key.write_text(secrets.token_hex(32))
    settings: Settings = settings_for(database, tmp_path, master_key=key.read_text())
    async with serving(settings, lambda: datetime.now(UTC)) as service:
        operator = environment(database_url=database, development="true", master_key_file=key)
        invited = await run(operator, "agent", "add", "first@desk.example.org")
        assert invited.code == 0, invited
        credential = await add_caller(
            service.app, "desk", ("default", Role.SUPPORT, False), ("support", Role.FRONTEND, True)
        )
        agent = environment(credential=credential, target=f"127.0.0.1:{service.app.ports[0]}")
        yield Terminal(service, operator, agent, tmp_path)


async def test_a_case_from_two_terminals(terminal: Terminal) -> None:
    """Invited, enlisted and signed in, two agents find an account, open and approve a case, and execute it."""
    service = terminal.service
    await terminal.enlist("ada")
    backup_code = await terminal.enlist("bob")
    session = terminal.folder / "ada" / "desk.json"
    assert stat.S_IMODE(session.stat().st_mode) == 0o600
    user = await service.two_factor_user()
    found = await terminal.work("ada", "find", "--email", user.email)
    assert (found.code, found.err) == (0, "")
    assert found.out.startswith(user.account_id)
    assert user.email not in found.out
    opened = await terminal.work("ada", "open", user.account_id, "reset-two-factor", "--reason", "Knew it all.")
    assert opened.code == 0, opened
    case_id = opened.out.split()[0]
    refused = await terminal.work("ada", "approve", case_id)
    assert refused.code == 1
    assert "AGENT_NOT_ELIGIBLE" in refused.err and "Traceback" not in refused.err
    assert (await terminal.work("bob", "approve", case_id)).out.split()[1] == "approved"
    assert case_id in (await terminal.work("bob", "list")).out
    assert "CASE_NOT_READY" in (await terminal.work("bob", "execute", case_id)).err
    await service.app.pool.execute("UPDATE cases SET approve_time = approve_time - interval '4 days'")
    done = await terminal.work("bob", "execute", case_id)
    assert re.search(r"code for the user, until .*: ([0-9A-Z]{4}-){6}[0-9A-Z]{4}", done.out), done
    assert "case_executed" in (await terminal.work("bob", "deliveries", "--account", user.account_id)).out
    assert "locked" in (await terminal.work("bob", "lock", user.account_id, "--reason", "Asked for it.")).out
    assert "active" in (await terminal.work("bob", "unlock", user.account_id, "--reason", "Asked for it.")).out

    assert (await terminal.work("bob", "sign-out")).code == 0
    assert "sign in first" in (await terminal.work("bob", "list")).err
    again = await terminal.work("bob", "sign-in", "bob@desk.example.org", typed=f"{PASSWORD}\n{backup_code}\n")
    assert (again.code, again.out) == (0, "signed in\n"), again
    ended = await terminal.operate("agent", "end", "bob@desk.example.org")
    assert ended.code == 0
    assert "SESSION_ENDED" in (await terminal.work("bob", "list")).err
    assert (await terminal.operate("agent", "restore", "bob@desk.example.org")).out == (
        "agent bob@desk.example.org: restored\n"
    )


async def test_invitations(terminal: Terminal) -> None:
    """A second invitation ends the first; an agent is not invited again; who is none can't be ended."""
    first = await terminal.operate("agent", "add", "eve@desk.example.org")
    second = await terminal.operate("agent", "add", "EVE@desk.example.org")
    stale = await terminal.work("eve", "activate", typed=f"{first.out.strip()}\n{PASSWORD}\n")
    assert stale.code == 1 and "TICKET_NOT_FOUND" in stale.err
    made = await terminal.work("eve", "activate", typed=f"{second.out.strip()}\n{PASSWORD}\n")
    assert made.code == 0, made
    assert "already" in (await terminal.operate("agent", "add", "eve@desk.example.org")).err
    for command in ("end", "restore"):
        assert "no such agent" in (await terminal.operate("agent", command, "mallory@desk.example.org")).err
    assert (await terminal.operate("agent", "add", "nobody")).code == 1
    assert "agent add" in (await terminal.operate("realm", "create", "support")).err
