"""`twofold-server keys`: the master key."""

import typer

from twofold_server.crypto.keyring import Keyring

commands = typer.Typer(help="The master key.", no_args_is_help=True)


@commands.callback()
def _group() -> None:
    """The master key."""


@commands.command()
def generate() -> None:
    """Print a new master key; keep it in a file of mode 0600 and name that in TWOFOLD_MASTER_KEY_FILE."""
    typer.echo(Keyring.generate())
