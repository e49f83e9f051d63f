"""The user's mailbox and authenticator app, over HTTP on loopback: what a story asks that no client can answer."""

from __future__ import annotations

import base64
import contextlib
import email
import email.policy
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from twofold_server.crypto import otp

_WAIT_SECONDS: Final = 10.0
_PAUSE_SECONDS: Final = 0.02
_FRESH_SECONDS: Final = 10.0
_LINK: Final = re.compile(r"token=([\w-]{43})")
_CODE: Final = re.compile(r"^\s*(\d{6})\s*$", re.MULTILINE)


class NotThere(Exception):
    """What was asked for did not come in time; the text says what."""


class Mailbox:
    """The mails that a server writes as files; what is in one is told once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._told: set[Path] = set()
        self._lock = threading.Lock()

    def newest(self, address: str, wanted: re.Pattern[str]) -> str:
        """What the newest mail to an address has of a kind; waits 10 s for it. Raises NotThere."""
        ends = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < ends:
            with self._lock:
                for path in sorted(self._folder.glob("*.eml"), reverse=True):
                    if path not in self._told and (found := _found(path, address, wanted)):
                        self._told.add(path)
                        return found
            time.sleep(_PAUSE_SECONDS)
        raise NotThere(f"no such mail to {address} within {_WAIT_SECONDS:g} s")


def _found(path: Path, address: str, wanted: re.Pattern[str]) -> str:
    mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert isinstance(mail, EmailMessage)
    body = mail.get_body(("plain",))
    if str(mail["To"]) != address or body is None:
        return ""
    found = wanted.search(body.get_content())
    return found[1] if found is not None else ""


class AuthenticatorApps:
    """Apps by their secrets; none shows a code twice, and each code is good for 10 s at least when it is shown.

    The service takes a code one step early or late, so a code needs no wait unless some were shown just before.
    """

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._lock = threading.Lock()

    def code(self, secret: str) -> str:
        """The next code; waits for its time, 40 s at most."""
        seed = base64.b32decode(secret.replace(" ", ""))
        with self._lock:
            now = time.time()
            still_good = now % otp.PERIOD_SECONDS < otp.PERIOD_SECONDS - _FRESH_SECONDS
            earliest = otp.step_at(datetime.fromtimestamp(now, UTC)) - still_good
            step = self._last[secret] = max(self._last.get(secret, 0) + 1, earliest)
        time.sleep(max(0.0, (step - 1) * otp.PERIOD_SECONDS - now))
        return otp.totp_code(seed, step)


@contextlib.contextmanager
def serving(mails: Path) -> Iterator[str]:
    """For the length of the block, answer `/link?email=`, `/code?email=` and `/totp?secret=`; yields the URL.

    Each answers `{"token": ...}` or `{"code": ...}`, or 404 and `{"error": ...}`.
    """
    mailbox, apps = Mailbox(mails), AuthenticatorApps()
    questions: dict[str, Callable[[dict[str, str]], dict[str, str]]] = {
        "/link": lambda query: {"token": mailbox.newest(query["email"], _LINK)},
        "/code": lambda query: {"code": mailbox.newest(query["email"], _CODE)},
        "/totp": lambda query: {"code": apps.code(query["secret"])},
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            try:
                status, answer = 200, questions[asked.path](dict(parse_qsl(asked.query)))
            except NotThere as error:
                status, answer = 404, {"error": str(error)}
            except (KeyError, ValueError):
                status, answer = 404, {"error": f"{asked.path} is no question, or lacks what it is about"}
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: secrets stand in the query."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="helper")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
