"""SupportService: proto in, proto out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

from twofold.v1 import support_pb2
from twofold_server.domain.agents import Agent
from twofold_server.domain.case_execution import CaseExecution
from twofold_server.domain.case_links import CaseLinks
from twofold_server.domain.case_records import CaseRequest, Change
from twofold_server.domain.cases import Cases
from twofold_server.domain.paging import Pages
from twofold_server.domain.realms import Realms
from twofold_server.domain.support import Support
from twofold_server.domain.values import EmailAddress, PhoneNumber
from twofold_server.domain.written_texts import Evidence, Reason
from twofold_server.rpc import desk_packing, packing
from twofold_server.rpc.call import Call
from twofold_server.rpc.door import Door, reading

_MOST_EVIDENCE: Final = 10


class SupportServicer:
    """The support desk: accounts found, cases worked, accounts locked, messages traced."""

    SERVICE: Final = support_pb2.DESCRIPTOR.services_by_name["SupportService"]

    def __init__(
        self, realms: Realms, support: Support, cases: Cases, execution: CaseExecution, links: CaseLinks, pages: Pages
    ) -> None:
        self._realms = realms
        self._support = support
        self._cases = cases
        self._execution = execution
        self._links = links
        self._pages = pages

    async def FindAccounts(
        self, request: support_pb2.FindAccountsRequest, call: Call
    ) -> support_pb2.FindAccountsResponse:
        realm = await self._realms.get(call.realm)
        with reading(request) as door:
            by = _whose(door, door.one_of("by"))
        found = await self._support.find(realm, Agent.of(call.user), by)
        return support_pb2.FindAccountsResponse(accounts=[desk_packing.found_account(each) for each in found])

    async def OpenCase(self, request: support_pb2.OpenCaseRequest, call: Call) -> support_pb2.OpenCaseResponse:
        realm = await self._realms.get(call.realm)
        with reading(request) as door:
            asked = CaseRequest(
                request_id=door.identifier("request_id"),
                account_id=door.identifier("account_id"),
                change=_change(door),
                reason=door.parse("reason", Reason.parse),
                evidence=_evidence(door, request.evidence),
                owner_unreachable=request.owner_unreachable,
            )
        found = await self._cases.open(realm, Agent.of(call.user), asked)
        return support_pb2.OpenCaseResponse(case=desk_packing.case(found))

    async def ApproveCase(self, request: support_pb2.ApproveCaseRequest, call: Call) -> support_pb2.ApproveCaseResponse:
        realm = await self._realms.get(call.realm)
        with reading(request) as door:
            case_id = door.identifier("case_id")
        found = await self._cases.approve(realm, Agent.of(call.user), case_id)
        return support_pb2.ApproveCaseResponse(case=desk_packing.case(found))

    async def RejectCase(self, request: support_pb2.RejectCaseRequest, call: Call) -> support_pb2.RejectCaseResponse:
        realm = await self._realms.get(call.realm)
        with reading(request) as door:
            case_id = door.identifier("case_id")
            reason = door.parse("reason", Reason.parse)
        found = await self._cases.reject(realm, Agent.of(call.user), case_id, reason)
        return support_pb2.RejectCaseResponse(case=desk_packing.case(found))

    async def CancelCase(self, request: support_pb2.CancelCaseRequest, call: Call) -> support_pb2.CancelCaseResponse:
        if request.case_token:
            with reading(request) as door:
                handle = door.handle("case_token")
            realms = (call.named_realm,) if call.named_realm is not None else call.realms
            await self._links.cancel(realms, handle, call.caller.name)
        else:
            realm = await self._realms.get(call.realm)
            with reading(request) as door:
                case_id = door.identifier("case_id")
            await self._cases.cancel(realm, Agent.of(call.user), case_id)
        return support_pb2.CancelCaseResponse()

    async def ConfirmCorrection(
        self, request: support_pb2.ConfirmCorrectionRequest, call: Call
    ) -> support_pb2.ConfirmCorrectionResponse:
        with reading(request) as door:
            handle = door.handle("correction_token")
        await self._links.confirm(call.realms, handle, call.caller.name)
        return support_pb2.ConfirmCorrectionResponse()

    async def ExecuteCase(self, request: support_pb2.ExecuteCaseRequest, call: Call) -> support_pb2.ExecuteCaseResponse:
        realm = await self._realms.get(call.realm)
        with reading(request) as door:
            case_id = door.identifier("case_id")
        done = await self._execution.execute(realm, Agent.of(call.user), case_id)
        response = support_pb2.ExecuteCaseResponse(case=desk_packing.case(done.case), support_code=done.code)
        if done.code_expire_time is not None:
            response.support_code_expire_time.CopyFrom(packing.timestamp(done.code_expire_time))
        return response

    async def ListCases(self, request: support_pb2.ListCasesRequest, call: Call) -> support_pb2.ListCasesResponse:
        realm = await self._realms.get(call.realm)
        with reading(request) as door:
            account_id = door.identifier("account_id") if request.account_id else None
            page = door.page(call, self._pages)
        rows = await self._cases.page(
            realm,
            Agent.of(call.user),
            account_id,
            open_only=request.open_only,
            before=page.after,
            limit=page.size + 1,
        )
        shown, token = self._pages.cut(call.scope, rows, page.size, lambda found: found.row.case_id)
        return support_pb2.ListCasesResponse(cases=[desk_packing.case(found) for found in shown], next_page_token=token)

    async def ListDeliveries(
        self, request: support_pb2.ListDeliveriesRequest, call: Call
    ) -> support_pb2.ListDeliveriesResponse:
        realm = await self._realms.get(call.realm)
        with reading(request) as door:
            of = _whose(door, door.one_of("of"))
            page = door.page(call, self._pages)
        rows = await self._support.deliveries(realm, Agent.of(call.user), of, page.after, page.size + 1)
        shown, token = self._pages.cut(call.scope, rows, page.size, lambda found: found.outbox_id)
        return support_pb2.ListDeliveriesResponse(
            deliveries=[desk_packing.message_delivery(found) for found in shown], next_page_token=token
        )

    async def LockAccount(self, request: support_pb2.LockAccountRequest, call: Call) -> support_pb2.LockAccountResponse:
        realm = await self._realms.get(call.realm)
        with reading(request) as door:
            account_id = door.identifier("account_id")
            reason = door.parse("reason", Reason.parse)
        found = await self._support.lock(realm, Agent.of(call.user), account_id, reason)
        return support_pb2.LockAccountResponse(account=desk_packing.found_account(found))

    async def UnlockAccount(
        self, request: support_pb2.UnlockAccountRequest, call: Call
    ) -> support_pb2.UnlockAccountResponse:
        realm = await self._realms.get(call.realm)
        with reading(request) as door:
            account_id = door.identifier("account_id")
            reason = door.parse("reason", Reason.parse)
        found = await self._support.unlock(realm, Agent.of(call.user), account_id, reason)
        return support_pb2.UnlockAccountResponse(account=desk_packing.found_account(found))

    async def ReviveActivation(
        self, request: support_pb2.ReviveActivationRequest, call: Call
    ) -> support_pb2.ReviveActivationResponse:
        realm = await self._realms.get(call.realm)
        with reading(request) as door:
            email = door.email()
        expire_time = await self._support.revive(realm, Agent.of(call.user), email)
        return support_pb2.ReviveActivationResponse(expire_time=packing.timestamp(expire_time))


def _whose(door: Door, arm: str) -> EmailAddress | PhoneNumber | UUID:
    read: dict[str, Callable[[], EmailAddress | PhoneNumber | UUID]] = {
        "email": door.email,
        "phone_number": door.phone_number,
    }
    return read.get(arm, lambda: door.identifier("account_id"))()


def _change(door: Door) -> Change:
    match door.one_of("action"):
        case "correct_email":
            return Change("correct_email", door.email("correct_email.email"))
        case "correct_phone":
            return Change("correct_phone", door.phone_number("correct_phone.phone_number"))
        case _:
            return Change("reset_two_factor")


def _evidence(door: Door, given: Sequence[str]) -> tuple[Evidence, ...]:
    if len(given) > _MOST_EVIDENCE:
        door.refuse("evidence", f"More than {_MOST_EVIDENCE}.")
        return ()
    try:
        return tuple([Evidence.parse(text) for text in given])
    except ValueError as error:
        door.refuse("evidence", str(error))
        return ()
