"""The main story through the Python client, async and sync, against the server as a process."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from dev.stage import AuthenticatorApp, Mailbox, StepFailed
from dev.story import Story
from tests.e2e.program import Program
from tests.service import Service
from twofold import (
    Client,
    InvalidCredentials,
    InvalidFields,
    InvalidSecondFactor,
    SessionEnded,
    SyncClient,
)
from twofold.v1 import account_pb2, session_pb2, sign_in_pb2, two_factor_pb2

PASSWORD = "correct horse battery 9"
SIDE = sign_in_pb2.ClientContext(ip_address="192.0.2.7", user_agent="Test/1.0")


async def test_the_demonstration(program: Program, tmp_path: Path) -> None:
    """The story of `make demo` runs to its end through the async client, and shows steps, refusals and a QR code."""
    shown = io.StringIO()
    async with Client(program.address) as client:
        await Story(client, Console(file=shown, width=200), tmp_path / "sent").play()
    text = shown.getvalue()
    for rpc in ("SignUp", "FinishEnrollment", "FinishChallenge", "ListSignIns", "DisableTwoFactor", "DeleteAccount"):
        assert f"✓ {rpc} " in text
    for reason in ("INVALID_CREDENTIALS", "INVALID_SECOND_FACTOR", "SESSION_REUSED", "SESSION_ENDED"):
        assert f"refused, {reason}" in text
    assert "█▀▀▀▀▀█" in text
    assert "\x1b[" not in text


async def test_the_demonstration_notices_a_service_whose_mail_it_does_not_find(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no mail comes the story stops with a plain message instead of waiting for ever."""
    monkeypatch.setattr("dev.stage._MAIL_SECONDS", 0.3)
    async with Client(f"127.0.0.1:{service.app.ports[0]}") as client:
        story = Story(client, Console(file=io.StringIO()), tmp_path / "elsewhere")
        with pytest.raises(StepFailed, match="no mail to ada-"):
            await story.play()


async def test_the_sync_client(program: Program, tmp_path: Path) -> None:
    """The same calls block in a thread through SyncClient: sign-up to deletion, with its typed errors."""
    await asyncio.to_thread(_story_by_sync_client, program.address, tmp_path / "sent")


def _story_by_sync_client(address: str, sent: Path) -> None:
    def wait(mailbox: Mailbox) -> str:
        return asyncio.run(mailbox.newest_link()).token

    def code(app: AuthenticatorApp) -> sign_in_pb2.SecondFactor:
        return sign_in_pb2.SecondFactor(totp_code=asyncio.run(app.code()))

    with SyncClient(address) as client:
        _play(client, Mailbox(sent, "grace@example.org"), wait, code)


def _play(
    client: SyncClient,
    mailbox: Mailbox,
    wait: Callable[[Mailbox], str],
    code: Callable[[AuthenticatorApp], sign_in_pb2.SecondFactor],
) -> None:
    with pytest.raises(InvalidFields) as refusal:
        client.accounts.SignUp(account_pb2.SignUpRequest(email="grace", password=PASSWORD, client=SIDE))
    assert [violation.field for violation in refusal.value.field_violations] == ["email"]
    claim = client.accounts.SignUp(account_pb2.SignUpRequest(email="grace@example.org", password=PASSWORD, client=SIDE))
    client.accounts.ActivateAccount(
        account_pb2.ActivateAccountRequest(
            activation_token=wait(mailbox), sign_up_binding=claim.sign_up_binding, client=SIDE
        )
    )
    request = account_pb2.SignInRequest(email="grace@example.org", password=PASSWORD, client=SIDE)
    tokens = client.accounts.SignIn(request).signed_in.tokens
    begun = client.two_factor.BeginEnrollment(
        two_factor_pb2.BeginEnrollmentRequest(totp=two_factor_pb2.TotpEnrollment()), session=tokens.access_token
    )
    app = AuthenticatorApp(begun.totp.secret)
    enrolled = client.two_factor.FinishEnrollment(
        two_factor_pb2.FinishEnrollmentRequest(
            enrollment_token=begun.enrollment_token,
            totp_code=code(app).totp_code,
            reauthentication=sign_in_pb2.Reauthentication(password=PASSWORD),
            client=SIDE,
        ),
        session=tokens.access_token,
    )
    assert len(enrolled.backup_codes.codes) == 10
    challenge = client.accounts.SignIn(request).challenge
    finish = two_factor_pb2.FinishChallengeRequest(
        challenge_token=challenge.challenge_token,
        challenge_binding=challenge.challenge_binding,
        second_factor=code(app),
        client=SIDE,
    )
    tokens = client.two_factor.FinishChallenge(finish).signed_in.tokens
    backup = sign_in_pb2.SecondFactor(backup_code=enrolled.backup_codes.codes[9])
    request.second_factor.CopyFrom(backup)
    assert client.accounts.SignIn(request).signed_in.session.aal == 2
    with pytest.raises(InvalidSecondFactor):
        client.accounts.SignIn(request)
    refresh = session_pb2.RefreshSessionRequest(refresh_token=tokens.refresh_token)
    tokens = client.sessions.RefreshSession(refresh).tokens
    history = client.accounts.ListSignIns(account_pb2.ListSignInsRequest(), session=tokens.access_token)
    assert sum(attempt.two_factor_verified for attempt in history.sign_ins) == 2
    client.accounts.DeleteAccount(
        account_pb2.DeleteAccountRequest(
            reauthentication=sign_in_pb2.Reauthentication(password=PASSWORD),
            second_factor=sign_in_pb2.SecondFactor(backup_code=enrolled.backup_codes.codes[8]),
            client=SIDE,
        ),
        session=tokens.access_token,
    )
    with pytest.raises(SessionEnded):
        client.accounts.GetAccount(account_pb2.GetAccountRequest(), session=tokens.access_token)
    with pytest.raises(InvalidCredentials):
        client.accounts.SignIn(request)
