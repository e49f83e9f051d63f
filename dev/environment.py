"""Virtual environments made from a hashed lock, and made again when the lock or the machine changes.

Standard library only: it runs before anything is installed.
"""

import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The checkout's folder."""

_STAMP = "made-from"


class EnvironmentFailed(Exception):
    """A virtual environment could not be made; the text says what to do."""


@contextlib.contextmanager
def locked(folder: Path = ROOT) -> Iterator[None]:
    """Let one process at a time change the environments under `folder`; others wait. Freed when the holder dies."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def fingerprint(*files: Path, more: Sequence[str] = ()) -> str:
    """Digest of what an environment depends on: files and texts, the Python and the processor (native builds)."""
    digest = hashlib.sha256(f"{sys.version}\0{platform.machine()}\0{ROOT}\0{_processor()}".encode())
    for file in files:
        digest.update(b"\0" + file.read_bytes())
    for text in more:
        digest.update(b"\0" + text.encode())
    return digest.hexdigest()


def is_current(environment: Path, print_: str) -> bool:
    """Whether the environment was finished with this fingerprint and its Python still starts."""
    stamp = environment / _STAMP
    if not stamp.exists() or stamp.read_text() != print_:
        return False
    python = environment / "bin" / "python"
    return subprocess.run([python, "-c", ""], check=False, capture_output=True).returncode == 0


def finish(environment: Path, print_: str) -> None:
    """Note that the environment is complete. Last step: an interrupted run leaves no stamp and is done again."""
    partial = environment / f"{_STAMP}.part"
    partial.write_text(print_)
    partial.rename(environment / _STAMP)


def create(environment: Path, lock: Path) -> Path:
    """Make the environment anew with exactly the packages of the lock; return its Python.

    Raises EnvironmentFailed.
    """
    shutil.rmtree(environment, ignore_errors=True)
    made = subprocess.run([sys.executable, "-m", "venv", environment], check=False, capture_output=True, text=True)
    if made.returncode:
        shutil.rmtree(environment, ignore_errors=True)
        raise EnvironmentFailed(
            f"{sys.executable} -m venv failed (on Debian and Ubuntu: apt install python3-venv):\n"
            f"{made.stdout}{made.stderr}".rstrip()
        )
    python = environment / "bin" / "python"
    # What is used is compiled when it is first imported; all of it takes a third of the time.
    pip(python, "install", "--no-compile", "--require-hashes", "--no-deps", "-r", lock)
    return python


def pip(python: Path, *arguments: str | Path) -> None:
    """Run pip quietly in an environment. Raises EnvironmentFailed with pip's own words."""
    quiet: Sequence[str] = ("--quiet", "--disable-pip-version-check", "--no-input")
    done = subprocess.run([python, "-m", "pip", *arguments, *quiet], check=False, capture_output=True, text=True)
    if done.returncode:
        raise EnvironmentFailed(f"pip {arguments[0]} failed:\n{done.stdout}{done.stderr}".rstrip())


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")
