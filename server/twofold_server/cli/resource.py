"""`twofold-server resource`: what accounts own elsewhere, by whose names users are reminded of their addresses."""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

from twofold_server.cli.common import fail, read_settings, run
from twofold_server.db.pool import open_pool
from twofold_server.domain.clock import system_clock
from twofold_server.domain.resources import ResourceRefused, Resources
from twofold_server.domain.values import EmailAddress, parse_realm_id
from twofold_server.domain.written_texts import ResourceName

commands = typer.Typer(help="Resources: what accounts own elsewhere, known by name.", no_args_is_help=True)

_T = TypeVar("_T")
_RealmId = Annotated[str, typer.Argument(help="The realm.")]
_Name = Annotated[str, typer.Argument(help="1 to 64 characters, such as a domain or an application's name.")]


@commands.command()
def add(
    realm_id: _RealmId, name: _Name, email: Annotated[str, typer.Argument(help="The owner's e-mail address.")]
) -> None:
    """Note that an account owns a resource; it goes with the account."""
    row = _with(lambda found: found.add(parse_realm_id(realm_id), ResourceName.parse(name), EmailAddress.parse(email)))
    typer.echo(f"added {row.name}")


@commands.command(name="list")
def list_(realm_id: _RealmId = "default") -> None:
    """List a realm's resources with their owners."""
    for row in _with(lambda found: found.every(parse_realm_id(realm_id))):
        typer.echo(f"{row.name}\t{row.email}")


@commands.command()
def remove(realm_id: _RealmId, name: _Name) -> None:
    """Forget a resource."""
    _with(lambda found: found.remove(parse_realm_id(realm_id), ResourceName.parse(name)))
    typer.echo("removed")


def _with(work: Callable[[Resources], Awaitable[_T]]) -> _T:
    async def opened() -> _T:
        pool = await open_pool(read_settings().database_url.get_secret_value(), 1)
        async with pool:
            return await work(Resources(pool, system_clock))

    try:
        return run(opened())
    except (ResourceRefused, ValueError) as error:
        fail(str(error))
