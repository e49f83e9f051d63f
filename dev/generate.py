"""Write the Python stubs of the contract, or with `--check` tell whether those in the tree are what it would write.

The oldest supported grpcio-tools generates them (requirements/generate.in says why), in `.venv-generate`.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from dev.environment import ROOT, EnvironmentFailed, create, fingerprint, finish, is_current, locked

_ENVIRONMENT = ROOT / ".venv-generate"
_LOCK = ROOT / "requirements" / "generate.txt"
_PROTOS = ROOT / "protos"
_PACKAGE = Path("twofold") / "v1"
_STUBS = ROOT / "clients" / "python" / _PACKAGE
_INIT = '"""Generated from protos/twofold/v1 by `make generate`: messages, enums, stubs. Not edited by hand."""\n'


def main() -> int:
    """Generate or check; 0, or 1 with what differs on standard error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if the stubs are not fresh")
    check = parser.parse_args().check
    try:
        with locked():
            print_ = fingerprint(_LOCK)
            if not is_current(_ENVIRONMENT, print_):
                create(_ENVIRONMENT, _LOCK)
                finish(_ENVIRONMENT, print_)
        with tempfile.TemporaryDirectory(prefix="twofold-stubs-") as folder:
            fresh = generate(Path(folder))
    except EnvironmentFailed as failure:
        print(f"{failure}\nThe generator has wheels for Python 3.11 and 3.12.", file=sys.stderr)
        return 1
    changed = differences(fresh)
    if check:
        for name in changed:
            print(f"not fresh: {(_STUBS / name).relative_to(ROOT)}", file=sys.stderr)
        if changed:
            print("Run `make generate` and commit the result.", file=sys.stderr)
        return 1 if changed else 0
    _STUBS.mkdir(parents=True, exist_ok=True)
    for name in changed:
        if name in fresh:
            (_STUBS / name).write_bytes(fresh[name])
        else:
            (_STUBS / name).unlink()
        print(f"{'wrote' if name in fresh else 'removed'} {(_STUBS / name).relative_to(ROOT)}")
    return 0


def generate(folder: Path) -> dict[str, bytes]:
    """What the stubs' folder must hold: contents by file name. `folder` is empty and is written to.

    Raises EnvironmentFailed with protoc's own words.
    """
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


def differences(fresh: dict[str, bytes]) -> list[str]:
    """Names of the files that are missing, stale or left over in the tree, sorted."""
    files = [file for file in _STUBS.iterdir() if file.is_file()] if _STUBS.exists() else []
    present = {file.name: file.read_bytes() for file in files}
    return sorted(name for name in fresh.keys() | present.keys() if fresh.get(name) != present.get(name))


if __name__ == "__main__":
    sys.exit(main())
