"""Requests about accounts that succeed, as `requests_that_succeed` has them for every RPC."""

from __future__ import annotations

import re

from google.protobuf import field_mask_pb2

from tests.integration.quick import Builder, Prepared, Quick
from tests.integration.request_parts import full_client, in_session, new_number
from tests.service import PASSWORD, User
from twofold.v1 import account_pb2


async def _sign_up(service: Quick) -> Prepared:
    user = await service.new_user()
    request = account_pb2.SignUpRequest(
        realm_id="default", email=f"new.{user.email}", password=PASSWORD, display_name="Ada", language_code="en",
        client=full_client(service),
    )  # fmt: skip
    return Prepared(request, service.metadata)


async def _resend(service: Quick) -> Prepared:
    user = await service.new_user()
    claim = await service.sign_up(f"again.{user.email}")
    service.standing.advance(61)
    request = account_pb2.ResendActivationRequest(
        realm_id="default", email=f"again.{user.email}", sign_up_binding=claim.sign_up_binding,
        client=full_client(service),
    )  # fmt: skip
    return Prepared(request, service.metadata, once=True)


async def _activate(service: Quick) -> Prepared:
    user = await service.new_user()
    address = f"active.{user.email}"
    claim = await service.sign_up(address)
    request = account_pb2.ActivateAccountRequest(
        activation_token=await service.link_token(address), sign_up_binding=claim.sign_up_binding,
        client=full_client(service),
    )  # fmt: skip
    return Prepared(request, service.metadata, once=True)


async def _sign_in(service: Quick) -> Prepared:
    user = await service.two_factor_user()
    request = account_pb2.SignInRequest(
        realm_id="default", email=user.email, password=user.password, second_factor=service.code(user, 1),
        audience="twofold", client=full_client(service, user),
    )  # fmt: skip
    return Prepared(request, service.metadata, once=True)


async def _update_account(service: Quick) -> Prepared:
    user = await service.signed_in_user()
    request = account_pb2.UpdateAccountRequest(
        account=account_pb2.Account(display_name="Grace", language_code="en"),
        update_mask=field_mask_pb2.FieldMask(paths=["display_name", "language_code"]),
    )
    return Prepared(request, service.with_session(user))


async def _change_password(service: Quick) -> Prepared:
    user = await service.signed_in_user()
    request = account_pb2.ChangePasswordRequest(
        reauthentication=user.reauthentication, new_password="another horse battery 7",
        client=full_client(service, user),
    )  # fmt: skip
    return Prepared(request, service.with_session(user), once=True)


async def asked_for_email(service: Quick) -> tuple[User, str]:
    """A user who asked for another address, and that address."""
    user = await service.signed_in_user()
    address = user.email.replace("@", ".moved@")
    await service.accounts.ChangeEmail(
        account_pb2.ChangeEmailRequest(new_email=address, client=service.client), metadata=service.with_session(user)
    )
    return user, address


async def _change_email(service: Quick) -> Prepared:
    user = await service.signed_in_user()
    request = account_pb2.ChangeEmailRequest(
        new_email=user.email.replace("@", ".moved@"), client=full_client(service, user)
    )
    return Prepared(request, service.with_session(user), once=True)


async def _confirm_email_change(service: Quick) -> Prepared:
    user, address = await asked_for_email(service)
    request = account_pb2.ConfirmEmailChangeRequest(
        email_change_token=await service.link_token(address), client=full_client(service, user)
    )
    return Prepared(request, service.with_session(user), once=True)


async def _undo_email_change(service: Quick) -> Prepared:
    user, address = await asked_for_email(service)
    await service.accounts.ConfirmEmailChange(
        account_pb2.ConfirmEmailChangeRequest(
            email_change_token=await service.link_token(address), client=service.client
        ),
        metadata=service.with_session(user),
    )
    request = account_pb2.UndoEmailChangeRequest(
        undo_token=await service.link_token(user.email), password=user.password, client=full_client(service)
    )
    return Prepared(request, service.metadata, once=True)


async def _change_phone_number(service: Quick) -> Prepared:
    user = await service.signed_in_user()
    request = account_pb2.ChangePhoneNumberRequest(phone_number=new_number(), client=full_client(service, user))
    return Prepared(request, service.with_session(user), once=True)


async def _confirm_phone_number(service: Quick) -> Prepared:
    user = await service.signed_in_user()
    number = new_number()
    begun = await service.accounts.ChangePhoneNumber(
        account_pb2.ChangePhoneNumberRequest(phone_number=number, client=service.client),
        metadata=service.with_session(user),
    )
    await service.mails()
    (code,) = [
        found[1]
        for path in service.sent.glob("*.sms")
        if number in (text := path.read_text()) and (found := re.search(r": (\d{6})\.", text))
    ]
    request = account_pb2.ConfirmPhoneNumberRequest(
        phone_number_token=begun.phone_number_token, code=code, client=full_client(service, user)
    )
    return Prepared(request, service.with_session(user), once=True)


async def _delete_account(service: Quick) -> Prepared:
    user = await service.two_factor_user()
    request = account_pb2.DeleteAccountRequest(
        reauthentication=user.reauthentication, second_factor=service.code(user, 1), client=full_client(service, user)
    )
    return Prepared(request, service.with_session(user), once=True)


async def _list_sign_ins(service: Quick) -> Prepared:
    user = await service.signed_in_user()
    await service.sign_in(user)
    listed = await service.accounts.ListSignIns(
        account_pb2.ListSignInsRequest(page_size=1), metadata=service.with_session(user)
    )
    return Prepared(
        account_pb2.ListSignInsRequest(page_size=1, page_token=listed.next_page_token), service.with_session(user)
    )


BUILDERS: dict[str, Builder] = {
    "AccountService.SignUp": _sign_up,
    "AccountService.ResendActivation": _resend,
    "AccountService.ActivateAccount": _activate,
    "AccountService.SignIn": _sign_in,
    "AccountService.GetAccount": in_session(account_pb2.GetAccountRequest),
    "AccountService.UpdateAccount": _update_account,
    "AccountService.ChangePassword": _change_password,
    "AccountService.ChangeEmail": _change_email,
    "AccountService.ConfirmEmailChange": _confirm_email_change,
    "AccountService.UndoEmailChange": _undo_email_change,
    "AccountService.ChangePhoneNumber": _change_phone_number,
    "AccountService.ConfirmPhoneNumber": _confirm_phone_number,
    "AccountService.DeleteAccount": _delete_account,
    "AccountService.ListSignIns": _list_sign_ins,
}
