"""What `twofold approver` does."""

# ruff: noqa: T201 (it prints)

from __future__ import annotations

import asyncio
import os
import stat
import sys
import threading
from typing import TYPE_CHECKING

from twofold.approver import Approver, ApproverIdentity
from twofold.client import Client
from twofold.command_line import credential
from twofold.errors import TwofoldError, Unauthenticated, Unavailable
from twofold.transport import TlsOptions
from twofold.v1 import two_factor_pb2

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

_PAUSE_SECONDS = 1.0
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


async def run(given: argparse.Namespace) -> None:
    """Do what the command line says. Raises TwofoldError, OSError, ValueError."""
    file: Path = given.file.expanduser()
    tls = TlsOptions.from_files(given.root_certificates) if given.root_certificates else None
    async with Client(given.target, credential=credential(), tls=tls, user_agent="twofold-approver") as client:
        if given.verb == "pair":
            await _pair(client, given, file)
            return
        approver = Approver(client, read_identity(file))
        if given.verb == "watch":
            await _Watch(approver).run()
        elif given.number is not None:
            await approver.approve(given.request_id, given.number)
            print("approved")
        elif given.deny:
            await approver.deny(given.request_id)
            print("denied")
        else:
            await approver.not_me(given.request_id)
            print("the sign-in was ended")


def read_identity(file: Path) -> ApproverIdentity:
    """Read what `pair` wrote. Raises ValueError where others may read it, OSError where it is not there."""
    with file.open(encoding="utf-8") as opened:
        if os.fstat(opened.fileno()).st_mode & _OTHERS:
            raise ValueError(f"{file} can be read by others: chmod 600 it, and pair again if anybody might have")
        return ApproverIdentity.from_json(opened.read())


async def _pair(client: Client, given: argparse.Namespace, file: Path) -> None:
    pairing: str = sys.stdin.readline().strip() if given.pairing == "-" else given.pairing
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        # Before the code is used up, and never over another pairing.
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ValueError(f"{file} is there already: remove it, or name another --file") from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            approver = await Approver.pair(client, pairing, name=given.name, algorithm=given.algorithm)
            opened.write(approver.identity.to_json())
    except BaseException:
        file.unlink()  # noqa: ASYNC240 (nobody else waits in this program)
        raise
    identity = approver.identity
    print(f"paired with {_plain(identity.account_email)} of {_plain(identity.realm_display_name)}; finish there")


class _Watch:
    """The stream, and what is typed meanwhile: it belongs to the request that has waited longest."""

    def __init__(self, approver: Approver) -> None:
        self._approver = approver
        self._open: dict[str, two_factor_pb2.ApprovalRequest] = {}
        self._lines: asyncio.Queue[str] = asyncio.Queue()

    async def run(self) -> None:
        """Until the end of standard input, or the server knows this approver no more."""
        loop = asyncio.get_running_loop()

        def read() -> None:
            for line in sys.stdin:
                loop.call_soon_threadsafe(self._lines.put_nowait, line.strip())
            loop.call_soon_threadsafe(self._lines.put_nowait, "q")

        # A daemon, as nothing ends a thread that waits for a line.
        threading.Thread(target=read, daemon=True).start()
        print("watching; for each request type its number, d to deny, n if it was not you; q quits", flush=True)
        told, typed = asyncio.create_task(self._told()), asyncio.create_task(self._typed())
        done, left = await asyncio.wait((told, typed), return_when=asyncio.FIRST_COMPLETED)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        for task in done:
            task.result()

    async def _told(self) -> None:
        refused = 0
        while True:
            try:
                async for message in self._approver.watch():
                    refused = 0
                    self._take(message)
            except Unauthenticated as error:
                # Once means that the account has changed; twice that this approver is no more, or not yet.
                refused += 1
                if refused > 1 or error.reason != "APPROVER_INVALID":
                    raise
            except Unavailable:
                pass
            self._open.clear()
            await asyncio.sleep(_PAUSE_SECONDS)

    def _take(self, message: two_factor_pb2.WatchApprovalsResponse) -> None:
        for request in message.opened:
            self._open[request.request_id] = request
            where = ", ".join(filter(None, (request.place, request.ip_address, request.browser)))
            kind = "confirm in a session" if request.step_up else "sign in"
            time = request.create_time.ToDatetime().strftime("%H:%M:%S UTC")
            print(
                f"{_plain(request.realm_display_name)}: {kind}, {_plain(where) or 'from somewhere'}, {time}\n"
                f"  request {_plain(request.request_id)}\n"
                f"  type the {request.digits} digits that the screen shows, d or n:",
                flush=True,
            )
        for ended in message.ended:
            if self._open.pop(ended.request_id, None) is not None:
                state = two_factor_pb2.ApprovalState.Name(ended.state).removeprefix("APPROVAL_STATE_").lower()
                print(f"request {_plain(ended.request_id)}: {state.replace('_', ' ')}", flush=True)

    async def _typed(self) -> None:
        while (line := await self._lines.get()) != "q":
            request = next(iter(self._open.values()), None)
            if request is None or not line:
                continue
            try:
                await self._answer(request, line)
            except TwofoldError as error:
                print(f"  {error}", flush=True)

    async def _answer(self, request: two_factor_pb2.ApprovalRequest, line: str) -> None:
        digits = "".join(line.split())
        if line == "d":
            await self._approver.deny(request.request_id)
        elif line == "n":
            await self._approver.not_me(request.request_id)
        # A slip of the finger is caught here: a wrong number ends the sign-in.
        elif digits.isascii() and digits.isdigit() and len(digits) == request.digits:
            await self._approver.approve(request.request_id, digits)
        else:
            print(f"  {request.digits} digits, d or n", flush=True)


def _plain(text: str) -> str:
    """Text of a server's, without what would move a terminal's cursor."""
    return "".join(character if character.isprintable() else "?" for character in text)
