"""Distinct channels: one mailbox is never both factors of a sign-in.

A password remembers the mailbox that it was last set through. Until the user has signed in with a factor on another
channel, codes to that mailbox prove nothing that the password has not: else whoever reads it resets the one factor
and receives the other.
"""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from twofold_server.crypto.keyring import Keyring
from twofold_server.domain.factors import email_code
from twofold_server.domain.factors.kinds import Enrolled, secret_place
from twofold_server.domain.realms import Realm
from twofold_server.domain.values import EmailAddress


class SetThrough(Enrolled, Protocol):
    """What a read brings of an account's factors and of its password's channel."""

    @property
    def set_through(self) -> str | None: ...


def channel_of(mailbox: EmailAddress) -> str:
    """How a password's row names the mailbox that set it: every spelling of an address alike, and every tag of one.

    `own+codes@` leads to where `own@` does (RFC 5233) wherever it leads anywhere. Somewhere the two may be different
    people's: there a factor too many is refused, elsewhere one mailbox would be both factors.
    """
    return channel_of_key(mailbox.key)


def channel_of_key(key: str) -> str:
    """The same, of an address as it is compared."""
    local, _, domain = key.rpartition("@")
    return f"email:{local.partition('+')[0] or local}@{domain}"


def distinct(keyring: Keyring, realm: Realm, found: SetThrough) -> list[tuple[UUID, str, bytes]]:
    """Each factor that proves more than the password does, as id, kind and sealed secret, the preferred one first."""
    together = zip(found.factor_ids or (), found.factor_kinds or (), found.factor_secrets or (), strict=True)
    return [
        (factor_id, kind, secret)
        for factor_id, kind, secret in together
        if kind != email_code.KIND
        or found.set_through is None
        or found.set_through != _channel(keyring, realm, found, factor_id, secret)
    ]


def _channel(keyring: Keyring, realm: Realm, found: SetThrough, factor_id: UUID, secret: bytes) -> str:
    opened = keyring.open(secret, secret_place(realm.realm_id, found.account_id, factor_id))
    return channel_of(EmailAddress.parse(email_code.challenge(opened)))
