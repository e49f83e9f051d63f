"""Passwords: which may be set, how they are sealed and checked, and the work that is done where there is none."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from uuid import UUID

from twofold_server.crypto import blocklist
from twofold_server.crypto.hash_engine import HashEngine, HashQueueFull
from twofold_server.crypto.keyring import Keyring, Place
from twofold_server.crypto.passwords import BcryptCost, HashParameters, PasswordHashError, parse_stored
from twofold_server.db import accounts as db_accounts
from twofold_server.db.pool import Connection
from twofold_server.domain.breached_passwords import BreachedPasswords
from twofold_server.domain.errors import InvalidFields, Overloaded, Violation
from twofold_server.domain.realms import Realm
from twofold_server.domain.values import NewPassword, Password

_PROPORTIONS_SECONDS = 300.0


class Passwords:
    """Checks passwords against stored hashes, and makes new ones, all in the hash engine."""

    def __init__(
        self, db: Connection, keyring: Keyring, engine: HashEngine, breached: BreachedPasswords | None = None
    ) -> None:
        self._db = db
        self._breached = breached
        self._keyring = keyring
        self._engine = engine
        self._proportions: dict[str, tuple[float, list[tuple[str, int]]]] = {}

    def demand_acceptable(self, realm: Realm, new: NewPassword, field: str, inputs: list[str]) -> None:
        """Refuse a password that is too short for the realm, a common one, or no more than a word of its context.

        `inputs` are words that an attacker would try first, such as the address. Raises InvalidFields (ASVS 6.2.1,
        6.2.4, 6.2.11).
        """
        minimum = realm.settings.password_minimum
        if len(new.text) < minimum:
            raise InvalidFields([Violation(field, f"Shorter than {minimum} characters.")])
        if blocklist.is_common(new.text) or blocklist.is_context_word(new.text, _context(realm, inputs)):
            raise InvalidFields([Violation(field, "Among the passwords that are tried first. Choose another one.")])

    async def demand_unbreached(self, new: NewPassword, field: str) -> None:
        """Refuse a password that is known from a data breach, where the operator has that checked (ASVS 6.2.12).

        May ask another service: not to be called within a transaction, nor once a password was judged right. Raises
        InvalidFields, PasswordCheckUnavailable.
        """
        if self._breached is not None and await self._breached.is_known(new):
            raise InvalidFields(
                [Violation(field, "Known from a data breach, so among those that are tried first. Choose another one.")]
            )

    async def advice(self, new: NewPassword, inputs: list[str]) -> blocklist.Advice | None:
        """Tell zxcvbn's advice on a password that was set; None where the engine is busy: nothing depends on it."""
        try:
            return await self._engine.run(blocklist.advice, new.text, inputs)
        except HashQueueFull:
            return None

    async def hash(self, new: NewPassword | Password, *, account: str) -> bytes:
        """Hash a new password, or anew one that was right; the hash is not sealed yet.

        `account` is what the hashes in flight are counted by. Raises Overloaded.
        """
        try:
            return await self._engine.hash(new.text, account=account)
        except HashQueueFull as error:
            raise Overloaded(retry_after=error.retry_after_seconds) from None

    async def verify(self, stored: bytes, password: Password, *, account: str, known_device: bool = False) -> bool:
        """Say whether the password is the one hashed; none is, where the hash is of absurd cost or of no known form.

        Raises Overloaded before any work.
        """
        try:
            try:
                return await self._engine.verify(stored, password.text, account=account, known_device=known_device)
            except PasswordHashError:
                # Whoever brought the row in may have meant to slow the server down, or merely erred: nothing of it is
                # computed, and the answer and its work are those of a wrong password.
                await self._engine.decoy(None, password.text, account=account, known_device=known_device)
                return False
        except HashQueueFull as error:
            raise Overloaded(retry_after=error.retry_after_seconds) from None

    @contextlib.contextmanager
    def expected(self, *, account: str, known_device: bool) -> Iterator[None]:
        """Have the block read for a hash that follows it, or refuse where the queue has no room. Raises Overloaded."""
        with contextlib.ExitStack() as place:
            try:
                place.enter_context(self._engine.expected(account=account, known_device=known_device))
            except HashQueueFull as error:
                raise Overloaded(retry_after=error.retry_after_seconds) from None
            yield

    async def decoy(self, parameters: HashParameters | BcryptCost, password: Password, *, account: str) -> None:
        """Do the work of a wrong password for an identifier without one, in the proportions of the realm's own
        hashes.
        """
        try:
            await self._engine.decoy(parameters, password.text, account=account)
        except HashQueueFull as error:
            raise Overloaded(retry_after=error.retry_after_seconds) from None

    async def decoy_parameters(self, realm: Realm, identifier_mac: bytes) -> HashParameters | BcryptCost:
        """The cost of the work for an identifier, if it has no account. To be asked for those that have one as well."""
        read_at, schemes = self._proportions.get(realm.realm_id, (0.0, []))
        if not read_at or time.monotonic() - read_at > _PROPORTIONS_SECONDS:
            # Marked as read first: of calls that come at once, one reads.
            self._proportions[realm.realm_id] = (time.monotonic(), schemes)
            schemes = await db_accounts.password_schemes(self._db, realm.realm_id)
            self._proportions[realm.realm_id] = (time.monotonic(), schemes)
        total = sum(n for _, n in schemes)
        if not total:
            return self._engine.parameters
        # A share, not a remainder: the same identifier draws the same cost from one attempt to the next, as an
        # account's hash stays the same, though accounts are added meanwhile.
        place = int.from_bytes(identifier_mac[:8]) * total >> 64
        for scheme, n in schemes:
            place -= n
            if place < 0:
                try:
                    return parse_scheme(scheme)
                except (TypeError, ValueError):
                    # Of such a row nothing is computed either.
                    break
        return self._engine.parameters

    def needs_rehash(self, stored: bytes) -> bool:
        """Say whether a hash is of another scheme or cost than those made now."""
        return self._engine.needs_rehash(stored)

    def seal(self, realm_id: str, account_id: UUID, hash: bytes) -> bytes:
        """Seal a hash for its row."""
        return self._keyring.seal(hash, _place(realm_id, account_id))

    def open(self, realm_id: str, account_id: UUID, sealed: bytes) -> bytes:
        """Open the hash of a row."""
        return self._keyring.open(sealed, _place(realm_id, account_id))


def _context(realm: Realm, inputs: list[str]) -> Iterator[str]:
    """The words of a password's context: the inputs, of an address its parts as well, and what the realm is called."""
    for text in inputs:
        yield text
        local, at, domain = text.rpartition("@")
        if at:
            yield from (local, domain, *domain.split(".")[:-1])
    yield from (realm.realm_id, realm.display_name, realm.settings.totp_issuer, realm.settings.mail_from_name)


def scheme_of(stored: bytes) -> str:
    """The algorithm and cost of a hash, such as `argon2id:19456,2,1`: kept in the open, for the proportions of
    decoys.
    """
    parameters = parse_stored(stored).parameters
    if isinstance(parameters, BcryptCost):
        return f"bcrypt:{parameters.cost}"
    return f"argon2id:{parameters.memory_kib},{parameters.time_cost},{parameters.parallelism}"


def parse_scheme(scheme: str) -> HashParameters | BcryptCost:
    """The parameters of `scheme_of`. Raises ValueError or TypeError for what it never returned."""
    name, _, costs = scheme.partition(":")
    if name == "bcrypt":
        return BcryptCost(int(costs))
    return HashParameters(*(int(c) for c in costs.split(",")))


def _place(realm_id: str, account_id: UUID) -> Place:
    return Place("password_credentials", "hash", realm_id, str(account_id), str(account_id))
