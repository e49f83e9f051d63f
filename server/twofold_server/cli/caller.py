"""`twofold-server caller`: the services that may call, and what they are granted."""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

from twofold_server.cli.common import fail, read_settings, run
from twofold_server.db.pool import open_pool
from twofold_server.domain import durations
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
def rotate(
    name: _Name,
    overlap: Annotated[
        str, typer.Option(help="How long the credential until now stays good: 0s to 30d, such as 90s, 10m, 12h or 2d.")
    ] = "1d",
) -> None:
    """Give a caller a new credential and print it, once; the one until now stays good for a while.

    Two are good at most: rotating again ends the older one. Every server knows the new one within 5 seconds.
    """
    duration = durations.parse(overlap)
    if duration is None:
        fail(f"--overlap: a duration such as 90s, 10m, 12h or 2d, not {overlap!r}")
    credential = _with(lambda callers: callers.rotate(name, duration))
    if duration:
        until = f"{system_clock() + duration:%Y-%m-%d %H:%M:%S} UTC"
        said = f"its credential until now stays good until {until}, any older one ends"
    else:
        said = "its credential until now ends"
    typer.echo(
        f"caller {name}: {said}; every server follows within {CACHE_LIFETIME.seconds} s. "
        "The new credential is not shown again:",
        err=True,
    )
    typer.echo(credential)


@commands.command()
def end(name: _Name) -> None:
    """End a caller with all its credentials for good."""
    _with(lambda callers: callers.end(name))
    typer.echo(f"caller {name}: ended; every server refuses it within {CACHE_LIFETIME.seconds} s")


@commands.command(name="list")
def list_() -> None:
    """List the callers and their grants, and until when an old credential is good."""
    now = system_clock()
    for caller in _with(lambda callers: callers.every()):
        grants = ", ".join(
            f"{g.role} in {g.realm_id}{' (may state its client)' if g.may_state_client else ''}" for g in caller.grants
        )
        if caller.end_time:
            state = f"ended {caller.end_time:%Y-%m-%d}\t"
        elif caller.previous_until and now < caller.previous_until:
            state = f"its old credential ends {caller.previous_until:%Y-%m-%d %H:%M:%S} UTC\t"
        else:
            state = ""
        typer.echo(f"{caller.name}\t{state}{grants}")


def _with(work: Callable[[Callers], Awaitable[_T]]) -> _T:
    async def opened() -> _T:
        pool = await open_pool(read_settings().database_url.get_secret_value(), 1)
        async with pool:
            return await work(Callers(pool, system_clock))

    try:
        return run(opened())
    except CallerRefused as error:
        fail(str(error))
