"""`twofold-server certs dev`: certificates that TLS takes, in files that nobody else reads and nothing overwrites."""

from __future__ import annotations

import shlex
import socket
import ssl
import stat
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from twofold_server.cli import cli
from twofold_server.settings import load


def dev(*arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(cli, ["certs", "dev", *arguments])


def handshake(folder: Path, name: str, client: str = "") -> ssl.SSLSocket:
    """Connect by TLS to a server with the files of a folder, both sides checking; returns the server's end."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(folder / "authority.pem"))
    server.load_cert_chain(folder / "server.pem", folder / "server-key.pem")
    here = ssl.create_default_context(cafile=str(folder / "authority.pem"))
    if client:
        server.verify_mode = ssl.CERT_REQUIRED
        here.load_cert_chain(folder / f"caller-{client}.pem", folder / f"caller-{client}-key.pem")
    ours, theirs = socket.socketpair()
    accepted: list[ssl.SSLSocket] = []

    def serve() -> None:
        accepted.append(server.wrap_socket(theirs, server_side=True))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        here.wrap_socket(ours, server_hostname=name).close()
    finally:
        ours.close()
        thread.join(5)
    return accepted[0]


def test_clients_that_trust_the_authority_take_the_servers_certificate(tmp_path: Path) -> None:
    """The certificate is for localhost and loopback unless names are given, and its chain is checked."""
    assert dev("--directory", str(tmp_path)).exit_code == 0
    handshake(tmp_path, "localhost").close()
    handshake(tmp_path, "127.0.0.1").close()
    dev("--directory", str(tmp_path / "named"), "--name", "auth.example.org")
    handshake(tmp_path / "named", "auth.example.org").close()


def test_a_caller_is_named_by_a_uri(tmp_path: Path) -> None:
    """A caller's certificate carries one URI, with the prefix that the printed settings name."""
    assert dev("--directory", str(tmp_path), "--client", "web").exit_code == 0
    with handshake(tmp_path, "localhost", "web") as server:
        shown = server.getpeercert()
    assert shown
    assert shown["subjectAltName"] == (("URI", "twofold://caller/web"),)


def test_keys_are_for_their_owner_alone(tmp_path: Path) -> None:
    """Every file has mode 0600, in a folder of mode 0700."""
    folder = tmp_path / "new"
    dev("--directory", str(folder), "--client", "web")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert set(modes.values()) == {0o600}
    assert len(modes) == 6


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """Where files are there already the command ends with code 1 and changes none; further callers are added."""
    dev("--directory", str(tmp_path), "--client", "web")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for again in ((), ("--client", "web")):
        refused = dev("--directory", str(tmp_path), *again)
        assert refused.exit_code == 1
        assert "is there already; nothing was written" in refused.stderr
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert dev("--directory", str(tmp_path), "--client", "billing").exit_code == 0
    handshake(tmp_path, "localhost", "billing").close()


@pytest.mark.parametrize("arguments", [("--client", "../web"), ("--client", "Web"), ("--name", "a b"), ("--name", "")])
def test_names_that_are_none_are_refused(tmp_path: Path, arguments: tuple[str, str]) -> None:
    """A name that no server or caller can have makes no file."""
    refused = dev("--directory", str(tmp_path), *arguments)
    assert refused.exit_code == 1
    assert "not a " in refused.stderr
    assert not list(tmp_path.iterdir())


def test_the_printed_settings_make_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the command prints, put into the environment, is all of TLS that a server outside development needs."""
    made = dev("--directory", str(tmp_path), "--client", "web")
    for line in shlex.split(made.stdout, comments=True):
        name, _, value = line.partition("=")
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DATABASE_URL", "postgresql:///twofold")
    monkeypatch.setenv("TWOFOLD_MASTER_KEY", "0123456789abcdef" * 4)
    monkeypatch.setenv("TWOFOLD_MAIL_DIRECTORY", str(tmp_path))
    settings = load()
    assert settings.tls_certificate_file == tmp_path / "server.pem"
    assert settings.tls_client_name_prefixes == ("twofold://caller/",)
    assert settings.mtls_listen is not None
