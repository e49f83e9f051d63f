"""The one version, of the file VERSION, in the files of the server and the Python client that name it.

The other clients' Makefiles write it where their language needs it.
"""

import re
from pathlib import PurePosixPath

from dev.environment import ROOT, EnvironmentFailed
from dev.stubs import Fresh

_VERSION = ROOT / "VERSION"
# PEP 440, the spelling that every language's packages share.
_GOOD = re.compile(r"\d+\.\d+\.\d+")
_PLACES = {
    "pyproject.toml": (r'^version = "(.+)"$', r'^    "twofold==(.+)",$'),
    "clients/python/pyproject.toml": (r'^version = "(.+)"$',),
    "clients/python/twofold/_version.py": (r'^__version__ = "(.+)"$',),
    "server/twofold_server/__init__.py": (r'^__version__ = "(.+)"$',),
}


def version() -> str:
    """The version. Raises EnvironmentFailed where the file has none of the form 1.2.3."""
    text = _VERSION.read_text(encoding="utf-8").strip()
    if not _GOOD.fullmatch(text):
        raise EnvironmentFailed(f"VERSION must hold a version such as 1.2.3, and nothing else; it holds {text!r}")
    return text


def fresh() -> Fresh:
    """The files with the version put in. Raises EnvironmentFailed where one has no place for it."""
    now = version()
    files: Fresh = {}
    for name, patterns in _PLACES.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        for pattern in patterns:
            found = re.search(pattern, text, re.MULTILINE)
            if found is None:
                raise EnvironmentFailed(f"{name} does not name the version as dev/version.py expects: {pattern}")
            text = text[: found.start(1)] + now + text[found.end(1) :]
        files[PurePosixPath(name)] = text.encode()
    return files
