"""What the support desk shows, as messages of the contract."""

from __future__ import annotations

from typing import Final

from twofold.v1 import support_pb2
from twofold_server.domain.case_records import Case, State
from twofold_server.domain.support import FoundAccount, Message
from twofold_server.rpc import packing

_STATES: Final[dict[State, support_pb2.CaseState]] = {
    "open": support_pb2.CASE_STATE_OPEN,
    "approved": support_pb2.CASE_STATE_APPROVED,
    "rejected": support_pb2.CASE_STATE_REJECTED,
    "cancelled": support_pb2.CASE_STATE_CANCELLED,
    "executed": support_pb2.CASE_STATE_EXECUTED,
    "expired": support_pb2.CASE_STATE_EXPIRED,
}
_CHANNELS: Final = {
    "email": support_pb2.DELIVERY_CHANNEL_EMAIL,
    "sms": support_pb2.DELIVERY_CHANNEL_SMS,
    "hook": support_pb2.DELIVERY_CHANNEL_PUSH,
}


def found_account(found: FoundAccount) -> support_pb2.FoundAccount:
    """An account, masked."""
    return support_pb2.FoundAccount(
        account_id=str(found.account_id),
        realm_id=found.realm_id,
        masked_email=found.masked_email,
        masked_phone_number=found.masked_phone_number,
        state=support_pb2.ACCOUNT_STATE_LOCKED if found.locked else support_pb2.ACCOUNT_STATE_ACTIVE,
        factor_kinds=[packing.KINDS[kind] for kind in found.kinds],
        create_time=packing.timestamp(found.create_time),
        open_case_id=str(found.open_case_id or ""),
    )


def case(found: Case) -> support_pb2.Case:
    """A case, with what it is to change in full."""
    row = found.row
    packed = support_pb2.Case(
        case_id=str(row.case_id),
        realm_id=row.realm_id,
        account_id=str(row.account_id),
        state=_STATES[found.state],
        reason=found.reason,
        evidence=found.evidence,
        owner_unreachable=row.owner_unreachable,
        opener_id=str(row.opener_id),
        approver_id=str(row.approver_id or ""),
        create_time=packing.timestamp(row.create_time),
        expire_time=packing.timestamp(row.expire_time),
    )
    match row.action:
        case "reset_two_factor":
            packed.reset_two_factor.SetInParent()
        case "correct_email":
            packed.correct_email.email = found.value
        case _:
            packed.correct_phone.phone_number = found.value
    for name, time in (
        ("confirm_time", row.confirm_time),
        ("approve_time", row.approve_time),
        ("wait_end_time", found.wait_end_time),
        ("end_time", row.end_time if row.end_time is not None or found.state != "expired" else row.expire_time),
    ):
        if time is not None:
            getattr(packed, name).CopyFrom(packing.timestamp(time))
    return packed


def message_delivery(found: Message) -> support_pb2.MessageDelivery:
    """A message, without its words and its address."""
    told = packing.delivery(found.delivery)
    packed = support_pb2.MessageDelivery(
        delivery_id=str(found.outbox_id),
        kind=found.kind,
        channel=_CHANNELS.get(found.channel, support_pb2.DELIVERY_CHANNEL_UNSPECIFIED),
        state=told.state,
        reason=told.reason,
        create_time=packing.timestamp(found.create_time),
    )
    if found.end_time is not None:
        packed.end_time.CopyFrom(packing.timestamp(found.end_time))
    return packed
