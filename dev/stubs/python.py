"""The Python client's stubs, by the oldest supported grpcio-tools (requirements/generate.in says why)."""

import os
import subprocess
from pathlib import Path, PurePosixPath

from dev.environment import ROOT, EnvironmentFailed, create, fingerprint, finish, is_current, locked
from dev.stubs import Fresh

_ENVIRONMENT = ROOT / ".venv-generate"
_LOCK = ROOT / "requirements" / "generate.txt"
_PROTOS = ROOT / "protos"
_PACKAGE = PurePosixPath("twofold", "v1")
_STUBS = PurePosixPath("clients", "python") / _PACKAGE
_INIT = '"""Generated from protos/twofold/v1 by `make generate`: messages, enums, stubs. Not edited by hand."""\n'


def fresh(folder: Path) -> Fresh:
    """What the folder of the stubs must hold; `folder` is empty and is written to.

    Raises EnvironmentFailed with what pip or protoc said.
    """
    try:
        with locked():
            print_ = fingerprint(_LOCK)
            if not is_current(_ENVIRONMENT, print_):
                create(_ENVIRONMENT, _LOCK)
                finish(_ENVIRONMENT, print_)
    except EnvironmentFailed as failure:
        raise EnvironmentFailed(f"{failure}\nThe generator has wheels for Python 3.11 and 3.12.") from None
    present = [file.name for file in (ROOT / _STUBS).glob("*") if file.is_file()]
    made = _generated(folder)
    return {_STUBS / name: made.get(name) for name in (*present, *made)}


def _generated(folder: Path) -> dict[str, bytes]:
    binaries = _ENVIRONMENT / "bin"
    protos = sorted((_PROTOS / _PACKAGE).glob("*.proto"))
    done = subprocess.run(
        [
            # grpcio-tools of this age warns about pkg_resources, which is no news.
            binaries / "python", "-W", "ignore", "-m", "grpc_tools.protoc", f"--proto_path={_PROTOS}",
            f"--python_out={folder}", f"--pyi_out={folder}", f"--grpc_python_out={folder}",
            f"--mypy_grpc_out=quiet:{folder}", *protos,
        ],
        check=False, capture_output=True, text=True,
        env=os.environ | {"PATH": f"{binaries}{os.pathsep}{os.environ.get('PATH', os.defpath)}"},
    )  # fmt: skip
    if done.returncode:
        raise EnvironmentFailed(f"protoc failed:\n{done.stdout}{done.stderr}".rstrip())
    # A file without a service gets an empty module too; it would only be noise to an importer.
    with_service = {
        proto.stem for proto in protos if any(line.startswith("service ") for line in proto.read_text().splitlines())
    }
    files = {
        made.name: made.read_bytes()
        for made in sorted((folder / _PACKAGE).iterdir())
        if "_pb2_grpc." not in made.name or made.name.partition("_pb2_grpc.")[0] in with_service
    }
    return files | {"__init__.py": _INIT.encode()}
