"""What a message becomes: decided when it is sent, not when it is caused, so that the caller's answer tells nothing."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final
from urllib.parse import urlencode

from twofold_server.crypto import tokens
from twofold_server.crypto.keyring import SealBroken
from twofold_server.db import outbox, recovery
from twofold_server.db.outbox import Claimed
from twofold_server.db.pool import Connection
from twofold_server.delivery.mail import DeliveryError, Mail, build, clean_text, clean_title
from twofold_server.delivery.rendering import Templates
from twofold_server.delivery.sms import Sms
from twofold_server.delivery.texts import Catalogue, Lifetime
from twofold_server.delivery.wake_ups import WakeUp
from twofold_server.domain.clock import Clock
from twofold_server.domain.deliveries import Refusal
from twofold_server.domain.messages import RULES, WAKE_UP, MessageKind, Messages, Payload
from twofold_server.domain.realms import Realm
from twofold_server.domain.values import EmailAddress, RealmId

ACTIVATION_PATH: Final = "/activate"
ALREADY_REGISTERED: Final = "already_registered"
EMAIL_TAKEN: Final = "email_taken"
NOTHING_TO_RECOVER: Final = "nothing_to_recover"
# Where links lead, below the realm's base URL, and what is written instead to the owner of an address that is taken.
_PATHS: Final = {
    MessageKind.ACTIVATION: ACTIVATION_PATH,
    MessageKind.EMAIL_CHANGE: "/change-email",
    MessageKind.EMAIL_UNDO: "/undo-email-change",
    MessageKind.PASSWORD_RESET: "/reset-password",
    MessageKind.TWO_FACTOR_RECOVERY: "/recover-two-factor",
    MessageKind.CASE_OPENED: "/cancel-case",
    MessageKind.CASE_APPROVED: "/cancel-case",
    MessageKind.CASE_CONFIRMATION: "/confirm-correction",
}
_IF_TAKEN: Final = {MessageKind.ACTIVATION: ALREADY_REGISTERED, MessageKind.EMAIL_CHANGE: EMAIL_TAKEN}
_TO_OWNERS: Final = frozenset({MessageKind.PASSWORD_RESET, MessageKind.TWO_FACTOR_RECOVERY})
_CANCEL_PATH: Final = "/cancel-recovery"
_CANCELLABLE: Final = frozenset({MessageKind.TWO_FACTOR_RECOVERY_BEGUN, MessageKind.TWO_FACTOR_RECOVERY_WAITING})
# Sent while their ticket stands. The notice of a hint has one where there is nobody to tell: one that never stood.
_WITH_TICKET: Final = frozenset(
    {MessageKind.SIGN_IN_CODE, MessageKind.CONFIRMATION_CODE, MessageKind.RECOVERY_CODE, MessageKind.SIGN_IN_HINT}
)
# An operator's own, so `twofold@localhost` and names of a private network are as good as any.
_SENDER: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", re.ASCII)


class NotWorthSending(DeliveryError):
    """The message is to end unsent, in `state`, for `reason` (no body, no address)."""

    def __init__(self, state: outbox.End, reason: str, refusal: Refusal | None = None) -> None:
        super().__init__(reason)
        self.state = state
        self.refusal = refusal


class Letters:
    """Makes mails, text messages and wake-ups of what waits in the outbox."""

    __slots__ = ("_clock", "_db", "_messages", "_sender", "_templates", "_texts")

    def __init__(
        self,
        db: Connection,
        messages: Messages,
        templates: Templates,
        sender: str,
        clock: Clock,
        texts: Callable[[RealmId], Awaitable[Mapping[str, Catalogue]]] | None = None,
    ) -> None:
        """`sender` is the bare address that mails come from; their name is the realm's. `texts` finds a realm's own.

        Raises ValueError.
        """
        if not _SENDER.fullmatch(sender):
            raise ValueError("The sender of mail is a bare ASCII address, such as no-reply@example.com.")
        self._db = db
        self._messages = messages
        self._templates = templates
        self._sender = sender
        self._texts = texts
        self._clock = clock

    async def write(self, message: Claimed, realm: Realm) -> Mail:
        """Write the mail of a claimed message.

        Raises NotWorthSending, PermanentFailure, UnknownKey (this worker lacks the key yet) or jinja2.TemplateError.
        """
        kind, payload = self._open(message)
        template, to = kind.value, payload.to
        link = await self._link(message, realm, kind, payload)
        if kind in _IF_TAKEN or kind in _TO_OWNERS:
            owner = await outbox.account_email(self._db, message.realm_id, EmailAddress.parse(payload.to).key)
            if owner is None and kind in _TO_OWNERS:
                raise NotWorthSending("superseded", "no account of this address")
            # To the address as its owner wrote it: another spelling may lead to another mailbox.
            to = owner or to
            if owner is not None and kind in _IF_TAKEN:
                template, link = _IF_TAKEN[kind], ""
        if kind is MessageKind.TWO_FACTOR_RECOVERY and not await recovery.second_factor(
            self._db, message.realm_id, EmailAddress.parse(payload.to).key
        ):
            template, link = NOTHING_TO_RECOVER, ""
        await self._demand_live_code(message, kind)
        own = await self._texts(realm.realm_id) if self._texts is not None else {}
        return self._mail(message, realm, payload, kind, template, link, to, own)

    async def write_sms(self, message: Claimed, realm: Realm) -> Sms:
        """Write the text message of a claimed message. Raises as `write`."""
        kind, payload = self._open(message)
        await self._demand_live_code(message, kind)
        own = await self._texts(realm.realm_id) if self._texts is not None else {}
        values = self._values(message, realm, payload, kind)
        values["link"] = await self._link(message, realm, kind, payload)
        text = self._templates.render_sms(
            kind.value,
            _languages(payload, realm),
            values,
            own,
            realm.settings.sms_code_domain,
        )
        return Sms(message.outbox_id, kind.value, message.create_time, message.expire_time, payload.to, text)

    async def write_wake_up(self, message: Claimed) -> WakeUp:
        """Open a claimed wake-up, whose request still stands. Raises NotWorthSending or UnknownKey."""
        if message.kind != WAKE_UP or message.account_id is None:
            raise NotWorthSending("dead", "no such kind", Refusal.FAILED)
        try:
            token = self._messages.open_wake_up(
                message.realm_id, message.account_id, message.outbox_id, message.payload
            )
        except SealBroken:
            raise NotWorthSending("dead", "the payload does not open", Refusal.FAILED) from None
        await self._demand_live_ticket(message)
        return WakeUp(message.outbox_id, token)

    def _open(self, message: Claimed) -> tuple[MessageKind, Payload]:
        try:
            kind = MessageKind(message.kind)
        except ValueError:
            raise NotWorthSending("dead", "no such kind", Refusal.FAILED) from None
        try:
            return kind, self._messages.open(message.realm_id, message.account_id, message.outbox_id, message.payload)
        except SealBroken:
            raise NotWorthSending("dead", "the payload does not open", Refusal.FAILED) from None

    async def _demand_live_code(self, message: Claimed, kind: MessageKind) -> None:
        """Of several codes asked for during an outage the last alone is sent: the others open nothing any more."""
        if kind in _WITH_TICKET:
            await self._demand_live_ticket(message)

    async def _demand_live_ticket(self, message: Claimed) -> None:
        if message.ticket_id is not None and not await outbox.ticket_stands(
            self._db, message.realm_id, message.ticket_id, self._clock()
        ):
            raise NotWorthSending("superseded", "its ticket is spent or replaced")

    async def _live_token(self, message: Claimed, payload: Payload) -> str:
        token = payload.params.get("token", "")
        handle_hash = tokens.token_hash(token)
        if (
            message.ticket_id is None
            or handle_hash is None
            or not await outbox.ticket_is_live(
                self._db, message.realm_id, message.ticket_id, handle_hash, self._clock()
            )
        ):
            raise NotWorthSending("superseded", "its ticket is spent, replaced or was never made")
        return token

    async def _link(self, message: Claimed, realm: Realm, kind: MessageKind, payload: Payload) -> str:
        """The link of a message whose kind has one, empty of another. Raises NotWorthSending."""
        if kind in _CANCELLABLE:
            path, token = _CANCEL_PATH, payload.params.get("token", "")
        elif kind in _PATHS:
            path, token = _PATHS[kind], await self._live_token(message, payload)
        else:
            return ""
        # From the realm's settings alone: a host that a caller sent would carry the token there (CVE-2023-49097).
        return f"{realm.settings.link_base_url.rstrip('/')}{path}?{urlencode({'token': token})}"

    def _mail(
        self,
        message: Claimed,
        realm: Realm,
        payload: Payload,
        kind: MessageKind,
        template: str,
        link: str,
        to: str,
        own: Mapping[str, Catalogue],
    ) -> Mail:
        values = self._values(message, realm, payload, kind) | {"link": link}
        words = self._templates.render(template, _languages(payload, realm), values, own)
        return build(
            outbox_id=message.outbox_id,
            template=template,
            create_time=message.create_time,
            now=self._clock(),
            sender=self._sender,
            sender_name=_product(realm),
            to=to,
            subject=words.subject,
            text=words.text,
            html=words.html,
        )

    def _values(self, message: Claimed, realm: Realm, payload: Payload, kind: MessageKind) -> dict[str, object]:
        return {
            **{name: _clean(name, payload.params.get(name, "")) for name in RULES[kind].shown},
            "product": _product(realm),
            "lifetime": Lifetime.of(message.expire_time - message.create_time),
            "expire_time": message.expire_time,
            "time": message.create_time,
        }


def _clean(name: str, value: str) -> str:
    # A masked address becomes no link, and is to be known again: no space after its stop.
    return clean_title(value) if name == "email" else clean_text(value)


def _product(realm: Realm) -> str:
    return clean_title(realm.settings.mail_from_name) or clean_title(realm.display_name) or "Twofold"


def _languages(payload: Payload, realm: Realm) -> tuple[str, ...]:
    return tuple(filter(None, (payload.language, realm.settings.language_code)))
