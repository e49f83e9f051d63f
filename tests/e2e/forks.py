"""Command lines as processes of their own, forked from one that has loaded the libraries already.

Loading them is nearly all that a short command takes. A forked process has the environment, arguments, standard streams
and exit code of one that was started anew; only its interpreter has been up before.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any, Final, NoReturn

_ROOT: Final = Path(__file__).parents[2]
_STREAMS: Final = ("in", "out", "err")
_START_SECONDS: Final = 30.0
_KILLED: Final = -9
_server: tuple[subprocess.Popen[bytes], str] | None = None


def run(
    environment: dict[str, str], arguments: tuple[str, ...], typed: str = "", seconds: float = 30.0
) -> tuple[int, str, str]:
    """Run `twofold-server` with these arguments to its end; exit code, standard output and error.

    Blocks. Raises TimeoutError, and then it was killed.
    """
    with tempfile.TemporaryDirectory(prefix="twofold-command-") as folder:
        Path(folder, "in").write_text(typed)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(_started())
            request = {"environment": environment, "arguments": arguments, "folder": folder, "seconds": seconds}
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as reader:
                code = int(reader.readline() or b"1")
        if code == _KILLED:
            raise TimeoutError(f"{arguments} did not end within {seconds} s")
        return code, Path(folder, "out").read_text(), Path(folder, "err").read_text()


def _started() -> str:
    """Where the server listens; it ends with the process that started it."""
    global _server
    if _server is None or _server[0].poll() is not None:
        path = Path(tempfile.mkdtemp(prefix="twofold-forks-"), "socket")
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.forks", str(path)], cwd=_ROOT, stdin=subprocess.PIPE, close_fds=True
        )
        ends = time.monotonic() + _START_SECONDS
        while not path.exists():
            if process.poll() is not None or time.monotonic() > ends:
                raise AssertionError("the server of command lines did not start")
            time.sleep(0.02)
        _server = process, str(path)
    return _server[1]


def _serve(path: str) -> None:
    # What is loaded once. Nothing of gRPC has begun by then, so that it may be forked.
    import twofold.desk  # noqa: F401, PLC0415
    import twofold_server.cli  # noqa: F401, PLC0415

    # Nobody's children: those that have ended are gone.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        # Listening before it can be seen.
        listener.bind(f"{path}.new")
        listener.listen()
        Path(f"{path}.new").rename(path)
        if os.fork() == 0:
            _end_with_the_parents(path)
        while Path(path).exists():
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _attend(connection)
            connection.close()


def _end_with_the_parents(path: str) -> NoReturn:
    """Wait for the end of standard input, which whoever started the server holds open, and stop the server."""
    os.read(0, 1)
    Path(path).unlink()
    Path(path).parent.rmdir()
    os.kill(os.getppid(), signal.SIGTERM)
    os._exit(0)


def _attend(connection: socket.socket) -> NoReturn:
    """Fork the command, wait for its end, and tell its code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with connection.makefile("rb") as reader:
        request: dict[str, Any] = json.loads(reader.readline())
    command = os.fork()
    if command == 0:
        connection.close()
        _become(request)
    ends = time.monotonic() + request["seconds"]
    code = None
    while code is None:
        ended, status = os.waitpid(command, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
        elif time.monotonic() > ends:
            os.kill(command, signal.SIGKILL)
            code = _KILLED
        else:
            time.sleep(0.005)
    connection.sendall(f"{code}\n".encode())
    os._exit(0)


def _become(request: dict[str, Any]) -> NoReturn:
    for number, name in enumerate(_STREAMS):
        file = os.open(Path(request["folder"], name), os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = ["twofold-server", *request["arguments"]]
    code = 0
    try:
        from twofold_server.cli import main  # noqa: PLC0415

        main()
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 (as the interpreter does)
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _serve(sys.argv[1])
