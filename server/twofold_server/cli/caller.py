"""`twofold-server caller`: the services that may call, and what they are granted."""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

from twofold_server.cli.common import fail, read_settings, run
from twofold_server.db.pool import open_pool
from twofold_server.domain.callers import CACHE_LIFETIME, CallerRefused, Callers, Grant, Role
from twofold_server.domain.clock import system_clock
from twofold_server.domain.values import RealmId

commands = typer.Typer(help="Callers: services that may call, by credential or certificate.", no_args_is_help=True)

_T = TypeVar("_T")
_Name = Annotated[str, typer.Argument(help="1 to 128 lower-case letters, digits and inner . _ / -")]
_Realm = Annotated[str, typer.Option("--realm", help="The realm that the role counts in.")]
_Role = Annotated[Role, typer.Option("--role", help="What the service does.")]
_MayState = Annotated[
    bool, typer.Option("--may-state-client", help="Believe what it says of the end user's address, and demand it.")
]


@commands.command()
def add(name: _Name, realm: _Realm, role: _Role, may_state_client: _MayState = False) -> None:
    """Make a caller and print its credential, once: only a hash of it is kept."""
    credential = _with(lambda callers: callers.add(name, Grant(RealmId(realm), role, may_state_client)))
    typer.echo(f"caller {name}: {role.value} in {realm}. Its credential is not shown again:", err=True)
    typer.echo(credential)


@commands.command()
def grant(name: _Name, realm: _Realm, role: _Role, may_state_client: _MayState = False) -> None:
    """Grant a caller a role, in this realm or another, or change whether it may state its client."""
    _with(lambda callers: callers.grant(name, Grant(RealmId(realm), role, may_state_client)))
    typer.echo(f"caller {name}: {role.value} in {realm}")


@commands.command()
def end(name: _Name) -> None:
    """End a caller for good."""
    _with(lambda callers: callers.end(name))
    typer.echo(f"caller {name}: ended; every server refuses it within {CACHE_LIFETIME.seconds} s")


@commands.command(name="list")
def list_() -> None:
    """List the callers and their grants."""
    for caller in _with(lambda callers: callers.every()):
        grants = ", ".join(
            f"{g.role} in {g.realm_id}{' (may state its client)' if g.may_state_client else ''}" for g in caller.grants
        )
        ended = f"ended {caller.end_time:%Y-%m-%d}\t" if caller.end_time else ""
        typer.echo(f"{caller.name}\t{ended}{grants}")


def _with(work: Callable[[Callers], Awaitable[_T]]) -> _T:
    async def opened() -> _T:
        pool = await open_pool(read_settings().database_url.get_secret_value(), 1)
        async with pool:
            return await work(Callers(pool, system_clock))

    try:
        return run(opened())
    except CallerRefused as error:
        fail(str(error))
