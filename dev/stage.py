"""What the demonstration shows and holds: its lines on the terminal, its mailbox, its authenticator app."""

import asyncio
import base64
import contextlib
import email
import email.policy
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from twofold import TwofoldError
from twofold_server.crypto import otp

_MAIL_SECONDS = 15.0
_RPC_COLUMN = 20


class StepFailed(Exception):
    """A step of the story did not do what it should."""


class Stage:
    """Prints one line a step: the RPC, and what came of it."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def chapter(self, title: str) -> None:
        """Begin a part."""
        self.console.print(Text(f"\n{title}", style="bold"))

    def done(self, rpc: str, text: str) -> None:
        """A call that did what it should."""
        self._line("✓", "green", rpc, text)

    def note(self, text: str) -> None:
        """What happens without a call."""
        self._line(" ", "", "", text)

    @contextlib.contextmanager
    def refused(self, rpc: str, reason: str, text: str) -> Iterator[None]:
        """Demand that the block's call is refused for a reason. Raises StepFailed where it is not."""
        try:
            yield
        except TwofoldError as error:
            if error.reason != reason:
                raise
            self._line("✗", "red", rpc, f"{text}: refused, {reason}")
        else:
            raise StepFailed(f"{rpc} should have been refused with {reason}: {text}")

    def _line(self, mark: str, colour: str, rpc: str, text: str) -> None:
        self.console.print(Text.assemble((f"  {mark} ", f"bold {colour}"), (rpc.ljust(_RPC_COLUMN), "cyan"), " ", text))


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail that the service wrote."""

    path: Path
    subject: str
    token: str
    """Of the link in it; empty if there is none."""


class Mailbox:
    """The mails to one address, read where the service writes them in development."""

    def __init__(self, folder: Path, address: str) -> None:
        self._folder = folder
        self._address = address

    async def newest_link(self) -> Letter:
        """Wait for a mail with a link. Raises StepFailed where none comes within 15 s."""
        ends = time.monotonic() + _MAIL_SECONDS
        while time.monotonic() < ends:
            for letter in reversed(self.letters()):
                if letter.token:
                    return letter
            await asyncio.sleep(0.05)
        raise StepFailed(f"no mail to {self._address} in {self._folder}: does the service write its mail elsewhere?")

    def letters(self) -> list[Letter]:
        """All mail so far, the oldest first."""
        found = []
        for path in sorted(self._folder.glob("*.eml")):
            message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            if str(message["To"]) == self._address:
                body = message.get_body(("plain",))
                link = re.search(r"token=([\w-]{43})", body.get_content()) if body is not None else None
                found.append(Letter(path, str(message["Subject"]), link[1] if link is not None else ""))
        return found


class AuthenticatorApp:
    """Shows codes as an app does, never one twice.

    The service takes a code one step early or late, so three codes in a row need no wait in between.
    """

    def __init__(self, secret: str) -> None:
        self._seed = base64.b32decode(secret.replace(" ", ""))
        self._last = 0

    async def code(self) -> str:
        """The earliest code that is good and was not shown yet; waits where that is more than a step ahead."""
        # A code one step late must not become two while it travels.
        now = time.time()
        safely_late = now % otp.PERIOD_SECONDS < otp.PERIOD_SECONDS - 2
        earliest = otp.step_at(datetime.fromtimestamp(now, UTC)) - (1 if safely_late else 0)
        self._last = max(self._last + 1, earliest)
        early_by = (self._last - 1) * otp.PERIOD_SECONDS - now
        if early_by > 0:
            await asyncio.sleep(early_by + 0.1)
        return otp.totp_code(self._seed, self._last)
