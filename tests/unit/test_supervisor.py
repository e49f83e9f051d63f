"""What the supervisor of several workers rests on: settings handed over, ports kept, pauses that grow."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from twofold_server import handover
from twofold_server.ports import PortTaken, reserve
from twofold_server.settings import Settings, SettingsError, load
from twofold_server.supervisor import Slot


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """Settings with secrets, paths and lists."""
    key = tmp_path / "key"
    key.touch(0o600)
    for name, value in {
        "DATABASE_URL": "postgresql://twofold:hunter2@/twofold",
        "MASTER_KEY": "0123456789abcdef" * 4,
        "TLS_CERTIFICATE_FILE": key,
        "TLS_KEY_FILE": key,
        "TLS_CLIENT_CA_FILE": key,
        "MTLS_LISTEN": "[::1]:50052",
        "TLS_CLIENT_NAME_PREFIXES": '["spiffe://a/", "spiffe://b/"]',
        "SMTP_HOST": "relay.example.org",
        "SMTP_PASSWORD": "hunter3",
        "MAIL_FROM": "auth@example.org",
        "WORKERS": "3",
    }.items():
        monkeypatch.setenv(f"TWOFOLD_{name}", str(value))
    return load()


def test_settings_arrive_as_they_were(settings: Settings) -> None:
    """A worker reads from its supervisor what the command line read from the environment, secrets too."""
    assert handover.unpack(handover.pack(settings)) == settings


def test_addresses_arrive_in_parts(settings: Settings) -> None:
    """The supervisor finds host and port of each listener, with nothing to parse."""
    assert json.loads(handover.pack(settings))["listen"] == {
        "listen": ["127.0.0.1", 50051],
        "mtls_listen": ["::1", 50052],
    }


def test_settings_that_no_longer_hold_are_refused_without_their_values(settings: Settings) -> None:
    """A file that has gone since is told by name; no value is in the text."""
    packed = handover.pack(settings)
    assert settings.tls_key_file is not None
    settings.tls_key_file.unlink()
    with pytest.raises(SettingsError, match="tls_key_file") as refused:
        handover.unpack(packed)
    assert "hunter" not in str(refused.value)


def test_a_reserved_port_is_shared_with_workers_alone() -> None:
    """What shares its port can listen on a reserved one; a second reservation, or a listener that does not, can't."""
    port, kept = reserve("127.0.0.1", 0)
    with kept[0]:
        with pytest.raises(PortTaken, match=f"127.0.0.1:{port}: another program listens there"):
            reserve("127.0.0.1", port)
        with socket.socket() as alone, pytest.raises(OSError, match="in use"):
            alone.bind(("127.0.0.1", port))
        for _ in range(2):
            with socket.socket() as worker:
                worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                worker.bind(("127.0.0.1", port))
                worker.listen()


def test_a_port_is_free_again_while_its_last_connections_wait() -> None:
    """After a restart, connections that have just ended on the port (TIME_WAIT) do not keep it."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            server.accept()[0].close()  # the side that closes first is the one that waits
            assert client.recv(1) == b""
    again, kept = reserve("127.0.0.1", port)
    kept[0].close()
    assert again == port


def test_a_host_that_is_not_here_is_told() -> None:
    """An address of no interface, or no host at all, is named."""
    with pytest.raises(PortTaken, match=r"cannot listen on 192\.0\.2\.1:50051"):
        reserve("192.0.2.1", 50051)
    with pytest.raises(PortTaken, match=r"cannot listen on host\.invalid:50051"):
        reserve("host.invalid", 50051)


def test_pauses_between_restarts_double_and_end_after_a_while_of_service() -> None:
    """A worker that dies again and again is restarted ever later, 10 s at most; one that lived resets that."""
    slot = Slot()
    pauses = [slot.wait(0.0, lived=1.0) for _ in range(10)]
    assert pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]
    assert slot.wait(100.0, lived=10.0) == 0.05
    assert slot.start_time == pytest.approx(100.05)


def test_the_supervisor_stays_small() -> None:
    """The parent of the workers loads neither gRPC nor a database driver, nor what reads settings."""
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, twofold_server.supervisor; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert not {"grpc", "asyncpg", "pydantic", "cryptography", "structlog", "rich", "typer", "asyncio"} & set(loaded)
