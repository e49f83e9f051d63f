"""The steps of a change of address, as a front end takes them."""

from __future__ import annotations

import itertools

from tests.service import Metadata, Service, User, tokens_in
from twofold.v1 import account_pb2, sign_in_pb2

_numbers = itertools.count(1)


def new_address() -> str:
    """An address that no account has, and that is part of no other one."""
    return f"next{next(_numbers)}@example.net"


async def ask(service: Service, user: User, address: str) -> account_pb2.ChangeEmailResponse:
    """Ask for another address."""
    found: account_pb2.ChangeEmailResponse = await service.accounts.ChangeEmail(
        account_pb2.ChangeEmailRequest(new_email=address, client=service.client), metadata=service.with_session(user)
    )
    return found


async def confirm(service: Service, user: User, token: str) -> account_pb2.ConfirmEmailChangeResponse:
    """Confirm it in a session, and let the user hold what came of it."""
    found = await service.accounts.ConfirmEmailChange(
        account_pb2.ConfirmEmailChangeRequest(email_change_token=token, client=service.client),
        metadata=service.with_session(user),
    )
    user.email, user.tokens, user.session = found.account.email, found.tokens, found.session
    return found


async def move(service: Service, user: User, address: str = "") -> str:
    """Change a user's address; the token of the link that the address before gets."""
    before, address = user.email, address or new_address()
    await ask(service, user, address)
    await confirm(service, user, await service.link_token(address))
    return await undo_link(service, before)


async def undo_link(service: Service, address: str) -> str:
    """The token of the newest link that takes a change back, of those mailed to an address."""
    mails = [mail for mail in await service.mails(address) if "another e-mail address" in str(mail["Subject"])]
    return tokens_in(mails)[-1]


async def undo(
    service: Service,
    token: str,
    *,
    password: str = "",
    second_factor: sign_in_pb2.SecondFactor | None = None,
    metadata: Metadata | None = None,
) -> account_pb2.UndoEmailChangeResponse:
    """Take a change back, with a proof or without."""
    request = account_pb2.UndoEmailChangeRequest(undo_token=token, client=service.client)
    if password:
        request.password = password
    elif second_factor is not None:
        request.second_factor.CopyFrom(second_factor)
    else:
        request.without_proof.SetInParent()
    found: account_pb2.UndoEmailChangeResponse = await service.accounts.UndoEmailChange(
        request, metadata=service.metadata if metadata is None else metadata
    )
    return found


async def subjects(service: Service, address: str) -> list[str]:
    """What was mailed to an address."""
    return [str(mail["Subject"]) for mail in await service.mails(address)]
