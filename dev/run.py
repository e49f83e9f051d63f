"""Serve in development mode with everything that it needs: PostgreSQL, schema, key, mail as files. Behind `make run`.

State stands in `.twofold/`. DATABASE_URL names a PostgreSQL of your own. Ctrl-C or SIGTERM stops all of it, and so does
the end of whatever started this.
"""

import asyncio
import contextlib
import ctypes
import errno
import fcntl
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from dev.environment import ROOT
from dev.postgres import PostgresFailed, Server
from twofold_server.db.migrate import MigrationFailed, migrate
from twofold_server.db.pool import InsecureDatabase
from twofold_server.settings import split_address

_STATE = ROOT / ".twofold"
_DRAIN_SECONDS = 15.0
_PR_SET_PDEATHSIG = 1


class CannotRun(Exception):
    """Serving is not possible now; the text says why."""


class _Stopped(Exception):
    """SIGTERM or Ctrl-C came."""


def main() -> int:
    """Serve until told to stop; 0 then, 1 with the reason on standard error if it cannot."""
    _end_with_parent()
    try:
        with _only_one(), _database() as (url, database):
            return _serve(url, database)
    except _Stopped:
        return 0
    except (CannotRun, PostgresFailed, MigrationFailed, InsecureDatabase) as failure:
        print(f"make run: {failure}", file=sys.stderr)
        return 1


def _end_with_parent() -> None:
    """Turn the end of make into SIGTERM, and SIGTERM, SIGHUP and Ctrl-C into an orderly stop."""
    parent = os.getppid()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _stop)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            sys.exit(1)


def _stop(_number: int, _frame: FrameType | None) -> None:
    # Once is enough: a second Ctrl-C must not cut the stopping short and leave processes behind.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise _Stopped


@contextlib.contextmanager
def _only_one() -> Iterator[None]:
    _STATE.mkdir(mode=0o700, exist_ok=True)
    with (_STATE / "run.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            process, *_ = lock.read().split() or ["unknown"]
            raise CannotRun(f"it runs already in this folder (process {process})") from None
        _demand_free(_address())
        lock.truncate(0)
        # The second line tells `make demo` where to call.
        lock.write(f"{os.getpid()}\n{_address()}\n")
        lock.flush()
        yield


def _address() -> str:
    return os.environ.get("TWOFOLD_LISTEN") or "127.0.0.1:50051"


def _demand_free(address: str) -> None:
    try:
        host, port = split_address(address)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            # A port of connections that have just ended is free; one that is listened on is not.
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((host, port))
    except ValueError as error:
        raise CannotRun(f"TWOFOLD_LISTEN {error}") from None
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        why = "something listens there already" if taken else error.strerror
        raise CannotRun(f"cannot listen on {address}: {why}; TWOFOLD_LISTEN=127.0.0.1:PORT names another") from None


@contextlib.contextmanager
def _database() -> Iterator[tuple[str, Server | None]]:
    """A migrated database's URL, and its server where it is ours."""
    if given := os.environ.get("TWOFOLD_DATABASE_URL") or os.environ.get("DATABASE_URL"):
        _migrate(given)
        yield given, None
        return
    postgres = Server(_STATE / "postgres")
    try:
        postgres.start()
        try:
            _migrate(postgres.dsn())
        except MigrationFailed as failure:
            raise CannotRun(f"{failure}; to begin again with an empty database, remove {_shown(str(_STATE))}") from None
        yield postgres.dsn(), postgres
    finally:
        postgres.close()


def _migrate(url: str) -> None:
    try:
        for name in asyncio.run(migrate(url)):
            print(f"applied {name}", flush=True)
    except (OSError, TimeoutError) as error:
        raise CannotRun(f"the database cannot be reached: {str(error) or type(error).__name__}") from None


def _serve(url: str, database: Server | None) -> int:
    environment = {
        "TWOFOLD_DEVELOPMENT": "true",
        "TWOFOLD_MASTER_KEY_FILE": str(_master_key()),
        **({} if os.environ.get("TWOFOLD_SMTP_HOST") else {"TWOFOLD_MAIL_DIRECTORY": str(_STATE / "sent")}),
        **os.environ,
        "TWOFOLD_DATABASE_URL": url,
    }
    environment.pop("DATABASE_URL", None)
    mail = environment.get("TWOFOLD_MAIL_DIRECTORY")
    print(
        f"Twofold on {_address()}; mail {f'as files in {_shown(mail)}' if mail else 'goes to the relay'}. "
        "Try `make demo` in another terminal. Ctrl-C stops everything.",
        flush=True,
    )
    server = subprocess.Popen(
        [sys.executable, "-c", _SERVE, str(os.getpid())],
        env=environment,
        stdin=subprocess.DEVNULL,
        # A Ctrl-C at the terminal reaches this program alone, which stops the parts in order.
        start_new_session=True,
    )
    try:
        while server.poll() is None:
            if database is not None and not database.running():
                raise CannotRun(f"PostgreSQL has ended; {database.log} says why")
            time.sleep(0.2)
        print(f"make run: the server has ended with exit code {server.returncode}", file=sys.stderr)
        return 1
    finally:
        _end(server)


# The server as a child that is told to stop when this program ends, even by kill -9.
_SERVE = f"""
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl({_PR_SET_PDEATHSIG}, signal.SIGTERM)
    if os.getppid() != int(sys.argv[1]):
        sys.exit(1)
sys.argv = ["twofold-server", "serve"]
from twofold_server.cli import main
main()
"""


def _shown(folder: str) -> str:
    path = Path(folder)
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


def _end(server: "subprocess.Popen[bytes]") -> None:
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(_DRAIN_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _master_key() -> Path:
    """The development database's own key, made once: without it, what is sealed there could not be read again."""
    file = _STATE / "master.key"
    if not file.exists():
        partial = _STATE / "master.key.part"
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(f"1:{secrets.token_hex(32)}\n")
        partial.rename(file)
    return file


if __name__ == "__main__":
    sys.exit(main())
