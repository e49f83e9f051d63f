"""A worker: one serving process of several, started by the supervisor and ended with it."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
from typing import Final

from twofold_server import app
from twofold_server.handover import unpack
from twofold_server.settings import SettingsError

SERVING: Final = b"serving\n"
_PR_SET_PDEATHSIG: Final = 1


def main() -> None:
    """Serve with the settings that come on standard input, a socket; say so there; drain when the parent ends.

    `argv[1]` is the parent's process id. Raises SystemExit with one plain line where it can't start.
    """
    _end_with(int(sys.argv[1]))
    with socket.socket(fileno=os.dup(0)) as parent:
        _close_standard_input()
        try:
            settings = unpack(_read(parent))
        except SettingsError as error:
            raise SystemExit(f"twofold-server: {error}") from None

        def serving() -> None:
            parent.sendall(SERVING)
            parent.close()

        app.run(settings, serving=serving)


def _end_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it ended before the line above
        sys.exit(1)


def _close_standard_input() -> None:
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 (a descriptor is wanted, not a path)
        os.dup2(nothing.fileno(), 0)


def _read(parent: socket.socket) -> bytes:
    parts = []
    while part := parent.recv(65536):
        parts.append(part)
    return b"".join(parts)


if __name__ == "__main__":
    main()
