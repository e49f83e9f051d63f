"""`twofold-server agent`: who works the support desk."""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

from twofold_server.cli.common import fail, read_settings, run
from twofold_server.crypto.keyring import Keyring
from twofold_server.db.pool import open_pool
from twofold_server.domain.agents import AgentRefused, Agents
from twofold_server.domain.clock import system_clock
from twofold_server.domain.realms import Realms
from twofold_server.domain.values import EmailAddress

commands = typer.Typer(help="Agents: who works the support desk.", no_args_is_help=True)

_T = TypeVar("_T")
_Email = Annotated[str, typer.Argument(help="The agent's e-mail address.")]


@commands.command()
def add(email: _Email) -> None:
    """Invite an agent: print a token, good once, with which they choose a password; a second factor follows.

    The first one makes the realm `support`. Hand the token to the agent alone; `support activate` takes it.
    """
    invitation = _with(lambda agents: agents.add(_parsed(email)))
    until = f"{invitation.expire_time:%Y-%m-%d %H:%M:%S}Z"
    typer.echo(f"agent {email}: invited until {until}. The token is not shown again:", err=True)
    typer.echo(invitation.activation_token)


@commands.command()
def end(email: _Email) -> None:
    """Lock an agent out at once, in the midst of whatever they do."""
    _with(lambda agents: agents.end(_parsed(email)))
    typer.echo(f"agent {email}: ended")


@commands.command()
def restore(email: _Email) -> None:
    """Let an agent who was ended, or locked by another agent, sign in again."""
    _with(lambda agents: agents.restore(_parsed(email)))
    typer.echo(f"agent {email}: restored")


def _parsed(email: str) -> EmailAddress:
    try:
        return EmailAddress.parse(email)
    except ValueError as error:
        fail(str(error))


def _with(work: Callable[[Agents], Awaitable[_T]]) -> _T:
    settings = read_settings()
    key = settings.master_key_text()
    if key is None:
        fail("no master key: set TWOFOLD_MASTER_KEY_FILE to the file that the servers use")
    try:
        keyring = Keyring.from_text(key.get_secret_value())
    except ValueError as error:
        fail(str(error))

    async def opened() -> _T:
        pool = await open_pool(settings.database_url.get_secret_value(), 1)
        async with pool:
            return await work(Agents(pool, keyring, Realms(pool, system_clock, issuer=settings.issuer), system_clock))

    try:
        return run(opened())
    except AgentRefused as error:
        fail(str(error))
