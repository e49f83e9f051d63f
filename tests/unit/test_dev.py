"""The programs behind the Makefile, as far as they need no machine of their own."""

from pathlib import Path

import pytest

from dev import guards
from dev.argon2_build import locked_requirement
from dev.environment import ROOT, EnvironmentFailed, fingerprint


def test_a_locked_requirement_keeps_its_version_and_every_hash() -> None:
    """The source that Argon2 is built from is the locked one, by hash."""
    found = locked_requirement((ROOT / "requirements" / "dev.txt").read_text(), "argon2-cffi-bindings")
    lines = found.splitlines()
    assert lines[0].startswith("argon2-cffi-bindings==")
    assert len(lines) > 2
    assert all("--hash=sha256:" in line for line in lines[1:])


def test_a_package_that_is_not_locked_is_refused() -> None:
    """Nothing is built that no hash stands for."""
    with pytest.raises(EnvironmentFailed, match="not in the lock"):
        locked_requirement("other==1 \\\n    --hash=sha256:00\n", "argon2-cffi-bindings")


def test_the_runtime_lock_is_part_of_the_development_lock() -> None:
    """What is tested is what runs: each package of the runtime lock stands in the development lock as it is."""
    runtime, dev = ((ROOT / "requirements" / f"{name}.txt").read_text() for name in ("runtime", "dev"))
    packages = [line.partition("==")[0] for line in runtime.splitlines() if "==" in line and line[0].isalpha()]
    assert len(packages) > 20
    for package in packages:
        assert locked_requirement(runtime, package) == locked_requirement(dev, package)


def test_an_environment_is_made_again_when_its_lock_changes(tmp_path: Path) -> None:
    """The fingerprint that an environment is kept by changes with a lock's text."""
    lock = tmp_path / "lock.txt"
    lock.write_text("a==1\n")
    before = fingerprint(lock)
    assert fingerprint(lock) == before
    lock.write_text("a==2\n")
    assert fingerprint(lock) != before


def test_a_guard_without_a_test_is_refused(tmp_path: Path) -> None:
    """A patch that names no test, or a test that is not there, is an error and never passes by."""
    patch = tmp_path / "x.patch"
    patch.write_text("--- a/x\n+++ b/x\n")
    with pytest.raises(guards.BadGuard, match="names no test"):
        guards.read(patch)
    patch.write_text("# test: tests/unit/test_none.py::test_x\n--- a/x\n+++ b/x\n")
    with pytest.raises(guards.BadGuard, match="not there"):
        guards.read(patch)


def test_a_guards_tests_are_read_from_its_header(tmp_path: Path) -> None:
    """Several tests may stand in one line or in several; what follows in the patch is no header."""
    patch = tmp_path / "x.patch"
    patch.write_text(
        "# test: tests/unit/test_dev.py::test_a tests/unit/test_dev.py::test_b\n# test: tests/conftest.py\n"
        "# Why.\n--- a/x\n+++ b/x\n# test: tests/unit/test_dev.py::test_c\n"
    )
    assert guards.read(patch).tests == (
        "tests/unit/test_dev.py::test_a",
        "tests/unit/test_dev.py::test_b",
        "tests/conftest.py",
    )
