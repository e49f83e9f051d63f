"""What `make generate` of a client's own Makefile writes: its stubs, and its version where it stands in a file."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from dev.environment import ROOT, EnvironmentFailed
from dev.stubs import Fresh

_SHARED = ("protos", "buf.yaml", "VERSION")
# Installed once, and linked to from the copy that is generated in.
_INSTALLED = (".venv", "clients/typescript/node_modules")
_MARK = re.compile(rb"^\W*(?:Code generated|@generated) ", re.MULTILINE)
_HEAD_BYTES = 512


def fresh(language: str, folder: Path) -> Fresh:
    """What the files of a client must hold; `folder` is empty and is written to.

    Generated in a copy without the stubs, so that a stale, an edited and a left-over one are found whatever their times
    are. Raises EnvironmentFailed with what make said.
    """
    client = PurePosixPath("clients", language)
    before = _kept([PurePosixPath(line) for line in _git("ls-files", "--cached", "--others", "--", str(client))])
    for name in before:
        if not _is_generated(ROOT / name):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    for shared in _SHARED:
        if (ROOT / shared).is_dir():
            shutil.copytree(ROOT / shared, folder / shared)
        else:
            shutil.copy2(ROOT / shared, folder / shared)
    for installed in _INSTALLED:
        if (ROOT / installed).is_dir() and (folder / installed).parent.is_dir():
            (folder / installed).symlink_to(ROOT / installed)
    # A make that this runs under has flags and a job server of its own.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["make", "-C", folder / client, "generate"], check=False, capture_output=True, text=True, env=environment
    )
    if done.returncode:
        raise EnvironmentFailed(f"make -C {client} generate failed:\n{done.stdout}{done.stderr}".rstrip())
    after = _kept(_files(folder, folder / client))
    return {name: _content(folder / name) for name in {*before, *after}}


def _git(*arguments: str, typed: str = "") -> list[str]:
    done = subprocess.run(
        ["git", "-c", "core.quotePath=false", *arguments],
        cwd=ROOT, check=False, capture_output=True, text=True, input=typed,
    )  # fmt: skip
    # check-ignore says by 1 that none is ignored.
    if done.returncode not in (0, 1):
        raise EnvironmentFailed(f"git {arguments[0]} failed; a check-out is needed:\n{done.stderr}".rstrip())
    return done.stdout.splitlines()


def _kept(names: Iterable[PurePosixPath]) -> set[PurePosixPath]:
    """Those that .gitignore does not leave out and that are there, or have been."""
    given = set(names)
    ignored = _git("check-ignore", "--no-index", "--stdin", typed="\n".join(map(str, given)))
    return given - set(map(PurePosixPath, ignored))


def _files(folder: Path, below: Path) -> list[PurePosixPath]:
    # Links are not followed: what was installed is none of it.
    return [
        PurePosixPath((Path(place) / name).relative_to(folder)) for place, _, names in os.walk(below) for name in names
    ]


def _is_generated(file: Path) -> bool:
    if not file.is_file():
        return True
    with file.open("rb") as opened:
        return _MARK.search(opened.read(_HEAD_BYTES)) is not None


def _content(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None
