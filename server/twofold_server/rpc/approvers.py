"""The part of TwoFactorService that phones and those who wait for them use: proto in, proto out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Final

from twofold.v1 import two_factor_pb2
from twofold_server.crypto.approver_keys import SIGNATURE_BYTES, ApproverKey
from twofold_server.domain.approval_watch import ApprovalWatch
from twofold_server.domain.approvals import Approvals, Decision
from twofold_server.domain.approvers import Approvers
from twofold_server.domain.clock import Clock
from twofold_server.domain.values import ApprovalNumber, PairingCode, WakeUpToken
from twofold_server.rpc import packing
from twofold_server.rpc.call import Call
from twofold_server.rpc.door import reading

_DECISIONS: Final[dict[int, Decision]] = {
    two_factor_pb2.APPROVAL_DECISION_APPROVE: "approve",
    two_factor_pb2.APPROVAL_DECISION_DENY: "deny",
    two_factor_pb2.APPROVAL_DECISION_NOT_ME: "not_me",
}


class ApproverMethods:
    """Pairing, watching, asking and answering."""

    def __init__(self, approvers: Approvers, approvals: Approvals, watch: ApprovalWatch, clock: Clock) -> None:
        self._approvers = approvers
        self._approvals = approvals
        self._watch = watch
        self._clock = clock

    async def PairApprover(
        self, request: two_factor_pb2.PairApproverRequest, call: Call
    ) -> two_factor_pb2.PairApproverResponse:
        with reading(request) as door:
            code = door.parse("pairing_code", PairingCode.parse)
            key = door.octets("public_key", ApproverKey.parse)
            signature = door.octets("signature", _signature)
            name = door.display_name("name")
            wake_up_token = door.parse("wake_up_token", WakeUpToken.parse)
        paired = await self._approvers.pair(call.realms, code, key, signature, name, wake_up_token)
        return two_factor_pb2.PairApproverResponse(
            approver_id=str(paired.approver_id),
            realm_id=paired.realm.realm_id,
            realm_display_name=paired.realm.display_name,
            account_email=paired.email,
            algorithm=paired.algorithm,
        )

    async def WatchApprovals(
        self, request: two_factor_pb2.WatchApprovalsRequest, call: Call
    ) -> AsyncIterator[two_factor_pb2.WatchApprovalsResponse]:
        async with aclosing(self._watch.phone(call.phone)) as told:
            async for news in told:
                yield two_factor_pb2.WatchApprovalsResponse(
                    opened=[packing.approval_request(opened) for opened in news.opened],
                    ended=[
                        two_factor_pb2.EndedApproval(request_id=str(request_id), state=packing.APPROVAL_STATES[state])
                        for request_id, state in news.ended
                    ],
                    server_time=packing.timestamp(self._clock()),
                )

    async def AnswerApproval(
        self, request: two_factor_pb2.AnswerApprovalRequest, call: Call
    ) -> two_factor_pb2.AnswerApprovalResponse:
        with reading(request) as door:
            request_id = door.identifier("request_id")
            decision = _DECISIONS.get(request.decision)
            if decision is None:
                door.refuse("decision", "Required: APPROVE, DENY or NOT_ME.")
            number = door.parse("number", ApprovalNumber.parse)
            if (decision == "approve") != bool(request.number.strip()):
                door.refuse("number", "Required to approve, and empty otherwise.")
            signature = door.octets("signature", _signature)
        assert decision is not None
        state = await self._approvals.answer(call.phone, call.caller.name, request_id, decision, number, signature)
        return two_factor_pb2.AnswerApprovalResponse(state=packing.APPROVAL_STATES[state])

    async def WatchChallenge(
        self, request: two_factor_pb2.WatchChallengeRequest, call: Call
    ) -> AsyncIterator[two_factor_pb2.WatchChallengeResponse]:
        with reading(request) as door:
            handle = door.handle("challenge_token")
            binding = door.handle("challenge_binding")
        row = await self._approvals.asked_last(call.realms, handle, binding, call.caller.name)
        async with aclosing(self._watch.challenge(row)) as states:
            async for state in states:
                yield two_factor_pb2.WatchChallengeResponse(
                    state=packing.APPROVAL_STATES[state], expire_time=packing.timestamp(row.expire_time)
                )

    async def _ask(
        self, request: two_factor_pb2.StartChallengeRequest, call: Call
    ) -> two_factor_pb2.StartChallengeResponse:
        """Answer StartChallenge for the arm `push`."""
        with reading(request) as door:
            handle = door.handle("challenge_token")
            binding = door.handle("challenge_binding")
            place = door.display_name("push.place")
        asked = await self._approvals.ask(call.realms, handle, binding, call.caller.name, place)
        return two_factor_pb2.StartChallengeResponse(
            kind=packing.KINDS["push"],
            expire_time=packing.timestamp(asked.challenge_expire_time),
            push=two_factor_pb2.PushChallengeStarted(
                number=asked.number, expire_time=packing.timestamp(asked.expire_time)
            ),
        )


def _signature(raw: bytes) -> bytes:
    if len(raw) != SIGNATURE_BYTES:
        raise ValueError(f"Required: a signature of {SIGNATURE_BYTES} bytes.")
    return raw
