"""The main story of Twofold, from sign-up to deletion, through the Python client."""

import secrets
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dev.stage import AuthenticatorApp, Mailbox, Stage, StepFailed
from twofold import Client
from twofold.v1 import account_pb2, session_pb2, sign_in_pb2, two_factor_pb2
from twofold_server.crypto import otp

_PASSWORD = "correct horse battery staple"
_NEW_PASSWORD = "a new staple for the same horse"
_RESULTS = {
    account_pb2.SIGN_IN_RESULT_SIGNED_IN: "signed in",
    account_pb2.SIGN_IN_RESULT_CHALLENGED: "asked for a code",
    account_pb2.SIGN_IN_RESULT_WRONG_PASSWORD: "wrong password",
    account_pb2.SIGN_IN_RESULT_WRONG_SECOND_FACTOR: "wrong code",
}


class Story:
    """One user's way through the service. `play` raises StepFailed or a TwofoldError where a step fails."""

    def __init__(self, client: Client, console: Console, sent: Path) -> None:
        self._client = client
        self._stage = Stage(console)
        # Each time another, since an address has one account.
        self._email = f"ada-{secrets.token_hex(3)}@example.org"
        self._password = _PASSWORD
        self._mailbox = Mailbox(sent, self._email)
        self._app = AuthenticatorApp("")
        self._backup_codes: list[str] = []
        self._tokens = sign_in_pb2.SessionTokens()
        self._device_token = ""

    async def play(self) -> None:
        """Play all of it; a few seconds."""
        await self._sign_up()
        await self._sign_in_by_password()
        await self._enrol()
        await self._sign_in_by_two_factors()
        await self._backup_code()
        await self._refresh()
        await self._look_around()
        await self._leave()

    async def _sign_up(self) -> None:
        self._stage.chapter("An account")
        claim = await self._client.accounts.SignUp(
            account_pb2.SignUpRequest(
                email=self._email, password=self._password, display_name="Ada", client=self._side()
            )
        )
        self._stage.done("SignUp", f"{self._email}; the password scores {claim.password_advice.score} of 4")
        letter = await self._mailbox.newest_link()
        self._stage.note(f"mail “{letter.subject}”")
        self._stage.note(f"in {letter.path.name}")
        activated = await self._client.accounts.ActivateAccount(
            account_pb2.ActivateAccountRequest(
                activation_token=letter.token, sign_up_binding=claim.sign_up_binding, client=self._side()
            )
        )
        self._stage.done("ActivateAccount", f"account {activated.account.account_id}")

    async def _sign_in_by_password(self) -> None:
        self._stage.chapter("Signed in with the password alone")
        with self._stage.refused("SignIn", "INVALID_CREDENTIALS", "a wrong password"):
            await self._sign_in(password="not the password")
        signed_in = self._take((await self._sign_in()).signed_in)
        self._stage.done("SignIn", f"session {signed_in.session.session_id}, assurance level {signed_in.session.aal}")

    async def _enrol(self) -> None:
        self._stage.chapter("An authenticator app")
        begun = await self._client.two_factor.BeginEnrollment(
            two_factor_pb2.BeginEnrollmentRequest(totp=two_factor_pb2.TotpEnrollment(), name="Phone"),
            session=self._access,
        )
        self._stage.done("BeginEnrollment", f"scan this, or type {begun.totp.secret}")
        self._stage.console.print(Text.from_ansi(otp.qr_terminal(begun.totp.otpauth_url)))
        self._app = AuthenticatorApp(begun.totp.secret)
        finished = await self._client.two_factor.FinishEnrollment(
            two_factor_pb2.FinishEnrollmentRequest(
                enrollment_token=begun.enrollment_token,
                totp_code=await self._app.code(),
                reauthentication=self._reauthentication(),
                client=self._side(),
            ),
            session=self._access,
        )
        signed_in = self._take(finished.signed_in)
        self._backup_codes = list(finished.backup_codes.codes)
        self._stage.done(
            "FinishEnrollment",
            f"password and code; assurance level {signed_in.session.aal}, {len(self._backup_codes)} backup codes:",
        )
        for left, right in zip(self._backup_codes[::2], self._backup_codes[1::2], strict=True):
            self._stage.note(f"  {left}   {right}")

    async def _sign_in_by_two_factors(self) -> None:
        self._stage.chapter("Signed in with both")
        code = sign_in_pb2.SecondFactor(totp_code=await self._app.code())
        signed_in = self._take((await self._sign_in(second_factor=code)).signed_in)
        self._stage.done("SignIn", f"password and code in one call; assurance level {signed_in.session.aal}")
        answer = await self._sign_in()
        if not answer.HasField("challenge"):
            raise StepFailed("SignIn without a code should have asked for one")
        kinds = ", ".join(sign_in_pb2.FactorKind.Name(kind) for kind in answer.challenge.kinds)
        self._stage.done("SignIn", f"password alone: a challenge, to be met by {kinds.replace('FACTOR_KIND_', '')}")
        finished = await self._client.two_factor.FinishChallenge(
            two_factor_pb2.FinishChallengeRequest(
                challenge_token=answer.challenge.challenge_token,
                challenge_binding=answer.challenge.challenge_binding,
                second_factor=sign_in_pb2.SecondFactor(totp_code=await self._app.code()),
                client=self._side(),
            )
        )
        signed_in = self._take(finished.signed_in)
        self._stage.done("FinishChallenge", f"the next code; assurance level {signed_in.session.aal}")

    async def _backup_code(self) -> None:
        self._stage.chapter("The phone is not at hand")
        code = sign_in_pb2.SecondFactor(backup_code=self._backup_codes[0])
        self._take((await self._sign_in(second_factor=code)).signed_in)
        self._stage.done("SignIn", f"with backup code {self._backup_codes[0]}")
        with self._stage.refused("SignIn", "INVALID_SECOND_FACTOR", "the same backup code again"):
            await self._sign_in(second_factor=code)
        status = await self._client.two_factor.GetTwoFactorStatus(
            two_factor_pb2.GetTwoFactorStatusRequest(), session=self._access
        )
        self._stage.done("GetTwoFactorStatus", f"{status.backup_codes_remaining} backup codes left")

    async def _refresh(self) -> None:
        self._stage.chapter("A stolen refresh token")
        code = sign_in_pb2.SecondFactor(backup_code=self._backup_codes[1])
        first = (await self._sign_in(second_factor=code)).signed_in.tokens.refresh_token
        newest = first
        for _ in range(2):
            answer = await self._client.sessions.RefreshSession(session_pb2.RefreshSessionRequest(refresh_token=newest))
            newest = answer.tokens.refresh_token
        self._stage.done("RefreshSession", "of another session, twice: each time a new token in place of the old")
        with self._stage.refused("RefreshSession", "SESSION_REUSED", "the first token, as a thief would hold it"):
            await self._client.sessions.RefreshSession(session_pb2.RefreshSessionRequest(refresh_token=first))
        with self._stage.refused("RefreshSession", "SESSION_ENDED", "the newest one, for the session is now over"):
            await self._client.sessions.RefreshSession(session_pb2.RefreshSessionRequest(refresh_token=newest))

    async def _look_around(self) -> None:
        self._stage.chapter("What the user sees")
        listed = await self._client.sessions.ListSessions(session_pb2.ListSessionsRequest(), session=self._access)
        self._stage.done("ListSessions", f"{len(listed.sessions)} sessions")
        table = Table("began", "level", "proven by", "from", "", box=None, padding=(0, 2, 0, 4))
        for session in listed.sessions:
            began = f"{session.create_time.ToDatetime():%H:%M:%S}"
            here = "this one" if session.current else ""
            table.add_row(began, str(session.aal), " ".join(session.amr), session.ip_address, here)
        self._stage.console.print(table)
        history = await self._client.accounts.ListSignIns(account_pb2.ListSignInsRequest(), session=self._access)
        self._stage.done("ListSignIns", f"{len(history.sign_ins)} attempts")
        table = Table("time", "result", "two factors", "known device", box=None, padding=(0, 2, 0, 4))
        for attempt in history.sign_ins:
            table.add_row(
                f"{attempt.create_time.ToDatetime():%H:%M:%S}",
                _RESULTS.get(attempt.result, "?"),
                "✓" if attempt.two_factor_verified else "",
                "✓" if attempt.known_device else "",
            )
        self._stage.console.print(table)

    async def _leave(self) -> None:
        self._stage.chapter("And out again")
        changed = await self._client.accounts.ChangePassword(
            account_pb2.ChangePasswordRequest(
                reauthentication=self._reauthentication(), new_password=_NEW_PASSWORD, client=self._side()
            ),
            session=self._access,
        )
        self._password = _NEW_PASSWORD
        self._tokens = changed.tokens
        listed = await self._client.sessions.ListSessions(session_pb2.ListSessionsRequest(), session=self._access)
        self._stage.done("ChangePassword", f"every other session has ended: {len(listed.sessions)} is left")
        disabled = await self._client.two_factor.DisableTwoFactor(
            two_factor_pb2.DisableTwoFactorRequest(
                reauthentication=self._reauthentication(),
                second_factor=sign_in_pb2.SecondFactor(backup_code=self._backup_codes[2]),
                client=self._side(),
            ),
            session=self._access,
        )
        self._tokens = disabled.tokens
        self._stage.done("DisableTwoFactor", "password and a backup code; app and codes are gone")
        await self._client.accounts.DeleteAccount(
            account_pb2.DeleteAccountRequest(reauthentication=self._reauthentication(), client=self._side()),
            session=self._access,
        )
        self._stage.done("DeleteAccount", "at once and for good")
        with self._stage.refused("SignIn", "INVALID_CREDENTIALS", "with what was right before"):
            await self._sign_in()

    async def _sign_in(
        self, *, password: str | None = None, second_factor: sign_in_pb2.SecondFactor | None = None
    ) -> account_pb2.SignInResponse:
        return await self._client.accounts.SignIn(
            account_pb2.SignInRequest(
                email=self._email,
                password=self._password if password is None else password,
                second_factor=second_factor,
                client=self._side(),
            )
        )

    def _take(self, signed_in: sign_in_pb2.SignedIn) -> sign_in_pb2.SignedIn:
        """Hold what a finished sign-in returned."""
        if not signed_in.tokens.access_token:
            raise StepFailed("a finished sign-in should have returned an access token")
        self._tokens = signed_in.tokens
        self._device_token = signed_in.device_token or self._device_token
        return signed_in

    @property
    def _access(self) -> str:
        return self._tokens.access_token

    def _reauthentication(self) -> sign_in_pb2.Reauthentication:
        return sign_in_pb2.Reauthentication(password=self._password)

    def _side(self) -> sign_in_pb2.ClientContext:
        """What a front end says of its user; the address is one that RFC 5737 keeps for examples."""
        return sign_in_pb2.ClientContext(
            ip_address="192.0.2.10", user_agent="Demo/1.0", device_token=self._device_token
        )
