"""Each client's own tests, and its package as it would be published."""

from __future__ import annotations

import asyncio
import os
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dev.version import version
from tests.clients.runners import CLIENTS

_ROOT: Final = CLIENTS.parent
_OWN_TESTS: Final = "tests/unit/verifier"


@dataclass(frozen=True, slots=True)
class Package:
    """Where a package comes to lie, and what has to be in it; `{v}` stands for the version."""

    path: str
    members: tuple[str, ...]


_PACKAGES: Final = {
    "python": [
        Package(
            "twofold-{v}-py3-none-any.whl", ("twofold/verifier.py", "twofold/v1/session_pb2.py", "twofold/py.typed")
        ),
    ],
    "go": [
        Package("dist/twofold-go-v{v}.zip", ("*@v{v}/go.mod", "*@v{v}/verifier.go", "*@v{v}/v1/session_grpc.pb.go")),
    ],
    "typescript": [
        Package(
            "build/twofold-client-{v}.tgz", ("dist/index.js", "dist/index.d.ts", "dist/gen/twofold/v1/session_pb.js")
        ),
    ],
    "java": [
        Package("target/twofold-client-{v}.jar", ("twofold/Verifier.class", "twofold/v1/SessionServiceGrpc.class")),
        Package("target/twofold-client-{v}-sources.jar", ("twofold/Verifier.java",)),
    ],
}


async def _run(*command: str | Path) -> None:
    # The make that this runs under hands its own variables down, such as pytest's ARGS.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "ARGS"}
    process = await asyncio.create_subprocess_exec(
        *command, cwd=_ROOT, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()[-100_000:]


async def test_the_client_passes_its_own_tests(language: str) -> None:
    """The client's own tests pass, the shared vectors among them."""
    if language == "python":
        await _run(sys.executable, "-m", "pytest", "-q", _OWN_TESTS)
    else:
        await _run("make", "-C", CLIENTS / language, "test")


async def test_the_package_is_whole(language: str, tmp_path: Path) -> None:
    """The package builds as it would be published, carries the one version, and has the client and the stubs in it."""
    if language == "python":
        folder = tmp_path
        pip = (sys.executable, "-m", "pip", "--quiet", "wheel", "--no-deps", "--no-index", "--no-build-isolation")
        await _run(*pip, "--wheel-dir", folder, CLIENTS / language)
    else:
        folder = CLIENTS / language
        await _run("make", "-C", folder, "package")
    for package in _PACKAGES[language]:
        (path,) = folder.glob(package.path.format(v=version()))
        names = [Path(name) for name in _names(path)]
        for wanted in package.members:
            pattern = wanted.format(v=version())
            assert any(name.match(pattern) for name in names), f"{path.name} has no {pattern}"


def _names(path: Path) -> list[str]:
    if path.suffix == ".tgz":
        with tarfile.open(path) as archive:
            return archive.getnames()
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()
