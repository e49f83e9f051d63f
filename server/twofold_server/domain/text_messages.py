"""The spend guard: what a text message must pass before it is written, so that nobody turns a realm into money.

Artificially inflated traffic asks for codes to ranges of numbers whose operator shares in the price; the caps by
number, range, country and realm bound what that can cost.
"""

from __future__ import annotations

from datetime import timedelta

from twofold_server.crypto.keyring import Keyring
from twofold_server.db import sms as db_sms
from twofold_server.db.outbox import OutboxRow
from twofold_server.db.pool import Connection
from twofold_server.db.sms import Scope, Scopes
from twofold_server.domain.attempts import hour_of
from twofold_server.domain.deliveries import Delivery, Refusal, new_delivery
from twofold_server.domain.messages import MessageKind, budget_of
from twofold_server.domain.realms import Realm
from twofold_server.domain.values import PhoneNumber


class TextMessages:
    """Admits text messages to the outbox, or refuses them with a reason."""

    def __init__(self, keyring: Keyring, *, configured: bool) -> None:
        """`configured`: whether there is a provider at all."""
        self._keyring = keyring
        self._configured = configured

    async def admit(
        self, tx: Connection, realm: Realm, row: OutboxRow, number: PhoneNumber, *, known_device: bool = False
    ) -> Delivery:
        """Write a prepared text message in the statement that counts it, and tell whether it will be sent.

        `known_device`: a sign-in code that was asked for on a device of the account's.
        A refusal is no error: the row is there, ended, and the Delivery has its reason. In a transaction the counts are
        locked until it commits, so let this be its last statement.
        """
        allowed = realm.settings.sms_countries
        if not self._configured:
            return await self._refused(tx, realm, row, Refusal.CHANNEL_NOT_CONFIGURED)
        if allowed and number.country not in allowed:
            return await self._refused(tx, realm, row, Refusal.COUNTRY_NOT_SERVED)
        scope = await db_sms.admit(tx, row, self._scopes(realm, row, number, known_device=known_device))
        if scope is None:
            return new_delivery(realm, row.create_time, None)
        refusal = Refusal.OVER_BUDGET if scope.startswith("number") else Refusal.SPEND_CAP
        return new_delivery(realm, row.create_time, refusal, scope)

    async def _refused(self, tx: Connection, realm: Realm, row: OutboxRow, refusal: Refusal) -> Delivery:
        await db_sms.refuse(tx, row, refusal.value, refusal.value)
        return new_delivery(realm, row.create_time, refusal)

    def _scopes(self, realm: Realm, row: OutboxRow, number: PhoneNumber, *, known_device: bool) -> Scopes:
        settings = realm.settings
        hour = hour_of(row.create_time)
        day = hour - timedelta(hours=hour.hour)
        # Codes of sign-ins and of recoveries, and notices, have counts of their own: a stranger who enrols or confirms
        # a number that is another's, or one beside it, must not silence them, nor one who knows the password the
        # owner's own device.
        by_hour, by_day, use = settings.sms_per_number_per_hour, settings.sms_per_number_per_day, "code"
        if row.kind == MessageKind.SIGN_IN_CODE:
            use = "sign-in-known" if known_device else "sign-in"
        elif row.kind == MessageKind.RECOVERY_CODE:
            use = "recovery"
        elif not budget_of(row.kind):
            by_hour = by_day = settings.sms_notices_per_number_per_day
            use = "notice"
        mac = self._keyring.identifier_mac(realm.realm_id, f"sms:{use}:{number.text}").hex()
        prefix = self._keyring.identifier_mac(realm.realm_id, f"sms-prefix:{use}:{number.prefix}").hex()
        return Scopes(
            Scope("number_hour", f"hour:{mac}", hour, by_hour),
            Scope("number_day", f"number:{mac}", day, by_day),
            Scope("prefix_day", f"prefix:{prefix}", day, settings.sms_per_prefix_per_day),
            Scope("country_day", f"country:{number.country}", day, settings.sms_per_country_per_day),
            Scope("realm_day", "day", day, settings.sms_per_day),
        )
