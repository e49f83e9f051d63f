"""What `make generate` and `make check` hold together: stubs and the one version."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from dev import generate, version
from dev.environment import EnvironmentFailed

_PLACES = {
    "pyproject.toml": '[project]\nversion = "1.0.0"\ndependencies = [\n    "grpcio>=1.85",\n    "twofold==1.0.0",\n]\n',
    "clients/python/pyproject.toml": '[project]\nversion = "1.0.0"\n',
    "clients/python/twofold/_version.py": '__version__ = "1.0.0"\n',
    "server/twofold_server/__init__.py": '__version__ = "1.0.0"\n',
}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree that names its version everywhere, with VERSION one ahead."""
    for name, text in _PLACES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "VERSION").write_text("1.2.0\n")
    for module in (generate, version):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(version, "_VERSION", tmp_path / "VERSION")
    return tmp_path


def test_a_new_version_goes_to_every_place_and_changes_nothing_else(tree: Path) -> None:
    """The version of VERSION replaces the one before wherever a file names it, and the rest of each file stays."""
    fresh = version.fresh()
    assert {str(name) for name in fresh} == set(_PLACES)
    for name, text in _PLACES.items():
        assert fresh[PurePosixPath(name)] == text.replace("1.0.0", "1.2.0").encode()
    assert generate.differences(fresh) == fresh


def test_a_place_that_is_gone_is_told(tree: Path) -> None:
    """A file that no longer names its version is an error, not a version left behind."""
    (tree / "server/twofold_server/__init__.py").write_text("")
    with pytest.raises(EnvironmentFailed, match=r"server/twofold_server/__init__\.py does not name the version"):
        version.fresh()


@pytest.mark.parametrize("text", ["", "1.2", "1.2.0-rc1", "v1.2.0", "1.2.0\n1.3.0"])
def test_a_version_has_three_numbers(tree: Path, text: str) -> None:
    """What not every language's packages would read alike is refused."""
    (tree / "VERSION").write_text(text)
    with pytest.raises(EnvironmentFailed, match=r"1\.2\.3"):
        version.version()


def test_what_is_stale_missing_or_left_over_differs(tree: Path) -> None:
    """A file that is as it must be is none of the differences; one that must not be there is one."""
    same, stale, missing, over = (PurePosixPath(name) for name in ("same", "stale", "missing", "over"))
    for name in (same, stale, over):
        (tree / name).write_bytes(b"old")
    fresh = {same: b"old", stale: b"new", missing: b"new", over: None, PurePosixPath("neither"): None}
    assert generate.differences(fresh) == {stale: b"new", missing: b"new", over: None}
