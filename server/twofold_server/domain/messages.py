"""What Twofold writes to people: the kinds of message, and how one is prepared for the outbox."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from twofold_server.crypto.keyring import Keyring, Place
from twofold_server.db.outbox import OutboxRow
from twofold_server.domain.clock import Clock
from twofold_server.domain.values import AccountId, EmailAddress, PhoneNumber, RealmId, TicketId

URGENT: Final = 1
NOTICE: Final = 5
WAKE_UP: Final = "wake_up"
_NOTICE_LIFE: Final = timedelta(days=7)


class MessageKind(StrEnum):
    """Why a message is sent. What it says are the texts of the same name."""

    ACTIVATION = "activation"
    SIGN_IN_CODE = "sign_in_code"
    CONFIRMATION_CODE = "confirmation_code"
    PASSWORD_RESET = "password_reset"
    TWO_FACTOR_RECOVERY = "two_factor_recovery"
    RECOVERY_CODE = "recovery_code"
    NEW_DEVICE = "new_device"
    PASSWORD_CHANGED = "password_changed"
    PASSWORD_RESET_DONE = "password_reset_done"
    TWO_FACTOR_RECOVERY_BEGUN = "two_factor_recovery_begun"
    TWO_FACTOR_RECOVERY_WAITING = "two_factor_recovery_waiting"
    TWO_FACTOR_RECOVERY_CANCELLED = "two_factor_recovery_cancelled"
    TWO_FACTOR_RECOVERED = "two_factor_recovered"
    TWO_FACTOR_ENABLED = "two_factor_enabled"
    FACTOR_ADDED = "factor_added"
    FACTOR_REMOVED = "factor_removed"
    TWO_FACTOR_DISABLED = "two_factor_disabled"
    BACKUP_CODES_CHANGED = "backup_codes_changed"
    PHONE_NUMBER_ADDED = "phone_number_added"
    PHONE_NUMBER_CHANGED = "phone_number_changed"
    EMAIL_CHANGE = "email_change"
    EMAIL_CHANGED = "email_changed"
    EMAIL_UNDO = "email_undo"
    EMAIL_RESTORED = "email_restored"
    CHANGES_FROZEN = "changes_frozen"
    SIGN_IN_DENIED = "sign_in_denied"
    ACCOUNT_DELETED = "account_deleted"
    SESSION_REUSED = "session_reused"
    DEVICE_REUSED = "device_reused"
    USER_AGENT_CHANGED = "user_agent_changed"
    SIGN_IN_HINT = "sign_in_hint"
    CASE_OPENED = "case_opened"
    CASE_APPROVED = "case_approved"
    CASE_CONFIRMATION = "case_confirmation"
    CASE_CLOSED = "case_closed"
    CASE_EXECUTED = "case_executed"
    ACCOUNT_LOCKED = "account_locked"
    ACCOUNT_UNLOCKED = "account_unlocked"


@dataclass(frozen=True, slots=True)
class Rule:
    """How a kind is treated.

    `life`: how long it is worth sending; None where the ticket decides, so that `expire_time` is required.
    `secrets`: parameters that no text is given as they are. `shown`: those that one is, cleaned.
    `budgeted`: a stranger can cause it, so that an address gets only so many an hour.
    """

    priority: int = NOTICE
    life: timedelta | None = _NOTICE_LIFE
    shown: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()
    budgeted: bool = False


_WHERE: Final = frozenset({"name", "ip_address", "user_agent"})
_FACTOR: Final = _WHERE | {"factor_name", "factor_kind"}
_CASE: Final = frozenset({"name", "case_action"})

RULES: Final[Mapping[MessageKind, Rule]] = {
    MessageKind.ACTIVATION: Rule(URGENT, None, frozenset({"name"}), frozenset({"token"}), budgeted=True),
    MessageKind.SIGN_IN_CODE: Rule(URGENT, None, frozenset({"code"}), budgeted=True),
    MessageKind.CONFIRMATION_CODE: Rule(URGENT, None, frozenset({"code"}), budgeted=True),
    MessageKind.PASSWORD_RESET: Rule(URGENT, None, secrets=frozenset({"token"}), budgeted=True),
    MessageKind.TWO_FACTOR_RECOVERY: Rule(URGENT, None, secrets=frozenset({"token"}), budgeted=True),
    MessageKind.RECOVERY_CODE: Rule(URGENT, None, frozenset({"code"}), budgeted=True),
    MessageKind.NEW_DEVICE: Rule(shown=_WHERE),
    MessageKind.PASSWORD_CHANGED: Rule(shown=_WHERE),
    MessageKind.PASSWORD_RESET_DONE: Rule(shown=_WHERE | {"added"}),
    MessageKind.TWO_FACTOR_RECOVERY_BEGUN: Rule(shown=_WHERE, secrets=frozenset({"token"})),
    MessageKind.TWO_FACTOR_RECOVERY_WAITING: Rule(shown=_WHERE, secrets=frozenset({"token"})),
    MessageKind.TWO_FACTOR_RECOVERY_CANCELLED: Rule(shown=_WHERE),
    MessageKind.TWO_FACTOR_RECOVERED: Rule(shown=_WHERE),
    MessageKind.TWO_FACTOR_ENABLED: Rule(shown=_FACTOR),
    MessageKind.FACTOR_ADDED: Rule(shown=_FACTOR),
    MessageKind.FACTOR_REMOVED: Rule(shown=_FACTOR),
    MessageKind.TWO_FACTOR_DISABLED: Rule(shown=_WHERE),
    MessageKind.BACKUP_CODES_CHANGED: Rule(shown=_WHERE),
    MessageKind.PHONE_NUMBER_ADDED: Rule(shown=_WHERE | {"phone_number"}),
    MessageKind.PHONE_NUMBER_CHANGED: Rule(shown=_WHERE | {"phone_number"}),
    MessageKind.EMAIL_CHANGE: Rule(URGENT, None, secrets=frozenset({"token"}), budgeted=True),
    MessageKind.EMAIL_CHANGED: Rule(shown=_WHERE | {"email"}),
    # No budget holds it back: a stranger could use that up first, and then take the account.
    MessageKind.EMAIL_UNDO: Rule(URGENT, None, _WHERE | {"email"}, frozenset({"token"})),
    MessageKind.EMAIL_RESTORED: Rule(shown=_WHERE),
    MessageKind.CHANGES_FROZEN: Rule(shown=_WHERE),
    MessageKind.SIGN_IN_DENIED: Rule(shown=_WHERE),
    MessageKind.ACCOUNT_DELETED: Rule(shown=_WHERE),
    MessageKind.SESSION_REUSED: Rule(shown=_WHERE),
    MessageKind.DEVICE_REUSED: Rule(shown=_WHERE),
    MessageKind.USER_AGENT_CHANGED: Rule(shown=_WHERE),
    # A notice, and yet a stranger's doing: it tells of nothing that was changed.
    MessageKind.SIGN_IN_HINT: Rule(shown=_WHERE, budgeted=True),
    MessageKind.CASE_OPENED: Rule(NOTICE, None, _CASE, frozenset({"token"})),
    MessageKind.CASE_APPROVED: Rule(NOTICE, None, _CASE, frozenset({"token"})),
    MessageKind.CASE_CONFIRMATION: Rule(URGENT, None, secrets=frozenset({"token"}), budgeted=True),
    MessageKind.CASE_CLOSED: Rule(shown=_CASE),
    MessageKind.CASE_EXECUTED: Rule(shown=_CASE),
    MessageKind.ACCOUNT_LOCKED: Rule(shown=frozenset({"name"})),
    MessageKind.ACCOUNT_UNLOCKED: Rule(shown=frozenset({"name"})),
}
BUDGETED: Final = tuple(kind for kind, rule in RULES.items() if rule.budgeted)
# Apart from the rest: codes of sign-ins and recoveries need a password, and whoever needs none would else silence them;
# links for forgotten passwords are few, as their places are, and sign-ups of strangers must not hold them back; notices
# of hints must not silence the links that their readers ask for.
_OWN_BUDGETS: Final = (
    (MessageKind.SIGN_IN_CODE,),
    (MessageKind.TWO_FACTOR_RECOVERY, MessageKind.RECOVERY_CODE),
    (MessageKind.PASSWORD_RESET,),
    (MessageKind.SIGN_IN_HINT,),
)


def budget_of(kind: str) -> tuple[MessageKind, ...]:
    """The kinds that one budget of an address is shared with; none where there is no budget."""
    if kind not in BUDGETED:
        return ()
    for own in _OWN_BUDGETS:
        if kind in own:
            return own
    return tuple(other for other in BUDGETED if not any(other in own for own in _OWN_BUDGETS))


@dataclass(frozen=True, slots=True)
class Payload:
    """What is sealed in a message's row: to whom, in which language, and what it tells."""

    to: str = field(repr=False)
    language: str
    params: Mapping[str, str] = field(repr=False)


class Messages:
    """Prepares messages for the outbox and opens them for its worker. Does no I/O."""

    __slots__ = ("_clock", "_keyring")

    def __init__(self, keyring: Keyring, clock: Clock) -> None:
        self._keyring = keyring
        self._clock = clock

    def prepare(
        self,
        realm_id: RealmId | str,
        kind: MessageKind,
        *,
        to: EmailAddress | PhoneNumber | str,
        account_id: AccountId | UUID | None = None,
        ticket_id: TicketId | UUID | None = None,
        language: str = "",
        expire_time: datetime | None = None,
        params: Mapping[str, str] | None = None,
    ) -> OutboxRow:
        """Make the row of a message, due at once, for the statement that causes it to insert.

        `to` says the channel: a text message to a PhoneNumber, a mail to anything else. A text message is written by
        TextMessages.admit alone, which counts what it may cost.
        `expire_time` is the end of the ticket that a link belongs to; a notice is worth sending for 7 days. `params`
        are those of the kind's rule, each at most 1024 characters long; what is missing is empty.
        Raises ValueError for an address that is none, a parameter that the kind does not have, or a missing end.
        """
        rule = RULES[kind]
        address = EmailAddress.parse(to) if isinstance(to, str) else to
        given = dict(params or {})
        if unknown := given.keys() - rule.shown - rule.secrets:
            raise ValueError(f"{kind} has no parameter {', '.join(sorted(unknown))}")
        now = self._clock()
        if rule.life is None and expire_time is None:
            raise ValueError(f"{kind} needs the expire_time of its ticket")
        end = expire_time if expire_time is not None else now + (rule.life or _NOTICE_LIFE)
        outbox_id = uuid7()
        text = json.dumps(
            {"to": address.text, "language": language, "params": {name: value[:1024] for name, value in given.items()}},
        )
        return OutboxRow(
            outbox_id=outbox_id,
            realm_id=realm_id,
            account_id=account_id,
            ticket_id=ticket_id,
            kind=kind.value,
            address_mac=address_mac(self._keyring, realm_id, address),
            payload=self._keyring.seal(text.encode(), _place(realm_id, account_id, outbox_id)),
            priority=rule.priority,
            create_time=now,
            due_time=now,
            expire_time=end,
            channel="sms" if isinstance(address, PhoneNumber) else "email",
        )

    def wake_up(
        self, realm_id: RealmId | str, token: str, *, account_id: UUID, ticket_id: UUID, expire_time: datetime
    ) -> OutboxRow:
        """Make the row that wakes a phone: for the channel `hook`, with nothing in it but the phone's own token."""
        now, outbox_id = self._clock(), uuid7()
        return OutboxRow(
            outbox_id=outbox_id,
            realm_id=realm_id,
            account_id=account_id,
            ticket_id=ticket_id,
            kind=WAKE_UP,
            address_mac=b"",
            payload=self._keyring.seal(
                json.dumps({"wake_up_token": token}).encode(), _place(realm_id, account_id, outbox_id)
            ),
            priority=URGENT,
            create_time=now,
            due_time=now,
            expire_time=expire_time,
            channel="hook",
        )

    def open_wake_up(self, realm_id: RealmId | str, account_id: UUID, outbox_id: UUID, sealed: bytes) -> str:
        """Open what `wake_up` sealed: the phone's token. Raises SealBroken, UnknownKey."""
        token: str = json.loads(self._keyring.open(sealed, _place(realm_id, account_id, outbox_id)))["wake_up_token"]
        return token

    def open(self, realm_id: RealmId | str, account_id: UUID | None, outbox_id: UUID, sealed: bytes) -> Payload:
        """Open a row's payload. Raises SealBroken where it was altered or moved, UnknownKey for a key not held here."""
        content = json.loads(self._keyring.open(sealed, _place(realm_id, account_id, outbox_id)))
        return Payload(content["to"], content["language"], content["params"])


def address_mac(keyring: Keyring, realm_id: RealmId | str, address: EmailAddress | PhoneNumber) -> bytes:
    """Return what stands for an address in the outbox: 32 bytes, the same for each of its spellings."""
    if isinstance(address, PhoneNumber):
        return keyring.identifier_mac(realm_id, f"sms:{address.text}")
    # The prefix keeps it apart from the MACs of unknown sign-in names: a dump must not join the two tables.
    return keyring.identifier_mac(realm_id, f"mail:{address.key}")


def _place(realm_id: str, account_id: UUID | None, outbox_id: UUID) -> Place:
    return Place("outbox", "payload", realm_id, str(account_id) if account_id else "", str(outbox_id))
