"""A newcomer's way ends where a quick start fails, and leaves nothing running behind it."""

import json
import os
import socket
from pathlib import Path

import pytest

from dev import newcomer
from dev.newcomer import NotThere
from dev.quick_start import Block

SIGNED_IN = json.dumps({"event": "call", "method": "/twofold.v1.AccountService/SignIn", "outcome": "OK"})
REFUSED = json.dumps({"event": "call", "method": "/twofold.v1.AccountService/SignIn", "outcome": "OVERLOADED"})


@pytest.fixture
def server_log(tmp_path: Path) -> Path:
    """The server's log, where one user has signed in already."""
    log = tmp_path / "server.log"
    log.write_text(f"Twofold on 127.0.0.1:50051\n{SIGNED_IN}\n")
    return log


def play(folder: Path, server_log: Path, *commands: str) -> None:
    empty = folder / "python"
    empty.mkdir()
    blocks = [Block(line, f"{command}\n") for line, command in enumerate(commands, 1)]
    newcomer._play("README.md", blocks, empty, dict(os.environ), server_log)


def test_a_quick_start_that_ends_in_a_sign_in(
    tmp_path: Path, server_log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One more successful sign-in in the server's log, and exit code 0; the last line is shown."""
    play(tmp_path, server_log, f"echo '{SIGNED_IN}' >>{server_log}", "echo signed in as ada; printf '\\033[0m\\n'")
    assert "its last line: signed in as ada" in capsys.readouterr().out


def test_a_quick_start_that_fails(tmp_path: Path, server_log: Path) -> None:
    """Its last words and the server's are told."""
    with pytest.raises(NotThere, match=r"exit code 3:\n(?s:.*)no such thing(?s:.*)Twofold on"):
        play(tmp_path, server_log, "echo no such thing >&2", "exit 3", f"echo '{SIGNED_IN}' >>{server_log}")


def test_a_quick_start_without_a_sign_in(tmp_path: Path, server_log: Path) -> None:
    """Exit code 0 is not enough: the server must have signed somebody in."""
    with pytest.raises(NotThere, match="without a sign-in"):
        play(tmp_path, server_log, f"echo '{REFUSED}' >>{server_log}")


def test_what_a_quick_start_leaves_running_is_ended(tmp_path: Path, server_log: Path) -> None:
    """A process in the background ends with its quick start, by its own id."""
    play(tmp_path, server_log, "sleep 600 & echo $! >background", f"echo '{SIGNED_IN}' >>{server_log}")
    process = int((tmp_path / "python" / "background").read_text())
    # Nobody may have collected it yet.
    state = Path(f"/proc/{process}/stat")
    assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_port_that_is_taken_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The quick starts name the port; another server there would be called in place of the README's."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setattr(newcomer, "_ADDRESS", other.getsockname())
        with pytest.raises(NotThere, match="stop what listens there"):
            newcomer._demand_free_port()


def test_what_an_operator_has_set_is_not_the_newcomers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of Twofold, make's own variables and an active environment stay behind."""
    for name in ("TWOFOLD_LISTEN", "DATABASE_URL", "MAKEFLAGS", "PYTHONPATH"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("VIRTUAL_ENV", "/somewhere/.venv")
    monkeypatch.setenv("PATH", f"/somewhere/.venv/bin{os.pathsep}/usr/bin")
    environment = newcomer._environment()
    assert not {"TWOFOLD_LISTEN", "DATABASE_URL", "MAKEFLAGS", "PYTHONPATH", "VIRTUAL_ENV"} & environment.keys()
    assert environment["PATH"] == "/usr/bin"
