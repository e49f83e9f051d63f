"""`twofold-server` from the command line, against a real database."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.e2e.authority import Authority
from tests.e2e.program import Ended, development, environment, run
from tests.service import Service
from twofold_server.settings import Settings


@pytest.fixture
def production(database: str, tmp_path: Path) -> dict[str, str]:
    """The least that a server outside development needs."""
    chain, key = Authority("Test").server().write(tmp_path, "server")
    master = tmp_path / "master.txt"
    master.touch(0o600)
    return environment(
        database_url=database,
        listen="127.0.0.1:0",
        tls_certificate_file=chain,
        tls_key_file=key,
        master_key_file=master,
        mail_directory=tmp_path / "sent",
    )


def refusal(ended: Ended) -> str:
    """What a refused command said: plain lines and no traceback."""
    assert ended.code == 1, ended
    assert ended.out == ""
    assert "Traceback" not in ended.err
    return ended.err


def _write_key(settings: dict[str, str], text: str) -> None:
    Path(settings["TWOFOLD_MASTER_KEY_FILE"]).write_text(text)


async def test_migrate_and_check(empty_database: str, tmp_path: Path) -> None:
    """`check` sends to `migrate`, which makes the schema once, and then `check` finds all in order."""
    settings = development(empty_database, tmp_path)
    assert "run `twofold-server migrate`" in refusal(await run(settings, "check"))
    assert "run `twofold-server migrate`" in refusal(await run(settings, "serve"))
    applied = await run(settings, "migrate")
    assert (applied.code, applied.err) == (0, "")
    assert applied.out.startswith("applied 0001_")
    again = await run(settings, "migrate")
    assert (again.code, again.out) == (0, "nothing to apply\n")
    checked = await run(settings, "check")
    assert (checked.code, checked.err) == (0, ""), checked


async def test_no_master_key(production: dict[str, str]) -> None:
    """Outside development nothing starts without a master key; the line says how to make one."""
    del production["TWOFOLD_MASTER_KEY_FILE"]
    said = refusal(await run(production, "serve"))
    assert "a master key is required" in said
    assert "twofold-server keys generate" in said


async def test_a_master_key_of_the_command_line(production: dict[str, str]) -> None:
    """What `keys generate` prints is a master key, another each time; junk is refused without being repeated."""
    made, other = await run(production, "keys", "generate"), await run(production, "keys", "generate")
    assert made.out != other.out
    _write_key(production, made.out)
    checked = await run(production, "check")
    assert checked.code == 0, checked
    _write_key(production, "correct-horse-battery-staple")
    for command in ("check", "serve"):
        assert "horse" not in refusal(await run(production, command))


async def test_no_tls(production: dict[str, str]) -> None:
    """Outside development nothing starts without TLS; the line says which settings and how to make a certificate."""
    del production["TWOFOLD_TLS_KEY_FILE"], production["TWOFOLD_TLS_CERTIFICATE_FILE"]
    said = refusal(await run(production, "serve"))
    assert "TWOFOLD_TLS_CERTIFICATE_FILE" in said
    assert "twofold-server certs dev" in said


async def test_no_caller(production: dict[str, str]) -> None:
    """Outside development a server that nobody may call does not start; the line says how to make a caller."""
    made = await run(production, "keys", "generate")
    _write_key(production, made.out)
    assert "twofold-server caller add NAME" in refusal(await run(production, "serve"))


@pytest.mark.parametrize("address", ["0.0.0.0:50051", "auth.example.org:50051"])
async def test_development_beyond_loopback(database: str, tmp_path: Path, address: str) -> None:
    """Development mode, which asks callers for no credential, is refused on any address but loopback."""
    settings = development(database, tmp_path, listen=address)
    assert "loopback only" in refusal(await run(settings, "serve"))


async def test_a_taken_address(database: str, tmp_path: Path) -> None:
    """An address that cannot be listened on is named."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert f"cannot listen on {address}" in refusal(
            await run(development(database, tmp_path, listen=address), "serve")
        )


@pytest.mark.parametrize("command", ["serve", "check", "caller"])
async def test_a_database_that_is_not_there(tmp_path: Path, command: str) -> None:
    """A database that cannot be reached is one plain line, without the URL and its password."""
    settings = development("postgresql://ada:wonderland@127.0.0.1:1/twofold", tmp_path)
    said = refusal(await run(settings, command, *(["list"] if command == "caller" else [])))
    assert "the database cannot be reached" in said
    assert "wonderland" not in said


async def test_no_database() -> None:
    """Without a database's URL the line names the variable."""
    assert "DATABASE_URL" in refusal(await run(environment(development="true"), "check"))


async def test_settings_are_listed() -> None:
    """`settings` needs none to be set, and names every variable."""
    listed = await run(environment(), "settings")
    assert listed.code == 0, listed
    assert all(f"TWOFOLD_{name.upper()} " in listed.out for name in Settings.model_fields)


async def test_realms(database: str, tmp_path: Path) -> None:
    """A realm is made, set, shown and listed; what it does not take is refused by name."""
    settings = development(database, tmp_path)
    made = await run(settings, "realm", "create", "partners", "--name", "Partners", "password_minimum=12")
    assert made.code == 0, made
    shown = await run(settings, "realm", "set", "partners", "session_idle=24h", "preset=nist")
    assert shown.code == 0, shown
    shown = await run(settings, "realm", "show", "partners")
    cells = [[cell.strip() for cell in line.split("│")] for line in shown.out.splitlines() if "│" in line]
    rows = {name: value for _, name, value, *_ in cells}
    assert (rows["password_minimum"], rows["session_idle"], rows["preset"]) == ("12", "1d", "nist")
    assert rows["totp_drift_steps"] == "0"
    listed = await run(settings, "realm", "list")
    assert {line.split("\t")[0] for line in listed.out.splitlines()} == {"default", "partners"}
    for arguments, named in (
        (("set", "partners", "password_minimum=3"), "password_minimum: from 8 to 64"),
        (("create", "partners"), "partners"),
        (("show", "nowhere"), "nowhere"),
    ):
        assert named in refusal(await run(settings, "realm", *arguments)), arguments


async def test_callers(database: str, tmp_path: Path) -> None:
    """A caller's credential is printed once and alone on standard output; grants and ends are listed."""
    settings = development(database, tmp_path)
    added = await run(settings, "caller", "add", "shop", "--realm", "default", "--role", "frontend")
    assert added.code == 0, added
    credential = added.out.strip()
    assert len(credential) >= 43
    assert credential not in added.err
    granted = await run(
        settings, "caller", "grant", "shop", "--realm", "default", "--role", "verifier", "--may-state-client"
    )
    assert granted.code == 0, granted
    listed = await run(settings, "caller", "list")
    assert credential not in listed.out
    assert "shop\tfrontend in default, verifier in default (may state its client)" in listed.out
    ended = await run(settings, "caller", "end", "shop")
    assert ended.code == 0, ended
    assert "ended" in (await run(settings, "caller", "list")).out
    for arguments in (
        ("add", "shop", "--realm", "default", "--role", "frontend"),
        ("add", "api", "--realm", "nowhere", "--role", "frontend"),
    ):
        refusal(await run(settings, "caller", *arguments))
    assert (await run(settings, "caller", "add", "api", "--realm", "default", "--role", "king")).code == 2


async def test_a_callers_credential_rotates(database: str, tmp_path: Path) -> None:
    """The new credential is alone on standard output; what is said of the old one, and listed, is until when."""
    settings = development(database, tmp_path)
    old = (await run(settings, "caller", "add", "shop", "--realm", "default", "--role", "frontend")).out.strip()
    rotated = await run(settings, "caller", "rotate", "shop")
    assert rotated.code == 0, rotated
    new = rotated.out.strip()
    assert new != old
    assert new[:37] == old[:37]
    assert len(new) == len(old)
    assert new not in rotated.err
    assert "stays good until" in rotated.err
    listed = (await run(settings, "caller", "list")).out
    assert "shop\tits old credential ends 20" in listed
    assert listed.endswith("UTC\tfrontend in default\n")
    assert old not in listed
    assert new not in listed
    at_once = await run(settings, "caller", "rotate", "shop", "--overlap", "0s")
    assert at_once.code == 0, at_once
    assert "until now ends" in at_once.err
    assert (await run(settings, "caller", "list")).out == "shop\tfrontend in default\n"
    for arguments, named in (
        (("nobody",), "no live caller nobody"),
        (("shop", "--overlap", "31d"), "0s to 30d"),
        (("shop", "--overlap", "soon"), "--overlap"),
        (("shop", "--overlap", "-1d"), "--overlap"),
    ):
        assert named in refusal(await run(settings, "caller", "rotate", *arguments)), arguments
    await run(settings, "caller", "end", "shop")
    assert "no live caller shop" in refusal(await run(settings, "caller", "rotate", "shop"))


async def test_resources(service: Service, database: str, tmp_path: Path) -> None:
    """What an account owns is noted, listed and forgotten by name; what can't be is refused in a line."""
    settings = development(database, tmp_path)
    user = await service.new_user()
    added = await run(settings, "resource", "add", "default", "Shop  example.org", user.email.upper())
    assert (added.code, added.out) == (0, "added Shop  example.org\n"), added
    listed = await run(settings, "resource", "list")
    assert listed.out == f"Shop  example.org\t{user.email}\n"
    for arguments, named in (
        (("add", "default", "shop EXAMPLE.org", user.email), "of that name already"),
        (("add", "default", "another", "nobody@example.org"), "no account of that address"),
        (("add", "default", "", user.email), "Required."),
        (("remove", "default", "another"), "no resource of that name"),
    ):
        assert named in refusal(await run(settings, "resource", *arguments)), arguments
    removed = await run(settings, "resource", "remove", "default", "shop example.org")
    assert (removed.code, (await run(settings, "resource", "list")).out) == (0, "")
