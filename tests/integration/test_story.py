"""The main story by generated stubs alone, on a real server and database."""

import io

import zxingcpp
from PIL import Image

from tests.service import PASSWORD, Service, refused, seed_of
from twofold.v1 import account_pb2, session_pb2, sign_in_pb2, two_factor_pb2
from twofold_server.crypto import otp


async def test_story(service: Service) -> None:
    """Sign up, activate, enrol, sign in both ways, a backup code once, refresh, sign out, history, disable, delete."""
    claim = await service.sign_up("ada@example.org", display_name="Ada")
    assert claim.password_advice.score >= 3
    token = await service.link_token("ada@example.org")
    activated = await service.accounts.ActivateAccount(
        account_pb2.ActivateAccountRequest(
            activation_token=token, sign_up_binding=claim.sign_up_binding, client=service.client
        )
    )
    assert activated.account.display_name == "Ada"
    with refused("TICKET_NOT_FOUND", "activation_token"):
        await service.accounts.ActivateAccount(
            account_pb2.ActivateAccountRequest(
                activation_token=token, sign_up_binding=claim.sign_up_binding, client=service.client
            )
        )
    user = await service.signed_in_user("grace@example.org")

    begun = await service.two_factor.BeginEnrollment(
        two_factor_pb2.BeginEnrollmentRequest(totp=two_factor_pb2.TotpEnrollment(), name="Phone"),
        metadata=user.metadata,
    )
    decoded = zxingcpp.read_barcodes(
        Image.open(io.BytesIO(begun.totp.qr_code_png)), formats=zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode])
    )
    assert [code.text for code in decoded] == [begun.totp.otpauth_url]
    user.seed = seed_of(begun.totp.secret)
    finished = await service.two_factor.FinishEnrollment(
        two_factor_pb2.FinishEnrollmentRequest(
            enrollment_token=begun.enrollment_token,
            totp_code=service.code(user).totp_code,
            reauthentication=user.reauthentication,
            client=service.client,
        ),
        metadata=user.metadata,
    )
    assert len(finished.backup_codes.codes) == 10
    assert all(code in finished.backup_codes.text_file for code in finished.backup_codes.codes)
    user.take(finished.signed_in)
    assert user.session.aal == 2

    service.clock.advance(30)
    assert (await service.sign_in(user, second_factor=service.code(user))).signed_in.session.aal == 2
    service.clock.advance(30)
    challenge = (await service.sign_in(user)).challenge
    assert list(challenge.kinds) == [sign_in_pb2.FACTOR_KIND_TOTP, sign_in_pb2.FACTOR_KIND_BACKUP_CODE]
    await service.finish_challenge(user, challenge, service.code(user))
    backup = sign_in_pb2.SecondFactor(backup_code=finished.backup_codes.codes[3].lower().replace("-", " "))
    assert (await service.sign_in(user, second_factor=backup)).signed_in.session.aal == 2
    with refused("INVALID_SECOND_FACTOR"):
        await service.sign_in(user, second_factor=backup)
    status = await service.two_factor.GetTwoFactorStatus(
        two_factor_pb2.GetTwoFactorStatusRequest(), metadata=user.metadata
    )
    assert status.enabled and status.backup_codes_remaining == 9

    refreshed = await service.sessions.RefreshSession(
        session_pb2.RefreshSessionRequest(refresh_token=user.tokens.refresh_token)
    )
    user.tokens = refreshed.tokens
    listed = await service.sessions.ListSessions(session_pb2.ListSessionsRequest(), metadata=user.metadata)
    assert len(listed.sessions) == 4
    assert [s.session_id for s in listed.sessions if s.current] == [user.session.session_id]
    history = await service.accounts.ListSignIns(account_pb2.ListSignInsRequest(), metadata=user.metadata)
    assert [s.two_factor_verified for s in history.sign_ins if s.result == account_pb2.SIGN_IN_RESULT_SIGNED_IN] == [
        True,
        True,
        True,
        False,
    ]

    service.clock.advance(30)
    disabled = await service.two_factor.DisableTwoFactor(
        two_factor_pb2.DisableTwoFactorRequest(
            reauthentication=user.reauthentication, second_factor=service.code(user), client=service.client
        ),
        metadata=user.metadata,
    )
    with refused("SESSION_ENDED"):
        await service.accounts.GetAccount(account_pb2.GetAccountRequest(), metadata=user.metadata)
    user.tokens = disabled.tokens
    await service.accounts.DeleteAccount(
        account_pb2.DeleteAccountRequest(reauthentication=user.reauthentication, client=service.client),
        metadata=user.metadata,
    )
    with refused("SESSION_ENDED"):
        await service.accounts.GetAccount(account_pb2.GetAccountRequest(), metadata=user.metadata)
    with refused("INVALID_CREDENTIALS"):
        await service.sign_in(user)
    assert PASSWORD not in "".join(str(mail) for mail in await service.mails())
    assert otp.step_at(service.clock()) > 0
