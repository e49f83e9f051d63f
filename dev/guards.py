"""Show that each guard is guarded: with it taken out, its test must fail.

Each `tests/guards/*.patch` removes one guard; its first lines name the tests, `# test: tests/races/test_x.py::test_y`,
which must pass with the guard and fail without it. Arguments: names of patches, all by default.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from dev.environment import ROOT

_GUARDS = ROOT / "tests" / "guards"
# What a copy of the tree needs no part of.
_LEFT_OUT = shutil.ignore_patterns(
    ".venv*", ".git", ".twofold", "__pycache__", ".*_cache", "*.pyc", "node_modules", "build", "dist", "target"
)
_TEST_SECONDS = 180
_ALL_SECONDS = 1200
_PASSED, _FAILED = 0, 1
_TEST_LINE = re.compile(r"^# test: (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Guard:
    """One patch and the tests that must notice it."""

    patch: Path
    tests: tuple[str, ...]

    @property
    def name(self) -> str:
        """The patch's file name without its end."""
        return self.patch.stem


class BadGuard(Exception):
    """A guard's file cannot be used; the text says why."""


def read(patch: Path) -> Guard:
    """Read a patch's header. Raises BadGuard where it names no test, or one of a file that is not there."""
    head = patch.read_text(encoding="utf-8").partition("\n--- ")[0]
    tests = tuple(test for line in _TEST_LINE.findall(head) for test in line.split())
    if not tests:
        raise BadGuard("names no test: its first line should be `# test: <pytest node id>`")
    for test in tests:
        if not (ROOT / test.partition("::")[0]).is_file():
            raise BadGuard(f"names {test}, which is not there")
    return Guard(patch, tests)


def without(guard: Guard) -> str:
    """Take the guard out of a copy of the tree and run its tests there: an empty text if each of them failed."""
    with tempfile.TemporaryDirectory(prefix="twofold-guard-") as folder:
        copy = Path(folder) / "tree"
        shutil.copytree(ROOT, copy, ignore=_LEFT_OUT, symlinks=True)
        # No fuzz: a guard that has moved must be looked at again. The copy is no repository, whatever is around it.
        applied = subprocess.run(
            ["git", "apply", guard.patch],
            cwd=copy, check=False, capture_output=True, text=True,
            env=os.environ | {"GIT_CEILING_DIRECTORIES": folder},
        )  # fmt: skip
        if applied.returncode:
            return f"the patch does not apply: {_last_line(applied.stdout + applied.stderr)}"
        for test in guard.tests:
            code, output = _pytest(copy, test)
            if code == _PASSED:
                return f"NOT NOTICED by {test}"
            if code != _FAILED or not re.search(r"^FAILED ", output, re.MULTILINE):
                return f"{test} did not fail but break (exit code {code}): {_last_line(output)}"
    return ""


def main(names: list[str]) -> int:
    """Try the guards, print a line for each; 0 if the removal of each was noticed, otherwise 1."""
    patches = sorted(_GUARDS.glob("*.patch"))
    if unknown := set(names) - {patch.stem for patch in patches}:
        print(f"no such guard: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 1
    guards: list[Guard] = []
    problems = 0
    for patch in patches:
        if names and patch.stem not in names:
            continue
        try:
            guards.append(read(patch))
        except BadGuard as error:
            problems += _report(patch.stem, str(error))
    if not guards:
        print("no guard to try in tests/guards", file=sys.stderr)
        return 1
    with_all = sorted({test for guard in guards for test in guard.tests})
    processes = min(4, os.cpu_count() or 1)
    code, output = _pytest(ROOT, *with_all, f"-n{processes}", seconds=_ALL_SECONDS)
    if code != _PASSED:
        print(f"{output}\nwith every guard in place these tests should pass", file=sys.stderr)
        return 1
    with ThreadPoolExecutor(max_workers=processes) as workers:
        for guard, problem in zip(guards, workers.map(without, guards), strict=True):
            problems += _report(guard.name, problem)
    print(f"{len(guards)} guards, {problems} problems")
    return 1 if problems else 0


def _report(name: str, problem: str) -> int:
    print(f"{'not ok' if problem else 'ok':7} {name:50} {problem}".rstrip(), flush=True)
    return 1 if problem else 0


def _pytest(tree: Path, *tests: str, seconds: int = _TEST_SECONDS) -> tuple[int, str]:
    """pytest's exit code and output, with the code of `tree` before that of the environment."""
    paths = (tree, tree / "server", tree / "clients" / "python")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "--no-header", "--tb=line", "-rf", *tests],
            cwd=tree, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths)), "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return -1, f"no end after {seconds} s"
    return done.returncode, done.stdout


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no output"])[-1][:160]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
