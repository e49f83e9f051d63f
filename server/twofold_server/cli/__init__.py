"""The command `twofold-server`. Each group of commands is a module of this package with a `commands`."""

from typing import Annotated

import typer

from twofold_server.cli import agent, caller, certs, keys, realm, resource, support
from twofold_server.cli.common import fail, read_settings, run
from twofold_server.crypto.keyring import Keyring
from twofold_server.db.migrate import migrate as apply_migrations
from twofold_server.db.migrate import pending
from twofold_server.settings import SettingsError

cli = typer.Typer(
    name="twofold-server",
    help="Twofold: a gRPC service for accounts, second factors and recovery.",
    no_args_is_help=True,
    add_completion=False,
    # A traceback with local variables would print secrets.
    pretty_exceptions_enable=False,
)
cli.add_typer(agent.commands, name="agent")
cli.add_typer(caller.commands, name="caller")
cli.add_typer(certs.commands, name="certs")
cli.add_typer(keys.commands, name="keys")
cli.add_typer(realm.commands, name="realm")
cli.add_typer(resource.commands, name="resource")
cli.add_typer(support.commands, name="support")


@cli.command()
def serve(
    migrate_first: Annotated[
        bool, typer.Option("--migrate", help="Bring the database's schema up to date first.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(help="Processes that serve on one port, instead of TWOFOLD_WORKERS.", min=1, max=256),
    ] = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain. With several workers, SIGHUP renews them one after another."""
    settings = read_settings()
    if migrate_first:
        run(apply_migrations(settings.database_url.get_secret_value()))
    if workers is not None:
        settings = settings.model_copy(update={"workers": workers})
    if settings.workers > 1:
        from twofold_server.handover import become_supervisor

        try:
            become_supervisor(settings)
        except SettingsError as error:
            fail(str(error))
    # The server's parts take half a second to load, which no other command needs.
    from twofold_server import app

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


@cli.command(name="settings")
def settings_() -> None:
    """List the settings: variable, default, and what it does."""
    from twofold_server.cli.setting_list import print_settings

    print_settings()


def main() -> None:
    """Run the command line."""
    cli()
