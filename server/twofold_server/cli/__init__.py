"""The command `twofold-server`. Each group of commands is a module of this package with a `commands`."""

from typing import Annotated

import typer

from twofold_server.cli import caller, keys, realm
from twofold_server.cli.common import fail, read_settings, run
from twofold_server.crypto.keyring import Keyring
from twofold_server.db.migrate import migrate as apply_migrations
from twofold_server.db.migrate import pending

cli = typer.Typer(
    name="twofold-server",
    help="Twofold: a gRPC service for accounts, second factors and recovery.",
    no_args_is_help=True,
    add_completion=False,
    # A traceback with local variables would print secrets.
    pretty_exceptions_enable=False,
)
cli.add_typer(caller.commands, name="caller")
cli.add_typer(keys.commands, name="keys")
cli.add_typer(realm.commands, name="realm")


@cli.command()
def serve(
    migrate_first: Annotated[
        bool, typer.Option("--migrate", help="Bring the database's schema up to date first.")
    ] = False,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain."""
    # The server's parts take half a second to load, which no other command needs.
    from twofold_server import app

    settings = read_settings()
    if migrate_first:
        run(apply_migrations(settings.database_url.get_secret_value()))
    app.run(settings)


@cli.command()
def migrate() -> None:
    """Bring the database's schema up to date; several at once wait for each other."""
    names = run(apply_migrations(read_settings().database_url.get_secret_value()))
    for name in names:
        typer.echo(f"applied {name}")
    if not names:
        typer.echo("nothing to apply")


@cli.command()
def check() -> None:
    """Check the settings, the master key and the database; change nothing."""
    settings = read_settings()
    key = settings.master_key_text()
    if key is not None:
        try:
            Keyring.from_text(key.get_secret_value())
        except ValueError as error:
            fail(str(error))
    names = run(pending(settings.database_url.get_secret_value()))
    if names:
        fail(f"the database's schema is behind ({', '.join(names)}): run `twofold-server migrate`")
    typer.echo("settings, keys and database are in order")


def main() -> None:
    """Run the command line."""
    cli()
