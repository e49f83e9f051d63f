"""`twofold-server certs`: certificates to try TLS with."""

import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from twofold_server.cli.common import fail
from twofold_server.crypto.dev_certificates import CALLER_PREFIX, Authority, Certificate, CertificateUnreadable

commands = typer.Typer(help="Certificates for development.", no_args_is_help=True)

_HOST: Final = re.compile(r"[A-Za-z0-9.:*-]{1,253}")
_CALLER: Final = re.compile(r"[a-z0-9](?:[a-z0-9._/-]{0,126}[a-z0-9])?")


@commands.callback()
def _group() -> None:
    """Certificates for development."""


@commands.command()
def dev(
    directory: Annotated[Path, typer.Option(help="Where the files go; made if it is not there.")],
    name: Annotated[
        list[str] | None, typer.Option(help="Host name or IP address of the server; may be repeated.")
    ] = None,
    client: Annotated[
        list[str] | None, typer.Option(help="Name of a caller that gets a certificate too; may be repeated.")
    ] = None,
) -> None:
    """Make a local authority and a server's certificate, good for a year, and print the settings that use them.

    Where the authority is there already, only certificates of further callers are made. Nothing is overwritten.
    """
    names, callers = name or ["localhost", "127.0.0.1", "::1"], client or []
    if bad := [host for host in names if not _HOST.fullmatch(host)]:
        fail(f"not a host name or IP address: {bad[0]!r}")
    if bad := [caller for caller in callers if not _CALLER.fullmatch(caller)]:
        fail(f"not a caller's name (1 to 128 lower-case letters, digits and inner . _ / -): {bad[0]!r}")
    now = datetime.now(UTC)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        made: dict[str, Certificate] = {}
        if callers and _certificate_file(directory, "authority").exists():
            authority = _read_authority(directory)
        else:
            authority = Authority.create(now)
            made = {"authority": authority.pem, "server": authority.issue_server(names, now)}
        made |= {_caller_file(caller): authority.issue_caller(caller, now) for caller in callers}
        _write(directory, made)
    except CertificateUnreadable as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")
    _print_settings(directory.absolute(), callers)


def _write(directory: Path, made: Mapping[str, Certificate]) -> None:
    texts: dict[Path, bytes] = {}
    for stem, pem in made.items():
        texts[_certificate_file(directory, stem)] = pem.certificate
        texts[_key_file(directory, stem)] = pem.key
    if present := [path for path in texts if path.exists()]:
        fail(f"{present[0]} is there already; nothing was written")
    for path, text in texts.items():
        # O_EXCL: neither a file made meanwhile nor what a link points to is written over.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(text)


def _read_authority(directory: Path) -> Authority:
    return Authority.load(
        Certificate(
            _certificate_file(directory, "authority").read_bytes(), _key_file(directory, "authority").read_bytes()
        )
    )


def _print_settings(directory: Path, callers: list[str]) -> None:
    typer.echo("# Settings of the server:")
    typer.echo(f"TWOFOLD_TLS_CERTIFICATE_FILE={_certificate_file(directory, 'server')}")
    typer.echo(f"TWOFOLD_TLS_KEY_FILE={_key_file(directory, 'server')}")
    if callers:
        typer.echo("TWOFOLD_MTLS_LISTEN=127.0.0.1:50052")
        typer.echo(f"TWOFOLD_TLS_CLIENT_CA_FILE={_certificate_file(directory, 'authority')}")
        typer.echo(f"TWOFOLD_TLS_CLIENT_NAME_PREFIXES='[\"{CALLER_PREFIX}\"]'")
    typer.echo(f"# What clients trust: {_certificate_file(directory, 'authority')}")
    for caller in callers:
        stem = _caller_file(caller)
        typer.echo(f"# Caller {caller}: {_certificate_file(directory, stem)} and {_key_file(directory, stem)}")


def _caller_file(caller: str) -> str:
    return f"caller-{caller.replace('/', '_')}"


def _certificate_file(directory: Path, stem: str) -> Path:
    return directory / f"{stem}.pem"


def _key_file(directory: Path, stem: str) -> Path:
    return directory / f"{stem}-key.pem"
