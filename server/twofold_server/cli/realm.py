"""`twofold-server realm`: populations of accounts, and their settings."""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from twofold_server.cli.common import fail, read_settings, run
from twofold_server.db.pool import open_pool
from twofold_server.delivery.texts import LANGUAGES, TextRefused, catalogue, check_override
from twofold_server.domain.clock import system_clock
from twofold_server.domain.errors import RealmNotFound
from twofold_server.domain.realm_settings import docs
from twofold_server.domain.realm_texts import RealmTexts
from twofold_server.domain.realms import Realm, RealmRefused, Realms
from twofold_server.domain.setting_forms import show
from twofold_server.domain.values import RealmId

commands = typer.Typer(help="Realms: populations of accounts that know nothing of each other.", no_args_is_help=True)

_T = TypeVar("_T")
_Assignments = Annotated[
    list[str] | None,
    typer.Argument(metavar="[SETTING=VALUE]...", help="Such as password_minimum=12 session_idle=24h preset=nist."),
]


@commands.command()
def create(
    realm_id: Annotated[str, typer.Argument(help="1 to 63 lower-case letters, digits and inner hyphens.")],
    assignments: _Assignments = None,
    name: Annotated[str, typer.Option(help="What users read in mails and apps. Default: the id.")] = "",
) -> None:
    """Make a realm."""
    settings = _parsed(assignments)
    realm = _with(lambda realms: realms.create(realm_id, name, settings), realm_id)
    typer.echo(f"created {realm.realm_id}")


@commands.command(name="set")
def set_(
    realm_id: Annotated[str, typer.Argument(help="The realm.")],
    assignments: _Assignments = None,
    name: Annotated[str | None, typer.Option(help="What users read in mails and apps.")] = None,
) -> None:
    """Change settings; an empty value takes the default again. Servers follow within 5 seconds."""
    settings = _parsed(assignments)
    if not settings and name is None:
        fail("nothing to set: name a setting, such as password_minimum=12, or --name; `realm show` lists them")
    _show(_with(lambda realms: realms.set(realm_id, settings, display_name=name), realm_id))


@commands.command(name="show")
def show_(realm_id: Annotated[str, typer.Argument(help="The realm.")] = "default") -> None:
    """Show a realm's settings, each with its default and what it does."""
    _show(_with(lambda realms: realms.get(RealmId(realm_id)), realm_id))


@commands.command(name="list")
def list_() -> None:
    """List the realms."""
    for realm in _with(lambda realms: realms.every(), ""):
        typer.echo(f"{realm.realm_id}\t{realm.display_name}")


@commands.command()
def text(
    realm_id: Annotated[str, typer.Argument(help="The realm.")],
    language: Annotated[str, typer.Argument(help=f"One of {', '.join(LANGUAGES)}.")],
    key: Annotated[str, typer.Argument(help="Such as sign_in_code.subject; `realm texts` lists them.")],
    content: Annotated[str, typer.Argument(help="One line with {placeholders}. Empty: the text that ships.")],
) -> None:
    """Set a realm's own wording of one text of its messages. Servers follow within 5 seconds."""

    async def opened() -> None:
        settings = read_settings()
        pool = await open_pool(settings.database_url.get_secret_value(), 1)
        try:
            realm = await Realms(pool, system_clock, issuer=settings.issuer).get(RealmId(realm_id))
            await RealmTexts(pool, system_clock).set(realm.realm_id, language, key, content)
        finally:
            await pool.close()

    try:
        if content:
            check_override(language, key, content)
        run(opened())
    except TextRefused as error:
        fail(str(error))
    except RealmNotFound:
        fail(f"there is no realm {realm_id}")


@commands.command()
def texts(language: Annotated[str, typer.Argument(help=f"One of {', '.join(LANGUAGES)}.")] = "en") -> None:
    """List the texts that ship, by the keys under which a realm may have its own."""
    if language not in LANGUAGES:
        fail(f"no such language: one of {', '.join(LANGUAGES)}")
    for key, content in catalogue(language).items():
        typer.echo(f"{key}\t{content}")


def _with(work: Callable[[Realms], Awaitable[_T]], realm_id: str) -> _T:
    async def opened() -> _T:
        settings = read_settings()
        pool = await open_pool(settings.database_url.get_secret_value(), 1)
        async with pool:
            return await work(Realms(pool, system_clock, issuer=settings.issuer))

    try:
        return run(opened())
    except RealmRefused as error:
        fail(str(error))
    except RealmNotFound:
        fail(f"there is no realm {realm_id!r}: `twofold-server realm list` shows those there are")


def _parsed(assignments: list[str] | None) -> dict[str, str]:
    parsed = {}
    for assignment in assignments or ():
        setting, equals, value = assignment.partition("=")
        if not equals:
            fail(f"{assignment!r} is not of the form SETTING=VALUE")
        parsed[setting.strip()] = value
    return parsed


def _show(realm: Realm) -> None:
    title = f"{realm.realm_id}: {realm.display_name}"
    table = Table("setting", "value", "default", "", title=title, title_justify="left")
    table.add_row("preset", str(realm.stored.get("preset", "default")), "default", "Deviations from NIST off: nist.")
    for setting, default, text in docs():
        table.add_row(setting, show(getattr(realm.settings, setting)), default, text)
    Console(width=None if Console().is_terminal else 160).print(table)
    typer.echo(f"issuer of its tokens: {realm.issuer}")
