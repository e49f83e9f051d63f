"""How root starts PostgreSQL, which refuses user id 0; an ordinary user starts it as it is.

Two ways, tried in this order, neither of which adds a user or changes the mode of a file:

1. A user namespace in which root has another number: files stay root's own.
2. As `nobody`, with the one capability to pass over file permissions: for containers that forbid user namespaces, and
   for folders of other users, which the first way cannot reach. The data folder then belongs to `nobody`.
"""

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# Asks the kernel for a fast shutdown when the parent ends, then becomes the program. Setting it in the last step
# matters: a change of user id clears it. The parent may have gone before the request: hence the look at its id.
_DIE_WITH_PARENT = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 2)
    if os.getppid() != int(sys.argv[1]):
        sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""
_CAPABILITIES = "+dac_override,+dac_read_search"


@dataclass(frozen=True, slots=True)
class Launcher:
    """A way to start a program that must not see user id 0."""

    prefix: tuple[str, ...]
    owner: tuple[int, int] | None
    """User and group that the program's files must belong to; None: leave them as they are."""

    def command(self, program: Sequence[str | Path], *, dies_with_parent: bool = False) -> list[str]:
        """The command line that starts `program`, an absolute path with its arguments."""
        words = [str(word) for word in program]
        if dies_with_parent:
            words = [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid()), *words]
        return [*self.prefix, *words]

    def own(self, folder: Path) -> None:
        """Give a folder and all in it to the user that the program runs as; they may be of an earlier launcher."""
        if self.owner is None or _belongs(folder, self.owner):
            return
        for place, _, files in os.walk(folder):
            for name in (".", *files):
                os.chown(Path(place) / name, *self.owner, follow_symlinks=False)


def launcher_for(program: Path, folder: Path, socket: Path) -> Launcher:
    """The first way that reaches the program and may write into both folders.

    Raises PermissionError where root has none.
    """
    if os.geteuid() != 0:
        return Launcher((), None)
    test = 'test -x "$0" && test -x "$1" && test -w "$2" && test -w "$3"'
    for launcher in _ways():
        probe = launcher.command(["/bin/sh", "-c", test, program, sys.executable, folder, socket])
        if subprocess.run(probe, check=False, capture_output=True).returncode == 0:
            return launcher
    raise PermissionError(
        "PostgreSQL does not run as root, and neither `unshare` nor `setpriv` (util-linux) can give it another user id "
        "here: run this as an ordinary user"
    )


def _ways() -> list[Launcher]:
    ways = []
    if unshare := shutil.which("unshare"):
        ways.append(Launcher((unshare, "--user", "--map-user=1000", "--map-group=1000"), (0, 0)))
    if setpriv := shutil.which("setpriv"):
        try:
            nobody = pwd.getpwnam("nobody")
        except KeyError:
            return ways
        identity = (f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups")
        kept = (f"--inh-caps={_CAPABILITIES}", f"--ambient-caps={_CAPABILITIES}")
        ways.append(Launcher((setpriv, *identity, *kept), (nobody.pw_uid, nobody.pw_gid)))
    return ways


def _belongs(folder: Path, owner: tuple[int, int]) -> bool:
    status = folder.stat()
    return (status.st_uid, status.st_gid) == owner
