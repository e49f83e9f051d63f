"""Build Argon2 from its locked source with this machine's vector units: about twice the stock wheel's rate.

Never fatal: without a C compiler, or if anything fails, the stock wheel stays or comes back, and one line says so.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from dev.environment import ROOT, EnvironmentFailed, create, pip

_PACKAGE = "argon2-cffi-bindings"
_TOOLS = ROOT / "requirements" / "argon2.txt"
# A library with an instruction that this machine lacks dies with SIGILL, so the trial is a process of its own.
_TRIAL = """
from argon2 import PasswordHasher
hasher = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
hasher.verify(hasher.hash("trial"), "trial")
"""


def build_for_this_machine(python: Path, lock: Path) -> bool:
    """Replace the stock wheel in the environment of `python` by a native build; whether that was done.

    The source is the one whose hash stands in `lock`. Takes some 20 s.
    """
    if not (os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")):
        print("Argon2: no C compiler here, so the stock build stays (about half the speed)", flush=True)
        return False
    with tempfile.TemporaryDirectory(prefix="twofold-argon2-") as name:
        folder = Path(name)
        requirement = folder / "requirement.txt"
        requirement.write_text(locked_requirement(lock.read_text(), _PACKAGE))
        try:
            wheel = _native_wheel(folder, requirement)
            pip(python, "install", "--no-index", "--no-deps", "--force-reinstall", wheel)
            failure = "" if _survives(python) else "the native build does not run here"
        except (EnvironmentFailed, OSError, StopIteration, subprocess.TimeoutExpired) as error:
            failure = (str(error).strip().splitlines() or [type(error).__name__])[-1][:200]
        if not failure:
            return True
        # --no-cache-dir: pip would otherwise find the native wheel again under the same name.
        pip(
            python, "install", "--no-cache-dir", "--no-deps", "--force-reinstall", "--require-hashes", "-r", requirement
        )
    print(f"Argon2: the stock build stays (about half the speed): {failure}", flush=True)
    return False


def locked_requirement(lock: str, package: str) -> str:
    """The lines of one package in a hashed lock. Raises EnvironmentFailed if it has none."""
    found = re.search(rf"^{re.escape(package)}==(?:.*\\\n)*.*$", lock, re.MULTILINE)
    if not found:
        raise EnvironmentFailed(f"{package} is not in the lock")
    return found.group() + "\n"


def _native_wheel(folder: Path, requirement: Path) -> Path:
    tools = create(folder / "tools", _TOOLS)
    environment = os.environ | {
        "CFLAGS": "-O3 -march=native",
        "PATH": f"{tools.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }
    # pip's cache ignores CFLAGS: with it, a plain build or another machine's would come back.
    done = subprocess.run(
        [
            tools, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-input", "--no-cache-dir",
            "--no-build-isolation", "--no-deps", "--no-binary", _PACKAGE, "--require-hashes", "-r", requirement,
            "--wheel-dir", folder / "wheels",
        ],
        check=False, capture_output=True, text=True, env=environment, timeout=300,
    )  # fmt: skip
    if done.returncode:
        raise EnvironmentFailed(done.stderr or done.stdout)
    return next((folder / "wheels").glob("*.whl"))


def _survives(python: Path) -> bool:
    return subprocess.run([python, "-c", _TRIAL], check=False, capture_output=True, timeout=60).returncode == 0


if __name__ == "__main__":
    sys.exit(0 if build_for_this_machine(Path(sys.executable), ROOT / "requirements" / "dev.txt") else 1)
