"""TwoFactorService: proto in, proto out."""

from __future__ import annotations

from typing import Final

from twofold.v1 import two_factor_pb2
from twofold_server.domain.approval_watch import ApprovalWatch
from twofold_server.domain.approvals import Approvals
from twofold_server.domain.approvers import Approvers
from twofold_server.domain.attempts import Origin
from twofold_server.domain.challenges import Challenges
from twofold_server.domain.clients import Client
from twofold_server.domain.clock import Clock
from twofold_server.domain.devices import Devices
from twofold_server.domain.enrollments import Enrollments
from twofold_server.domain.errors import FactorNotFound
from twofold_server.domain.factors import push
from twofold_server.domain.owed_enrollments import OwedEnrollments
from twofold_server.domain.paging import Pages
from twofold_server.domain.realms import Realms
from twofold_server.domain.step_up import StepUps
from twofold_server.domain.two_factor import TwoFactor
from twofold_server.domain.values import EmailAddress, Handle, PhoneNumber, SupportCode
from twofold_server.rpc import packing
from twofold_server.rpc.approvers import ApproverMethods
from twofold_server.rpc.call import Call
from twofold_server.rpc.door import Door, reading


class TwoFactorServicer(ApproverMethods):
    """Second factors: enrolled, used, listed and removed."""

    SERVICE: Final = two_factor_pb2.DESCRIPTOR.services_by_name["TwoFactorService"]

    def __init__(
        self,
        realms: Realms,
        enrollments: Enrollments,
        owed: OwedEnrollments,
        two_factor: TwoFactor,
        challenges: Challenges,
        step_ups: StepUps,
        devices: Devices,
        pages: Pages,
        *,
        approvers: Approvers,
        approvals: Approvals,
        watch: ApprovalWatch,
        clock: Clock,
    ) -> None:
        super().__init__(approvers, approvals, watch, clock)
        self._realms = realms
        self._enrollments = enrollments
        self._owed = owed
        self._two_factor = two_factor
        self._challenges = challenges
        self._step_ups = step_ups
        self._devices = devices
        self._pages = pages

    async def GetTwoFactorStatus(
        self, request: two_factor_pb2.GetTwoFactorStatusRequest, call: Call
    ) -> two_factor_pb2.GetTwoFactorStatusResponse:
        standing = await self._two_factor.status(await self._realms.get(call.realm), call.user)
        enrolled = standing.enrolled
        response = two_factor_pb2.GetTwoFactorStatusResponse(
            enabled=bool(enrolled.kinds),
            kinds=[packing.KINDS[kind] for kind in enrolled.kinds],
            backup_codes_remaining=enrolled.backup_codes_remaining,
            offered_kinds=packing.offered_kinds(standing.offered_kinds),
            can_disable=standing.can_disable,
            factors_advised=standing.factors_advised,
            more_factors_advised=standing.more_factors_advised,
        )
        if enrolled.backup_codes_create_time is not None:
            response.backup_codes_create_time.FromDatetime(enrolled.backup_codes_create_time)
        return response

    async def BeginEnrollment(
        self, request: two_factor_pb2.BeginEnrollmentRequest, call: Call
    ) -> two_factor_pb2.BeginEnrollmentResponse:
        with reading(request) as door:
            kind = door.one_of("factor")
            destination: EmailAddress | PhoneNumber | None = None
            if kind == "email":
                destination = door.email("email.email")
            elif kind == "sms":
                destination = door.phone_number("sms.phone_number")
            name = door.display_name("name")
            owed = _owed(request, door)
            support_code = door.parse("support_code", SupportCode.parse) if request.support_code else None
        client_id = call.caller.name
        if owed is not None:
            begun = await self._owed.begin(call.realms, *owed, client_id, kind, destination, name, support_code)
        else:
            realm = await self._realms.get(call.user.realm_id)
            begun = await self._enrollments.begin(realm, call.user, client_id, kind, destination, name)
        return two_factor_pb2.BeginEnrollmentResponse(
            enrollment_token=begun.enrollment_token,
            expire_time=packing.timestamp(begun.expire_time),
            **packing.material(begun.material),
        )

    async def FinishEnrollment(
        self, request: two_factor_pb2.FinishEnrollmentRequest, call: Call
    ) -> two_factor_pb2.FinishEnrollmentResponse:
        with reading(request) as door:
            handle = door.handle("enrollment_token")
            proof = door.first_proof()
            owed = _owed(request, door)
            origin = door.origin(call)
        if owed is not None:
            result = await self._owed.finish(
                call.realms, *owed, handle, proof, origin, trust_device=request.trust_device
            )
        else:
            with reading(request) as door:
                door.one_of("reauthentication.proof")
                password = door.password("reauthentication.password")
            realm = await self._realms.get(call.user.realm_id)
            result = await self._enrollments.finish(realm, call.user, origin, handle, proof, password)
        response = two_factor_pb2.FinishEnrollmentResponse(
            factor=packing.factor(result.factor), signed_in=packing.signed_in(result.signed_in)
        )
        if result.codes is not None:
            response.backup_codes.CopyFrom(packing.backup_codes(result.codes))
        return response

    async def ListFactors(
        self, request: two_factor_pb2.ListFactorsRequest, call: Call
    ) -> two_factor_pb2.ListFactorsResponse:
        with reading(request) as door:
            page = door.page(call, self._pages)
        rows = await self._two_factor.page(call.user, page.after, page.size + 1)
        shown, token = self._pages.cut(call.scope, rows, page.size, lambda row: row.factor_id)
        return two_factor_pb2.ListFactorsResponse(factors=[packing.factor(row) for row in shown], next_page_token=token)

    async def UpdateFactor(
        self, request: two_factor_pb2.UpdateFactorRequest, call: Call
    ) -> two_factor_pb2.UpdateFactorResponse:
        with reading(request) as door:
            factor_id = door.identifier("factor.factor_id")
            paths = door.update_mask({"name", "preferred"})
            name = door.display_name("factor.name") if "name" in paths else None
            if "preferred" in paths and not request.factor.preferred:
                door.refuse("factor.preferred", "Can only be set: make another factor the preferred one.")
        try:
            row = await self._two_factor.update(call.user, factor_id, name=name, preferred="preferred" in paths)
        except FactorNotFound:
            raise FactorNotFound(field="factor.factor_id") from None
        return two_factor_pb2.UpdateFactorResponse(factor=packing.factor(row))

    async def RemoveFactor(
        self, request: two_factor_pb2.RemoveFactorRequest, call: Call
    ) -> two_factor_pb2.RemoveFactorResponse:
        realm = await self._realms.get(call.realm)
        with reading(request) as door:
            factor_id = door.identifier("factor_id")
        await self._two_factor.remove(realm, call.user, _without_client(call), factor_id)
        return two_factor_pb2.RemoveFactorResponse()

    async def DisableTwoFactor(
        self, request: two_factor_pb2.DisableTwoFactorRequest, call: Call
    ) -> two_factor_pb2.DisableTwoFactorResponse:
        realm = await self._realms.get(call.realm)
        with reading(request) as door:
            door.one_of("reauthentication.proof")
            password = door.password("reauthentication.password")
            second_factor = door.second_factor("second_factor", required=False)
            origin = door.origin(call)
        result = await self._two_factor.disable(realm, call.user, origin, password, second_factor)
        return two_factor_pb2.DisableTwoFactorResponse(
            session=packing.session(result.session, result.session.session_id), tokens=packing.tokens(result.tokens)
        )

    async def GenerateBackupCodes(
        self, request: two_factor_pb2.GenerateBackupCodesRequest, call: Call
    ) -> two_factor_pb2.GenerateBackupCodesResponse:
        realm = await self._realms.get(call.realm)
        made = await self._two_factor.generate_backup_codes(realm, call.user, _without_client(call))
        return two_factor_pb2.GenerateBackupCodesResponse(backup_codes=packing.backup_codes(made))

    async def StartChallenge(
        self, request: two_factor_pb2.StartChallengeRequest, call: Call
    ) -> two_factor_pb2.StartChallengeResponse:
        if request.WhichOneof("factor") == push.KIND:
            return await self._ask(request, call)
        with reading(request) as door:
            handle = door.handle("challenge_token")
            binding = door.handle("challenge_binding")
            kind = door.one_of("factor")
            named = kind in ("email", "sms") and getattr(request, kind).factor_id
            factor_id = door.identifier(f"{kind}.factor_id") if named else None
        started = await self._challenges.start(call.realms, handle, binding, kind, factor_id, call.caller.name)
        return packing.started(started)

    async def FinishChallenge(
        self, request: two_factor_pb2.FinishChallengeRequest, call: Call
    ) -> two_factor_pb2.FinishChallengeResponse:
        with reading(request) as door:
            handle = door.handle("challenge_token")
            binding = door.handle("challenge_binding")
            second_factor = door.second_factor("second_factor", required=True, challenged=True)
            origin = door.origin(call)
        assert second_factor is not None
        result = await self._challenges.finish(
            call.realms, handle, binding, second_factor, origin, trust_device=request.trust_device
        )
        if result is None:
            # Ignored for a sign-in's challenge, whatever it holds.
            with reading(request) as door:
                refresh_token = door.refresh_token() if request.refresh_token else None
            result = await self._step_ups.finish(call.realms, handle, binding, second_factor, refresh_token, origin)
        return two_factor_pb2.FinishChallengeResponse(signed_in=packing.signed_in(result))

    async def ListDevices(
        self, request: two_factor_pb2.ListDevicesRequest, call: Call
    ) -> two_factor_pb2.ListDevicesResponse:
        with reading(request) as door:
            page = door.page(call, self._pages)
        rows = await self._devices.page(call.user, page.after, page.size + 1)
        shown, token = self._pages.cut(call.scope, rows, page.size, lambda row: row.device_id)
        current = call.user.row.device_id
        return two_factor_pb2.ListDevicesResponse(
            devices=[packing.device(row, current) for row in shown], next_page_token=token
        )

    async def RevokeDevice(
        self, request: two_factor_pb2.RevokeDeviceRequest, call: Call
    ) -> two_factor_pb2.RevokeDeviceResponse:
        with reading(request) as door:
            device_id = door.identifier("device_id")
        await self._devices.revoke(call.user, device_id)
        return two_factor_pb2.RevokeDeviceResponse()


def _owed(
    request: two_factor_pb2.BeginEnrollmentRequest | two_factor_pb2.FinishEnrollmentRequest, door: Door
) -> tuple[Handle, Handle] | None:
    """The sign-in that an enrolment finishes; what the request names counts before a session that is sent along."""
    if not request.owed_enrollment_token:
        return None
    return door.handle("owed_enrollment_token"), door.handle("owed_enrollment_binding")


def _without_client(call: Call) -> Origin:
    """Where a call comes from whose request has no ClientContext: the caller, and the session's own address and
    device.
    """
    row = call.user.row
    return Origin(
        call.caller.name,
        Client(
            network=f"caller:{call.caller.caller_id}",
            ip_address=row.ip_address,
            user_agent=row.user_agent,
        ),
    )
