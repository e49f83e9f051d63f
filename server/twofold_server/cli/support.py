"""`twofold-server support`: the desk from a terminal, in an agent's own session at a running server."""

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twofold_server.cli.common import fail

if TYPE_CHECKING:
    from twofold.desk import Desk

commands = typer.Typer(
    help="The support desk, worked in your own session at a running server. The calling service's credential is read"
    " from TWOFOLD_CREDENTIAL; it needs the role support in the users' realm, and frontend in the realm `support`.",
    no_args_is_help=True,
)

_CREDENTIAL = "TWOFOLD_CREDENTIAL"
_Case = Annotated[str, typer.Argument(metavar="CASE_ID")]
_Account = Annotated[str, typer.Argument(metavar="ACCOUNT_ID")]
_Reason = Annotated[str, typer.Option("--reason", help="Why, and how the user's identity was checked.")]
_AccountOption = Annotated[str, typer.Option("--account", help="The account's id.")]
_EmailOption = Annotated[str, typer.Option("--email", help="The exact address.")]
_PhoneOption = Annotated[str, typer.Option("--phone", help="The exact number, as +420605987654.")]


class Action(StrEnum):
    """What a case does."""

    RESET_TWO_FACTOR = "reset-two-factor"
    CORRECT_EMAIL = "correct-email"
    CORRECT_PHONE = "correct-phone"


@dataclass
class _Where:
    target: str = ""
    realm: str = ""
    root_certificates: Path | None = None
    file: Path = Path()


_where = _Where()


@commands.callback()
def _group(
    target: Annotated[str, typer.Option(envvar="TWOFOLD_TARGET", help="The server's host:port.")] = "127.0.0.1:50051",
    realm: Annotated[str, typer.Option(help="The users' realm. Empty: the only one that the caller supports.")] = "",
    root_certificates: Annotated[
        Path | None, typer.Option(help="PEM of the authorities of the server; then with TLS.")
    ] = None,
    file: Annotated[Path, typer.Option(help="Where the session is kept, mode 0600.")] = Path(
        "~/.config/twofold/desk.json"
    ),
) -> None:
    """The support desk."""
    _where.target, _where.realm, _where.root_certificates = target, realm, root_certificates
    _where.file = file.expanduser()


@commands.command()
def activate() -> None:
    """Make your account, once: asks for the token of `agent add` and for the password that you choose."""
    token, password = _ask("Token"), _ask("New password", hidden=True)
    if sys.stdin.isatty() and _ask("The same again", hidden=True) != password:
        fail("the two are not the same")
    _tell(lambda desk: [f"{desk.activate(token, password)}: made; sign in, and have an authenticator app at hand"])


@commands.command(name="sign-in")
def sign_in(email: Annotated[str, typer.Argument()]) -> None:
    """Sign in with your password and a code; the first time, set your authenticator app up. Good for 10 minutes."""
    password = _ask("Password", hidden=True)

    def work(desk: "Desk") -> Iterable[str]:
        desk.sign_in(email, password, _ask, typer.echo)
        return ["signed in"]

    _tell(work)


@commands.command(name="sign-out")
def sign_out() -> None:
    """End the session."""

    def work(desk: "Desk") -> Iterable[str]:
        desk.sign_out()
        return ["signed out"]

    _tell(work)


@commands.command()
def find(email: _EmailOption = "", account: _AccountOption = "", phone: _PhoneOption = "") -> None:
    """Find accounts by one of the three; shown masked."""
    _tell(lambda desk: desk.find(**_one_of(email, account, phone)))


@commands.command(name="open")
def open_(
    account: _Account,
    action: Annotated[Action, typer.Argument()],
    reason: _Reason,
    value: Annotated[str, typer.Argument(help="The new address or number.")] = "",
    evidence: Annotated[list[str] | None, typer.Option(help="A reference, such as a ticket's number.")] = None,
    unreachable: Annotated[bool, typer.Option("--unreachable", help="The user reads nothing of before.")] = False,
) -> None:
    """Open a case, which another agent has to approve."""
    _tell(lambda desk: [desk.open(account, action.value, value, reason, evidence or [], unreachable=unreachable)])


@commands.command()
def approve(case: _Case) -> None:
    """Approve another agent's case; the wait begins."""
    _tell(lambda desk: [desk.approve(case)])


@commands.command()
def reject(case: _Case, reason: _Reason) -> None:
    """Refuse a case that nobody has approved."""
    _tell(lambda desk: [desk.reject(case, reason)])


@commands.command()
def cancel(case: _Case) -> None:
    """End a case that was not executed."""
    _tell(lambda desk: [desk.cancel(case)])


@commands.command()
def execute(case: _Case) -> None:
    """Do what was approved, when the wait is over; after a reset, print the code for the user."""
    _tell(lambda desk: desk.execute(case))


@commands.command(name="list")
def list_(
    account: _AccountOption = "",
    everything: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
) -> None:
    """List the cases that are open or approved, the newest first."""
    _tell(lambda desk: desk.cases(account, everything=everything))


@commands.command()
def deliveries(email: _EmailOption = "", account: _AccountOption = "", phone: _PhoneOption = "") -> None:
    """Tell what became of messages, the newest first: never what they said."""
    _tell(lambda desk: desk.deliveries(**_one_of(email, account, phone)))


@commands.command()
def lock(account: _Account, reason: _Reason) -> None:
    """Lock an account; its sessions end at once."""
    _tell(lambda desk: [desk.lock(account, reason)])


@commands.command()
def unlock(account: _Account, reason: _Reason) -> None:
    """Unlock an account."""
    _tell(lambda desk: [desk.unlock(account, reason)])


@commands.command()
def revive(email: Annotated[str, typer.Argument()]) -> None:
    """Send the link of an expired sign-up again."""
    _tell(lambda desk: [desk.revive(email)])


def _one_of(email: str, account: str, phone: str) -> dict[str, str]:
    given = {name: text for name, text in (("email", email), ("account_id", account), ("phone_number", phone)) if text}
    if len(given) != 1:
        fail("name exactly one of --email, --account and --phone")
    return given


def _ask(what: str, *, hidden: bool = False) -> str:
    # Never an option: arguments are shown to every user of a machine.
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    answer: str = typer.prompt(what, hide_input=hidden)
    return answer


def _tell(work: Callable[["Desk"], Iterable[str]]) -> None:
    # gRPC takes a third of a second to load, which no other command needs.
    from twofold.desk import Desk
    from twofold.errors import TwofoldError
    from twofold.sync_client import SyncClient
    from twofold.transport import TlsOptions

    try:
        tls = TlsOptions.from_files(_where.root_certificates) if _where.root_certificates else None
        credential = os.environ.get(_CREDENTIAL)
        with SyncClient(_where.target, credential=credential, tls=tls, user_agent="twofold-support") as client:
            for line in work(Desk(client, _where.file, _where.realm)):
                typer.echo(line)
    except (TwofoldError, OSError, ValueError) as error:
        fail(str(error))
