"""Requests to the support desk that succeed, as `requests_that_succeed` has them for every RPC."""

from __future__ import annotations

import itertools
import weakref
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from google.protobuf.message import Message

from tests.integration.desk import REASON, Desk, link_in_mail, open_desk
from tests.integration.quick import Builder, Prepared, Quick
from tests.service import User
from twofold.v1 import support_pb2

_numbers = itertools.count(1)


@dataclass
class _Staffed:
    """The desk of a server with its agents, and when they signed in."""

    desk: Desk
    opener: User
    approver: User
    signed_in: datetime


_desks: Final[weakref.WeakKeyDictionary[Quick, _Staffed]] = weakref.WeakKeyDictionary()


async def _staffed(service: Quick) -> _Staffed:
    found = _desks.get(service)
    if found is None:
        desk = await open_desk(service)
        await service.app.services.realms.set("support", {"support_lookups_per_hour": "100000"})
        found = _Staffed(desk, await desk.agent(), await desk.agent(), service.clock())
        _desks[service] = found
    elif service.clock() - found.signed_in > timedelta(minutes=2):
        await found.desk.sign_in(found.opener)
        await found.desk.sign_in(found.approver)
        found.signed_in = service.clock()
    return found


async def _case(service: Quick, *, approved: bool = False) -> tuple[_Staffed, support_pb2.Case]:
    at = await _staffed(service)
    user = await service.two_factor_user()
    case = await at.desk.open(at.opener, user.account_id)
    if approved:
        await at.desk.approve(at.approver, case)
        await service.app.pool.execute(
            "UPDATE cases SET approve_time = approve_time - interval '4 days' WHERE case_id = $1::text::uuid",
            case.case_id,
        )
    return at, case


def _by(at: _Staffed, agent: User, request: Message, *, once: bool = False) -> Prepared:
    return Prepared(request, at.desk.as_(agent), once=once)


async def _find(service: Quick) -> Prepared:
    at, user = await _staffed(service), await service.new_user()
    return _by(at, at.opener, support_pb2.FindAccountsRequest(realm_id="default", email=user.email))


async def _open(service: Quick) -> Prepared:
    at, user = await _staffed(service), await service.two_factor_user()
    request = support_pb2.OpenCaseRequest(
        request_id=str(uuid4()), realm_id="default", account_id=user.account_id, reason=REASON,
        evidence=["ticket 4711"],
        reset_two_factor=support_pb2.ResetTwoFactor(), owner_unreachable=True,
    )  # fmt: skip
    return _by(at, at.opener, request, once=True)


async def _approve(service: Quick) -> Prepared:
    at, case = await _case(service)
    return _by(at, at.approver, support_pb2.ApproveCaseRequest(realm_id="default", case_id=case.case_id))


async def _reject(service: Quick) -> Prepared:
    at, case = await _case(service)
    request = support_pb2.RejectCaseRequest(realm_id="default", case_id=case.case_id, reason=REASON)
    return _by(at, at.approver, request)


async def _cancel(service: Quick) -> Prepared:
    """By an agent: with a link's token no session is looked at."""
    at, case = await _case(service)
    return _by(at, at.approver, support_pb2.CancelCaseRequest(realm_id="default", case_id=case.case_id))


async def _confirm(service: Quick) -> Prepared:
    at, user = await _staffed(service), await service.new_user()
    address = f"corrected{next(_numbers)}@example.org"
    await at.desk.open(at.opener, user.account_id, correct_email=support_pb2.CorrectEmail(email=address))
    request = support_pb2.ConfirmCorrectionRequest(correction_token=await link_in_mail(service, address))
    return Prepared(request, service.metadata, once=True)


async def _execute(service: Quick) -> Prepared:
    at, case = await _case(service, approved=True)
    request = support_pb2.ExecuteCaseRequest(realm_id="default", case_id=case.case_id)
    return _by(at, at.opener, request, once=True)


async def _list_cases(service: Quick) -> Prepared:
    at, case = await _case(service)
    await at.desk.cancel(at.opener, case)
    await at.desk.open(at.opener, case.account_id)
    request = support_pb2.ListCasesRequest(realm_id="default", account_id=case.account_id, page_size=1)
    listed = await at.desk.stub.ListCases(request, metadata=at.desk.as_(at.opener))
    request.page_token = listed.next_page_token
    return _by(at, at.opener, request)


async def _list_deliveries(service: Quick) -> Prepared:
    at, user = await _staffed(service), await service.two_factor_user()
    await service.enrol(user)
    request = support_pb2.ListDeliveriesRequest(realm_id="default", account_id=user.account_id, page_size=1)
    listed = await at.desk.stub.ListDeliveries(request, metadata=at.desk.as_(at.opener))
    request.page_token = listed.next_page_token
    return _by(at, at.opener, request)


async def _lock(service: Quick) -> Prepared:
    at, user = await _staffed(service), await service.new_user()
    request = support_pb2.LockAccountRequest(realm_id="default", account_id=user.account_id, reason=REASON)
    return _by(at, at.opener, request)


async def _unlock(service: Quick) -> Prepared:
    at, user = await _staffed(service), await service.new_user()
    await at.desk.lock(at.opener, user.account_id)
    request = support_pb2.UnlockAccountRequest(realm_id="default", account_id=user.account_id, reason=REASON)
    return _by(at, at.opener, request)


async def _revive(service: Quick) -> Prepared:
    at, address = await _staffed(service), f"waiting{next(_numbers)}@example.org"
    await service.sign_up(address)
    return _by(at, at.opener, support_pb2.ReviveActivationRequest(realm_id="default", email=address))


BUILDERS: dict[str, Builder] = {
    "SupportService.FindAccounts": _find,
    "SupportService.OpenCase": _open,
    "SupportService.ApproveCase": _approve,
    "SupportService.RejectCase": _reject,
    "SupportService.CancelCase": _cancel,
    "SupportService.ConfirmCorrection": _confirm,
    "SupportService.ExecuteCase": _execute,
    "SupportService.ListCases": _list_cases,
    "SupportService.ListDeliveries": _list_deliveries,
    "SupportService.LockAccount": _lock,
    "SupportService.UnlockAccount": _unlock,
    "SupportService.ReviveActivation": _revive,
}
