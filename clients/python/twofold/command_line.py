"""`twofold`: what people do with a Twofold service from a shell. So far `twofold approver`, a phone in a terminal."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from twofold.errors import TwofoldError

if TYPE_CHECKING:
    from collections.abc import Sequence

_CREDENTIAL = "TWOFOLD_CREDENTIAL"
_DEFAULT_FILE = Path("~/.config/twofold/approver.json")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0, or 1 with one plain line on standard error, or 130 where it was interrupted."""
    given = _parser().parse_args(arguments)
    # Only where it is used, for it loads `cryptography`, which the client does without.
    try:
        from twofold import approver_commands  # noqa: PLC0415

        asyncio.run(approver_commands.run(given))
    except KeyboardInterrupt:
        return 130
    except (TwofoldError, ImportError, OSError, ValueError) as error:
        print(f"twofold: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="twofold", description="Client of the Twofold authentication service.")
    nouns = parser.add_subparsers(dest="noun", required=True)
    approver = nouns.add_parser("approver", help="a phone that approves sign-ins, in this terminal")
    verbs = approver.add_subparsers(dest="verb", required=True)

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--target", default=os.environ.get("TWOFOLD_TARGET", "127.0.0.1:50051"), help="host:port (TWOFOLD_TARGET)"
    )
    common.add_argument("--root-certificates", type=Path, help="PEM of the authorities of the server; then with TLS")
    common.add_argument(
        "--file", type=Path, default=_DEFAULT_FILE, help=f"where the key is kept, mode 0600 (default {_DEFAULT_FILE})"
    )

    pair = verbs.add_parser("pair", parents=[common], help="pair by the code or URL that the front end shows")
    pair.add_argument("pairing", metavar="CODE", help="code or URL; - reads it from standard input")
    pair.add_argument("--name", default="", help="what this approver is called")
    pair.add_argument("--algorithm", choices=("ES256", "Ed25519"), default="ES256")

    verbs.add_parser("watch", parents=[common], help="show requests and ask what to answer")

    answer = verbs.add_parser("answer", parents=[common], help="answer one request")
    answer.add_argument("request_id")
    decision = answer.add_mutually_exclusive_group(required=True)
    decision.add_argument("--number", help="approve, with the number that the waiting screen shows")
    decision.add_argument("--deny", action="store_true", help="deny")
    decision.add_argument("--not-me", action="store_true", help="it was somebody else: end the sign-in")
    approver.epilog = f"The calling service's credential, where one is needed, is read from {_CREDENTIAL}."
    return parser


def credential() -> str | None:
    """Read the calling service's credential; no option has it, as arguments are shown to every user of a machine."""
    return os.environ.get(_CREDENTIAL)
