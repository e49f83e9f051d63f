"""`twofold-server keys`: the master key, and the keys that sign access tokens."""

from collections.abc import Awaitable, Callable

import typer

from twofold_server.cli.common import fail, read_settings, run
from twofold_server.crypto.keyring import Keyring, KeyringError
from twofold_server.db.pool import Pool, open_pool
from twofold_server.domain.clock import system_clock
from twofold_server.domain.resealing import reseal as seal_anew
from twofold_server.domain.signing_keys import SigningKeys
from twofold_server.settings import Settings

commands = typer.Typer(help="The master key, and the keys that sign access tokens.", no_args_is_help=True)


@commands.callback()
def _group() -> None:
    """The master key, and the keys that sign access tokens."""


@commands.command()
def generate() -> None:
    """Print a new master key; keep it in a file of mode 0600 and name that in TWOFOLD_MASTER_KEY_FILE."""
    typer.echo(Keyring.generate())


@commands.command("list")
def show() -> None:
    """List the signing keys that are not retired."""

    async def work(keys: SigningKeys) -> None:
        for key in await keys.published():
            end = f", good until {key.retire_time:%Y-%m-%d %H:%M:%S}Z" if key.retire_time else ""
            typer.echo(f"{key.key.kid}  signs from {key.sign_time:%Y-%m-%d %H:%M:%S}Z{end}")

    _with_keys(work)


@commands.command()
def rotate() -> None:
    """Publish the next signing key. It signs in 10 minutes; the present one stays good until its last token expires."""

    async def work(keys: SigningKeys) -> None:
        key = await keys.rotate()
        if key is None:
            fail("the next key is published already: `keys list` shows when it signs")
        typer.echo(f"{key.key.kid}  signs from {key.sign_time:%Y-%m-%d %H:%M:%S}Z")

    _with_keys(work)


@commands.command()
def remove(key_id: str) -> None:
    """Take a stolen signing key out of use at once.

    What it signed counts no more; sessions live on by their refresh.
    """

    async def work(keys: SigningKeys) -> None:
        if not await keys.remove(key_id):
            fail("no such key: `keys list` shows those there are")

    _with_keys(work)


@commands.command()
def reseal() -> None:
    """Seal all that is stored under the newest master key, while servers that hold both go on.

    First give every server both keys, the old one leading (`1*:<old>,2:<new>`), then the new one leading
    (`1:<old>,2*:<new>`), then run this. Take the old one away when the last session that it began has ended.
    """

    async def work(pool: Pool, keyring: Keyring) -> None:
        try:
            total = await seal_anew(pool, keyring, lambda name, count: typer.echo(f"{name}: {count}"))
        except KeyringError:
            fail("a stored value stands under a master key that is not given")
        typer.echo(f"{total} values sealed anew")

    _with_database(work)


def _keyring(settings: Settings) -> Keyring:
    key = settings.master_key_text()
    if key is None:
        fail("no master key: set TWOFOLD_MASTER_KEY_FILE to the file that the servers use")
    try:
        return Keyring.from_text(key.get_secret_value())
    except ValueError as error:
        fail(str(error))


def _with_keys(work: Callable[[SigningKeys], Awaitable[None]]) -> None:
    _with_database(lambda pool, keyring: work(SigningKeys(pool, keyring, system_clock)))


def _with_database(work: Callable[[Pool, Keyring], Awaitable[None]]) -> None:
    # Once: the master key's variable is gone from the environment after that.
    settings = read_settings()
    keyring = _keyring(settings)

    async def opened() -> None:
        pool = await open_pool(settings.database_url.get_secret_value(), 2)
        try:
            await work(pool, keyring)
        finally:
            await pool.close()

    run(opened())
