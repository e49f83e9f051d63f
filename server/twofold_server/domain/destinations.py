"""Where an account can be told something: every verified address and number of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from twofold_server.crypto.keyring import Keyring, Place
from twofold_server.db import phone_numbers as db_phone_numbers
from twofold_server.db.pool import Connection
from twofold_server.domain.values import EmailAddress, PhoneNumber, RealmId

# What a factor's sealed JSON calls its destination.
_ADDRESS: Final = {"email": "address", "sms": "number"}


@dataclass(frozen=True, slots=True)
class Told:
    """The destinations of a notice, each once, and the account's language."""

    emails: list[EmailAddress] = field(repr=False)
    numbers: list[PhoneNumber] = field(repr=False)
    language: str


async def of_account(db: Connection, keyring: Keyring, realm_id: RealmId, account_id: UUID) -> Told:
    """Read them: the account's address first, then those of its e-mail factors; its number, then those of SMS factors.

    A value that can't be read any more, as a number that the plan has since dropped, is left out: it must not keep the
    others from being told.
    """
    row = await db_phone_numbers.destinations(db, realm_id, account_id)
    if row is None:
        return Told([], [], "")
    emails = {(first := EmailAddress.parse(row.email)).key: first}
    numbers: dict[str, PhoneNumber] = {}
    if row.number is not None:
        _add(open_number(keyring, realm_id, account_id, row.number), numbers)
    for factor_id, kind, sealed in zip(row.factor_ids, row.factor_kinds, row.factor_secrets, strict=True):
        place = Place("factors", "secret", realm_id, str(account_id), str(factor_id))
        text = json.loads(keyring.open(sealed, place)).get(_ADDRESS[kind], "")
        if kind == "sms":
            _add(text, numbers)
        else:
            try:
                address = EmailAddress.parse(text)
            except ValueError:
                continue
            emails.setdefault(address.key, address)
    return Told(list(emails.values()), list(numbers.values()), row.language_code)


def number_place(realm_id: str, account_id: UUID) -> Place:
    """Where an account's number is sealed for."""
    return Place("phone_numbers", "number", realm_id, str(account_id), str(account_id))


def number_macs(keyring: Keyring, realm_id: str, number: str) -> tuple[bytes, ...]:
    """What an account's number, in E.164, may be found by; the first is what is stored."""
    return keyring.identifier_macs(realm_id, f"phone-number:{number}")


def open_number(keyring: Keyring, realm_id: str, account_id: UUID, sealed: bytes) -> str:
    """An account's number in E.164."""
    return keyring.open(sealed, number_place(realm_id, account_id)).decode()


def _add(text: str, numbers: dict[str, PhoneNumber]) -> None:
    try:
        number = PhoneNumber.parse(text)
    except ValueError:
        return
    numbers.setdefault(number.text, number)
