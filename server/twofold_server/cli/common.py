"""What every command does: read the settings, talk to the database, fail in one plain line."""

import asyncio
from collections.abc import Coroutine
from typing import Any, NoReturn, TypeVar

import typer

from twofold_server.db.faults import is_unavailable
from twofold_server.db.migrate import MigrationFailed
from twofold_server.db.pool import InsecureDatabase
from twofold_server.settings import Settings, SettingsError, load

_T = TypeVar("_T")


def fail(message: str) -> NoReturn:
    """Print a message on standard error and end with exit code 1."""
    typer.echo(f"twofold-server: {message}", err=True)
    raise typer.Exit(1)


def read_settings() -> Settings:
    """The settings from the environment; ends the program with one line for each that does not fit."""
    try:
        return load()
    except SettingsError as error:
        fail(str(error))


def run(work: Coroutine[Any, Any, _T]) -> _T:
    """Run work on the database; ends the program with a plain line where the database is not there or not fit."""
    try:
        return asyncio.run(work)
    except (MigrationFailed, InsecureDatabase) as error:
        fail(str(error))
    except Exception as error:
        if not is_unavailable(error):
            raise
        # The text of a connection error may hold the URL.
        fail(f"the database cannot be reached ({type(error).__name__})")
