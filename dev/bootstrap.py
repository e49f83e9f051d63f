"""Make `.venv`: the locked packages, this project and its client, and an Argon2 built for the machine.

`python3 -m dev.bootstrap`, Python 3.11 or newer, standard library only. Does nothing where nothing has changed.
"""

import json
import sys
import tomllib
from pathlib import Path

from dev.argon2_build import build_for_this_machine
from dev.environment import ROOT, EnvironmentFailed, create, fingerprint, finish, is_current, locked, pip

ENVIRONMENT = ROOT / ".venv"
_LOCK = ROOT / "requirements" / "dev.txt"
_LOCKS = (_LOCK, ROOT / "requirements" / "argon2.txt")
_PROJECTS = (ROOT / "clients" / "python" / "pyproject.toml", ROOT / "pyproject.toml")


def main() -> int:
    """Make the environment if it is missing or outdated; 0, or 1 with the reason on standard error."""
    try:
        with locked():
            print_ = fingerprint(*_LOCKS, more=[_installed_part(project) for project in _PROJECTS])
            if is_current(ENVIRONMENT, print_):
                return 0
            print("Installing the locked packages into .venv (a minute the first time) ...", flush=True)
            python = create(ENVIRONMENT, _LOCK)
            pip(python, "install", "--no-build-isolation", "--no-deps", *_editable())
            build_for_this_machine(python, _LOCK)
            finish(ENVIRONMENT, print_)
    except EnvironmentFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


def _installed_part(project: Path) -> str:
    """What an installation takes from a pyproject.toml: the settings of linters and tests are no part of it."""
    tables = tomllib.loads(project.read_text(encoding="utf-8"))
    return json.dumps([tables["build-system"], tables["project"], tables["tool"]["hatch"]], sort_keys=True)


def _editable() -> list[str | Path]:
    return [word for project in _PROJECTS for word in ("--editable", project.parent)]


if __name__ == "__main__":
    sys.exit(main())
