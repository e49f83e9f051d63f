"""AccountService: proto in, proto out."""

from __future__ import annotations

from typing import Final

from twofold.v1 import account_pb2
from twofold_server.domain.accounts import Accounts
from twofold_server.domain.email_changes import EmailChanges
from twofold_server.domain.email_undos import EmailUndos
from twofold_server.domain.owed_enrollments import EnrollmentOwed
from twofold_server.domain.paging import Pages
from twofold_server.domain.passkey_sign_in import PasskeySignIns
from twofold_server.domain.phone_numbers import PhoneNumbers
from twofold_server.domain.realms import Realm, Realms
from twofold_server.domain.sessions import SignedIn, demand_audience
from twofold_server.domain.sign_in import SignIns
from twofold_server.domain.sign_up import SignUps
from twofold_server.domain.values import Handle, NewPassword, Password, SecondFactor
from twofold_server.rpc import packing
from twofold_server.rpc.call import Call
from twofold_server.rpc.door import reading


class AccountServicer:
    """Accounts: signed up, activated, signed in to, changed and deleted."""

    SERVICE: Final = account_pb2.DESCRIPTOR.services_by_name["AccountService"]

    def __init__(
        self,
        realms: Realms,
        sign_ups: SignUps,
        sign_ins: SignIns,
        passkeys: PasskeySignIns,
        accounts: Accounts,
        phone_numbers: PhoneNumbers,
        pages: Pages,
        email_changes: EmailChanges,
        email_undos: EmailUndos,
    ) -> None:
        self._realms = realms
        self._sign_ups = sign_ups
        self._sign_ins = sign_ins
        self._passkeys = passkeys
        self._accounts = accounts
        self._phone_numbers = phone_numbers
        self._pages = pages
        self._email_changes = email_changes
        self._email_undos = email_undos

    async def SignUp(self, request: account_pb2.SignUpRequest, call: Call) -> account_pb2.SignUpResponse:
        realm = await self._realms.get(call.realm)
        with reading(request) as door:
            email = door.email()
            password = door.new_password("password", realm.settings.password_minimum)
            display_name = door.display_name("display_name")
            language = door.language_code("language_code")
            origin = door.origin(call)
        result = await self._sign_ups.sign_up(realm, email, password, display_name, language, origin)
        return account_pb2.SignUpResponse(
            sign_up_binding=result.sign_up_binding,
            resend_time=packing.timestamp(result.resend_time),
            password_advice=packing.advice(result.advice),
        )

    async def ResendActivation(
        self, request: account_pb2.ResendActivationRequest, call: Call
    ) -> account_pb2.ResendActivationResponse:
        realm = await self._realms.get(call.realm)
        with reading(request) as door:
            email = door.email()
            binding = door.handle("sign_up_binding")
            origin = door.origin(call)
        resend_time = await self._sign_ups.resend(realm, email, binding, origin)
        return account_pb2.ResendActivationResponse(resend_time=packing.timestamp(resend_time))

    async def ActivateAccount(
        self, request: account_pb2.ActivateAccountRequest, call: Call
    ) -> account_pb2.ActivateAccountResponse:
        proof: Handle | Password | NewPassword
        with reading(request) as door:
            handle = door.handle("activation_token")
            match door.one_of("proof"):
                case "sign_up_binding":
                    proof = door.handle("sign_up_binding")
                case "password":
                    proof = door.password()
                case _:
                    proof = door.new_password()
            origin = door.origin(call)
        row = await self._sign_ups.activate(call.realms, handle, proof, origin)
        return account_pb2.ActivateAccountResponse(account=packing.account(row))

    async def SignIn(self, request: account_pb2.SignInRequest, call: Call) -> account_pb2.SignInResponse:
        realm = await self._realms.get(call.realm)
        match request.WhichOneof("first_factor"):
            case "passkey_begin":
                return await self._begin_passkey(realm, request, call)
            case "passkey_assertion":
                return await self._finish_passkey(realm, request, call)
        with reading(request) as door:
            email = door.email()
            door.one_of("first_factor")
            password = door.password()
            second_factor = door.second_factor("second_factor", required=False)
            audience = door.audience()
            origin = door.origin(call)
        result = await self._sign_ins.sign_in(
            realm,
            email,
            password,
            second_factor,
            demand_audience(realm, audience),
            origin,
            trust_device=request.trust_device,
        )
        if isinstance(result, SignedIn):
            return account_pb2.SignInResponse(signed_in=packing.signed_in(result))
        if isinstance(result, EnrollmentOwed):
            return account_pb2.SignInResponse(enrollment_required=packing.enrollment_required(result))
        return account_pb2.SignInResponse(challenge=packing.challenge(result))

    async def _begin_passkey(
        self, realm: Realm, request: account_pb2.SignInRequest, call: Call
    ) -> account_pb2.SignInResponse:
        with reading(request) as door:
            audience = door.audience()
            origin = door.origin(call)
        asked = await self._passkeys.begin(realm, demand_audience(realm, audience), origin)
        return account_pb2.SignInResponse(passkey_sign_in=packing.passkey_sign_in(asked))

    async def _finish_passkey(
        self, realm: Realm, request: account_pb2.SignInRequest, call: Call
    ) -> account_pb2.SignInResponse:
        with reading(request) as door:
            handle = door.handle("passkey_assertion.passkey_token")
            binding = door.handle("passkey_assertion.passkey_binding")
            answer = door.passkey_answer("passkey_assertion.credential_json")
            origin = door.origin(call)
        result = await self._passkeys.finish(realm, handle, binding, answer, origin, trust_device=request.trust_device)
        return account_pb2.SignInResponse(signed_in=packing.signed_in(result))

    async def GetAccount(self, request: account_pb2.GetAccountRequest, call: Call) -> account_pb2.GetAccountResponse:
        row = await self._accounts.get(call.user)
        return account_pb2.GetAccountResponse(account=packing.account(row, await self._phone_numbers.get(call.user)))

    async def UpdateAccount(
        self, request: account_pb2.UpdateAccountRequest, call: Call
    ) -> account_pb2.UpdateAccountResponse:
        with reading(request) as door:
            paths = door.update_mask({"display_name", "language_code"})
            display_name = door.display_name("account.display_name") if "display_name" in paths else None
            language = door.language_code("account.language_code") if "language_code" in paths else None
        row = await self._accounts.update(call.user, display_name=display_name, language=language)
        number = await self._phone_numbers.get(call.user)
        return account_pb2.UpdateAccountResponse(account=packing.account(row, number))

    async def ChangePassword(
        self, request: account_pb2.ChangePasswordRequest, call: Call
    ) -> account_pb2.ChangePasswordResponse:
        realm = await self._realms.get(call.realm)
        with reading(request) as door:
            door.one_of("reauthentication.proof")
            present = door.password("reauthentication.password")
            new = door.new_password("new_password", realm.settings.password_minimum)
            origin = door.origin(call)
        result, advice = await self._accounts.change_password(realm, call.user, origin, present, new)
        return account_pb2.ChangePasswordResponse(
            session=packing.session(result.session, result.session.session_id),
            tokens=packing.tokens(result.tokens),
            password_advice=packing.advice(advice),
        )

    async def ChangeEmail(self, request: account_pb2.ChangeEmailRequest, call: Call) -> account_pb2.ChangeEmailResponse:
        realm = await self._realms.get(call.realm)
        with reading(request) as door:
            new_email = door.email("new_email")
            origin = door.origin(call)
        asked = await self._email_changes.change(realm, call.user, origin, new_email)
        return account_pb2.ChangeEmailResponse(
            expire_time=packing.timestamp(asked.expire_time), resend_time=packing.timestamp(asked.resend_time)
        )

    async def ConfirmEmailChange(
        self, request: account_pb2.ConfirmEmailChangeRequest, call: Call
    ) -> account_pb2.ConfirmEmailChangeResponse:
        realm = await self._realms.get(call.realm)
        with reading(request) as door:
            handle = door.handle("email_change_token")
            origin = door.origin(call)
        row, result = await self._email_changes.confirm(realm, call.user, origin, handle)
        return account_pb2.ConfirmEmailChangeResponse(
            account=packing.account(row, await self._phone_numbers.get(call.user)),
            session=packing.session(result.session, result.session.session_id),
            tokens=packing.tokens(result.tokens),
        )

    async def UndoEmailChange(
        self, request: account_pb2.UndoEmailChangeRequest, call: Call
    ) -> account_pb2.UndoEmailChangeResponse:
        proof: Password | SecondFactor | None = None
        with reading(request) as door:
            handle = door.handle("undo_token")
            match door.one_of("proof"):
                case "password":
                    proof = door.password()
                case "second_factor":
                    proof = door.second_factor(required=True)
            origin = door.origin(call)
        undone = await self._email_undos.undo(call.realms, handle, proof, origin)
        response = account_pb2.UndoEmailChangeResponse(email_restored=undone.restored)
        if undone.frozen_until is not None:
            response.changes_frozen_until.FromDatetime(undone.frozen_until)
        return response

    async def ChangePhoneNumber(
        self, request: account_pb2.ChangePhoneNumberRequest, call: Call
    ) -> account_pb2.ChangePhoneNumberResponse:
        realm = await self._realms.get(call.realm)
        with reading(request) as door:
            number = door.phone_number()
            origin = door.origin(call)
        begun = await self._phone_numbers.change(realm, call.user, origin, number)
        return account_pb2.ChangePhoneNumberResponse(
            phone_number_token=begun.phone_number_token,
            expire_time=packing.timestamp(begun.expire_time),
            masked_phone_number=begun.masked,
            delivery=packing.delivery(begun.delivery),
        )

    async def ConfirmPhoneNumber(
        self, request: account_pb2.ConfirmPhoneNumberRequest, call: Call
    ) -> account_pb2.ConfirmPhoneNumberResponse:
        realm = await self._realms.get(call.realm)
        with reading(request) as door:
            handle = door.handle("phone_number_token")
            code = door.short_code()
            origin = door.origin(call)
        number = await self._phone_numbers.confirm(realm, call.user, origin, handle, code)
        row = await self._accounts.get(call.user)
        return account_pb2.ConfirmPhoneNumberResponse(account=packing.account(row, number))

    async def DeleteAccount(
        self, request: account_pb2.DeleteAccountRequest, call: Call
    ) -> account_pb2.DeleteAccountResponse:
        realm = await self._realms.get(call.realm)
        with reading(request) as door:
            door.one_of("reauthentication.proof")
            password = door.password("reauthentication.password")
            second_factor = door.second_factor("second_factor", required=False)
            origin = door.origin(call)
        await self._accounts.delete(realm, call.user, origin, password, second_factor)
        return account_pb2.DeleteAccountResponse()

    async def ListSignIns(self, request: account_pb2.ListSignInsRequest, call: Call) -> account_pb2.ListSignInsResponse:
        with reading(request) as door:
            page = door.page(call, self._pages)
        rows = await self._accounts.sign_ins(call.user, page.after, page.size + 1)
        shown, token = self._pages.cut(call.scope, rows, page.size, lambda row: row.event_id)
        return account_pb2.ListSignInsResponse(sign_ins=[packing.sign_in(row) for row in shown], next_page_token=token)
