"""A real server in this process, on a database of the test's own, with a channel, the generated stubs and its mail."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import email
import email.policy
import itertools
import re
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Protocol, cast

import grpc
import grpc.aio
from google.rpc import error_details_pb2, status_pb2

from twofold.v1 import (
    account_pb2,
    account_pb2_grpc,
    recovery_pb2_grpc,
    session_pb2,
    session_pb2_grpc,
    sign_in_pb2,
    two_factor_pb2,
    two_factor_pb2_grpc,
)
from twofold_server.app import App, build
from twofold_server.crypto import otp
from twofold_server.domain.clock import Clock
from twofold_server.settings import Settings

PASSWORD = "correct horse battery 9"
Metadata = tuple[tuple[str, str | bytes], ...]
_numbers = itertools.count(1)


class SettableClock(Protocol):
    """The clock of a test, which stands still until it is moved."""

    def __call__(self) -> datetime: ...
    def advance(self, seconds: float) -> None: ...


@dataclass
class User:
    """An activated account and what its owner holds."""

    email: str
    password: str = PASSWORD
    account_id: str = ""
    session: sign_in_pb2.Session = field(default_factory=sign_in_pb2.Session)
    tokens: sign_in_pb2.SessionTokens = field(default_factory=sign_in_pb2.SessionTokens)
    device_token: str = ""
    seed: bytes = b""
    backup_codes: list[str] = field(default_factory=list)

    @property
    def metadata(self) -> Metadata:
        """Metadata of the user's session."""
        return (("twofold-session", self.tokens.access_token),)

    @property
    def reauthentication(self) -> sign_in_pb2.Reauthentication:
        """The password, given again."""
        return sign_in_pb2.Reauthentication(password=self.password)

    def take(self, signed_in: sign_in_pb2.SignedIn) -> None:
        """Hold what a finished sign-in returned; tokens that it left empty stay."""
        self.session = signed_in.session
        refresh_token = signed_in.tokens.refresh_token or self.tokens.refresh_token
        self.tokens = signed_in.tokens
        self.tokens.refresh_token = refresh_token
        self.device_token = signed_in.device_token or self.device_token


class Service:
    """One server; several may share a database. `client` is what its calls state of the end user."""

    def __init__(self, app: App, clock: Clock, sent: Path, metadata: Metadata = ()) -> None:
        self.app = app
        self.clock = cast("SettableClock", clock)
        self.sent = sent
        self.metadata = metadata
        self.client = sign_in_pb2.ClientContext(ip_address="192.0.2.7", user_agent="Test/1.0")
        self.channel = grpc.aio.insecure_channel(
            f"127.0.0.1:{app.ports[0]}", options=(("grpc.use_local_subchannel_pool", 1),)
        )
        # One class at run time; on a channel of grpc.aio its methods are awaited.
        self.accounts = cast(
            "account_pb2_grpc.AccountServiceAsyncStub", account_pb2_grpc.AccountServiceStub(self.channel)
        )
        self.two_factor = cast(
            "two_factor_pb2_grpc.TwoFactorServiceAsyncStub", two_factor_pb2_grpc.TwoFactorServiceStub(self.channel)
        )
        self.sessions = cast(
            "session_pb2_grpc.SessionServiceAsyncStub", session_pb2_grpc.SessionServiceStub(self.channel)
        )
        self.recovery = cast(
            "recovery_pb2_grpc.RecoveryServiceAsyncStub", recovery_pb2_grpc.RecoveryServiceStub(self.channel)
        )

    async def mails(self, to: str = "") -> list[EmailMessage]:
        """Send what waits, and read all mail so far, to one address or to all, the oldest first."""
        async with asyncio.timeout(5):
            # The servers' own workers may have claimed some, and be writing them just now.
            while await self.app.services.outbox.run_once() or await self.app.pool.fetchval(
                "SELECT EXISTS (SELECT FROM outbox WHERE state = 'waiting' AND due_time <= $1)", self.clock()
            ):
                await asyncio.sleep(0.01)
        found = []
        for path in sorted(self.sent.glob("*.eml")):
            message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            assert isinstance(message, EmailMessage)
            if not to or to in str(message["To"]):
                found.append(message)
        return found

    async def link_token(self, to: str) -> str:
        """The token of the newest link that was mailed to an address."""
        return tokens_in(await self.mails(to))[-1]

    async def sign_up(self, address: str, password: str = PASSWORD, **fields: Any) -> account_pb2.SignUpResponse:
        """Sign an address up."""
        return await self.accounts.SignUp(
            account_pb2.SignUpRequest(email=address, password=password, client=self.client, **fields),
            metadata=self.metadata,
        )

    async def new_user(self, address: str = "", password: str = PASSWORD) -> User:
        """An activated account."""
        address = address or f"user{next(_numbers)}@example.org"
        claim = await self.sign_up(address, password)
        activated = await self.accounts.ActivateAccount(
            account_pb2.ActivateAccountRequest(
                activation_token=await self.link_token(address),
                sign_up_binding=claim.sign_up_binding,
                client=self.client,
            ),
            metadata=self.metadata,
        )
        return User(address, password, activated.account.account_id)

    async def sign_in(
        self,
        user: User,
        *,
        second_factor: sign_in_pb2.SecondFactor | None = None,
        password: str | None = None,
        device: bool = False,
        client: sign_in_pb2.ClientContext | None = None,
    ) -> account_pb2.SignInResponse:
        """Sign a user in, and let them hold what a finished sign-in returned; `device`: with their device token."""
        context = sign_in_pb2.ClientContext()
        context.CopyFrom(client or self.client)
        if device:
            context.device_token = user.device_token
        response = await self.accounts.SignIn(
            account_pb2.SignInRequest(
                email=user.email,
                password=user.password if password is None else password,
                second_factor=second_factor,
                client=context,
            ),
            metadata=self.metadata,
        )
        if response.HasField("signed_in"):
            user.take(response.signed_in)
        return response

    async def signed_in_user(self, address: str = "", password: str = PASSWORD) -> User:
        """An account with a session."""
        user = await self.new_user(address, password)
        await self.sign_in(user)
        return user

    def with_session(self, user: User) -> Metadata:
        """Metadata of a call in the user's session."""
        return (*self.metadata, *user.metadata)

    async def enrol(self, user: User) -> two_factor_pb2.FinishEnrollmentResponse:
        """Enrol an authenticator app in the user's session."""
        begun = await self.two_factor.BeginEnrollment(
            two_factor_pb2.BeginEnrollmentRequest(totp=two_factor_pb2.TotpEnrollment()),
            metadata=self.with_session(user),
        )
        seed = seed_of(begun.totp.secret)
        finished = await self.two_factor.FinishEnrollment(
            two_factor_pb2.FinishEnrollmentRequest(
                enrollment_token=begun.enrollment_token,
                totp_code=otp.totp_code(seed, otp.step_at(self.clock())),
                reauthentication=user.reauthentication,
                client=self.client,
            ),
            metadata=self.with_session(user),
        )
        user.seed = seed
        user.backup_codes = list(finished.backup_codes.codes) or user.backup_codes
        user.take(finished.signed_in)
        return finished

    async def two_factor_user(self, address: str = "") -> User:
        """An account with a session and an authenticator app."""
        user = await self.signed_in_user(address)
        await self.enrol(user)
        return user

    def code(self, user: User, step: int = 0) -> sign_in_pb2.SecondFactor:
        """The code that the user's app shows now, or so many steps later."""
        return sign_in_pb2.SecondFactor(totp_code=otp.totp_code(user.seed, otp.step_at(self.clock()) + step))

    async def finish_challenge(
        self,
        user: User,
        challenge: sign_in_pb2.SecondFactorChallenge,
        second_factor: sign_in_pb2.SecondFactor,
        refresh_token: str = "",
    ) -> two_factor_pb2.FinishChallengeResponse:
        """Answer a challenge, and let the user hold what came of it."""
        response = await self.two_factor.FinishChallenge(
            two_factor_pb2.FinishChallengeRequest(
                challenge_token=challenge.challenge_token,
                challenge_binding=challenge.challenge_binding,
                second_factor=second_factor,
                refresh_token=refresh_token,
                client=self.client,
            ),
            metadata=self.metadata,
        )
        user.take(response.signed_in)
        return response

    async def is_live(self, user: User) -> bool:
        """Whether the user's session counts."""
        try:
            await self.sessions.CheckSession(
                session_pb2.CheckSessionRequest(audience="twofold", fresh=True), metadata=self.with_session(user)
            )
        except grpc.aio.AioRpcError as error:
            assert reason(error) in {"SESSION_ENDED", "SESSION_EXPIRED"}, reason(error)
            return False
        return True


def settings_for(database: str, folder: Path, **changes: Any) -> Settings:
    """Settings of a server under test: Argon2 at 8 KiB, mail as files."""
    given: dict[str, Any] = {
        "database_url": database,
        "development": True,
        "listen": "127.0.0.1:0",
        "master_key": secrets.token_hex(32),
        "mail_directory": folder / "sent",
        "hash_slots_directory": folder / "slots",
        "argon2_memory_kib": 8,
        "argon2_time_cost": 1,
        "database_pool_size": 20,
    }
    return Settings(**(given | changes))


@contextlib.asynccontextmanager
async def serving(settings: Settings, clock: Clock, metadata: Metadata = ()) -> AsyncIterator[Service]:
    """A running server."""
    app = await build(settings, clock=clock)
    async with app.serving():
        assert settings.mail_directory is not None
        service = Service(app, clock, settings.mail_directory, metadata)
        try:
            yield service
        finally:
            await service.channel.close()


def tokens_in(mails: Sequence[EmailMessage]) -> list[str]:
    """The tokens of the links in mails."""
    found = []
    for mail in mails:
        body = mail.get_body(("plain",))
        assert body is not None
        found += re.findall(r"token=([A-Za-z0-9_-]{43})", body.get_content())
    return found


def seed_of(secret: str) -> bytes:
    """The seed that a user would type in."""
    return base64.b32decode(secret.replace(" ", ""))


def details(error: grpc.aio.AioRpcError) -> dict[str, Any]:
    """An error's details by type name."""
    found: dict[str, Any] = {}
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status = status_pb2.Status.FromString(value if isinstance(value, bytes) else value.encode())
            for packed in status.details:
                for kind in (
                    error_details_pb2.ErrorInfo,
                    error_details_pb2.BadRequest,
                    error_details_pb2.RetryInfo,
                    error_details_pb2.PreconditionFailure,
                    error_details_pb2.RequestInfo,
                ):
                    if packed.Is(kind.DESCRIPTOR):
                        message = kind()
                        packed.Unpack(message)
                        found[kind.DESCRIPTOR.name] = message
    return found


def reason(error: grpc.aio.AioRpcError) -> str:
    """The reason of an error of Twofold; empty if it has none."""
    info = details(error).get("ErrorInfo")
    return info.reason if info is not None and info.domain == "twofold" else ""


def fields(error: grpc.aio.AioRpcError) -> set[str]:
    """The fields that an error names."""
    bad = details(error).get("BadRequest")
    return {violation.field for violation in bad.field_violations} if bad is not None else set()


def retry_after(error: grpc.aio.AioRpcError) -> float:
    """The seconds of an error's RetryInfo; -1 if it has none."""
    info = details(error).get("RetryInfo")
    return info.retry_delay.ToTimedelta().total_seconds() if info is not None else -1.0


@contextlib.contextmanager
def refused(expected: str, *named: str) -> Iterator[None]:
    """Demand that the block is refused for a reason, naming these fields."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        assert reason(error) == expected, (error.code(), reason(error), error.details())
        assert set(named) <= fields(error), fields(error)
    else:
        raise AssertionError(f"not refused with {expected}")
