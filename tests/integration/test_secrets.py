"""A whole story with everything listened to: no secret of it is in logs, errors, counters, mails or the database."""

from __future__ import annotations

import asyncio
import hashlib
import io
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import grpc
import pytest
import structlog

from dev.postgres import binaries
from tests.conftest import Clock
from tests.integration import recoveries
from tests.integration.desk import link_in_mail, open_desk
from tests.integration.quick import Quick, add_caller, bearer, quick_server
from tests.integration.request_parts import begun, challenged
from tests.integration.secret_forms import Secrets, digests_in, ids_in, keyless
from tests.integration.test_owed_enrollments import finish, finish_request
from tests.integration.test_phone_numbers import wrong
from tests.service import User, details, seed_of
from twofold.v1 import account_pb2, session_pb2, sign_in_pb2, support_pb2, two_factor_pb2
from twofold_server import logs
from twofold_server.crypto import otp
from twofold_server.domain.callers import Role


@pytest.fixture
def said() -> Iterator[io.StringIO]:
    """All that is logged at DEBUG, by us and by every library."""
    root, kept, buffer = logging.getLogger(), structlog.get_config(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", buffer)
        logs.configure("debug")
    root.handlers[:] = [*handlers, logging.StreamHandler(buffer)]
    root.setLevel(logging.DEBUG)
    yield buffer
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**kept)


@dataclass
class Story:
    """What happened: the secrets, and everything that was said or stored."""

    quick: Quick
    database: str
    secrets: Secrets = field(default_factory=Secrets)
    errors: list[str] = field(default_factory=list)
    dumps: list[str] = field(default_factory=list)

    async def dump(self) -> None:
        """Dump the database as whoever steals a backup has it."""
        process = await asyncio.create_subprocess_exec(
            binaries() / "pg_dump", "--data-only", "--inserts", self.database, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        assert process.returncode == 0
        self.dumps.append(out.decode())

    async def fail(self, call: Awaitable[object]) -> None:
        """Keep all of an error."""
        try:
            await call
        except grpc.aio.AioRpcError as error:
            trailers = [v if isinstance(v, str) else v.decode("latin-1") for _, v in error.trailing_metadata() or ()]
            self.errors.append(f"{error!r} {error.details()} {details(error)} {trailers}")
        else:
            raise AssertionError("it succeeded")

    def know(self, user: User) -> None:
        """Remember what a user holds now."""
        self.secrets.add("password", user.password)
        self.secrets.add("token", user.tokens.access_token, user.tokens.refresh_token, user.device_token)
        self.secrets.add("seed", user.seed)
        self.secrets.add_backup_codes(user.backup_codes)
        if user.seed:
            step = otp.step_at(self.quick.clock())
            self.secrets.add("code", *(otp.totp_code(user.seed, step + n) for n in (-1, 0, 1)))


@pytest.fixture
async def story(database: str, tmp_path: Path, clock: Clock, said: io.StringIO) -> AsyncIterator[Story]:
    """The story, told while everything listens."""
    async with quick_server(database, tmp_path, clock) as quick:
        told = Story(quick, database)
        key = quick.app.settings.master_key_text()
        assert key is not None
        told.secrets.add("master key", key.get_secret_value())
        told.secrets.add("credential", quick.credential)
        quick.metadata = bearer(await add_caller(quick.app, "web", ("default", Role.FRONTEND, True)))
        told.secrets.add("credential", quick.credential)
        await _sign_up_and_in(told)
        await _prove(told)
        await _recover(told)
        await _at_the_desk(told)
        await _fail(told)
        await told.dump()
        yield told


async def _sign_up_and_in(told: Story) -> None:
    quick = told.quick
    claim = await quick.sign_up("sealed@example.org", "the sealed horse 11", display_name="Ada")
    told.secrets.add("password", "the sealed horse 11")
    told.secrets.add("binding", claim.sign_up_binding)
    # The mail waits, or was sent just now; then the link's token is in neither.
    await told.dump()
    told.secrets.add("activation token", await quick.link_token("sealed@example.org"))
    await told.dump()
    user = await quick.two_factor_user("main@example.org")
    told.know(user)
    await quick.sign_in(user, second_factor=quick.code(user, 1))
    told.know(user)
    backup = sign_in_pb2.SecondFactor(backup_code=user.backup_codes[2])
    await quick.sign_in(user, second_factor=backup)
    told.know(user)


async def _prove(told: Story) -> None:
    quick = told.quick
    user, challenge = await challenged(quick)
    told.know(user)
    told.secrets.add("challenge", challenge.challenge_token, challenge.challenge_binding)
    await quick.finish_challenge(user, challenge, quick.code(user, 1))
    told.know(user)
    refreshed = await quick.sessions.RefreshSession(
        session_pb2.RefreshSessionRequest(refresh_token=user.tokens.refresh_token), metadata=quick.metadata
    )
    user.tokens = refreshed.tokens
    told.know(user)
    quick.standing.advance(60)
    made = await quick.two_factor.GenerateBackupCodes(
        two_factor_pb2.GenerateBackupCodesRequest(), metadata=quick.with_session(user)
    )
    told.secrets.add_backup_codes(made.backup_codes.codes)
    seed = user.seed
    enrollment = await begun(quick, user)
    told.know(user)
    told.secrets.add("enrolment", enrollment.enrollment_token, enrollment.totp.secret, enrollment.totp.otpauth_url)
    user.seed = seed
    await told.dump()
    told.secrets.add("password", "the changed horse 12")
    changed = await quick.accounts.ChangePassword(
        account_pb2.ChangePasswordRequest(
            reauthentication=user.reauthentication, new_password="the changed horse 12", client=quick.client
        ),
        metadata=quick.with_session(user),
    )
    told.secrets.add("token", changed.tokens.access_token)


async def _recover(told: Story) -> None:
    """A forgotten password and a lost factor, every token of both, with what a stranger typed on the way."""
    quick = told.quick
    user = await recoveries.reachable_user(quick, "lost@example.org")
    told.know(user)
    request = await recoveries.asked(quick, user)
    request.new_password = "the reset horse 14"
    told.secrets.add("password", request.new_password)
    told.secrets.add("reset", request.reset_binding)
    told.secrets.add("reset link", request.reset_token)
    await told.dump()
    await recoveries.reset(quick, request, user)
    await recoveries.begin(quick, user, password="the guessed horse 15")
    told.secrets.add("typed", "the guessed horse 15")
    quick.standing.advance(1)
    link = await recoveries.begun(quick, user)
    told.secrets.add("recovery", link.recovery_binding)
    token = (await recoveries.confirm(quick, link)).recovery_token
    told.secrets.add("recovery", token)
    told.secrets.add("recovery link", link.recovery_link_token)
    told.secrets.add("cancel link", await quick.link_token(user.email))
    await told.dump()
    await recoveries.send(quick, token)
    code = await recoveries.code_to(quick)
    told.secrets.add("code", code)
    await told.dump()
    await told.fail(recoveries.finish(quick, token, wrong(code)))
    await recoveries.finish(quick, token, code)
    await told.dump()


async def _at_the_desk(told: Story) -> None:
    """A reset by support, up to the session that begins with its code; and a correction that is confirmed."""
    quick = told.quick
    desk = await open_desk(quick)
    told.secrets.add("credential", str(dict(desk.metadata)["authorization"]).removeprefix("Bearer "))
    opener, approver = await desk.agent(), await desk.agent()
    told.know(opener)
    told.know(approver)
    user = await quick.two_factor_user("reset@example.org")
    told.know(user)
    case = await desk.open(opener, user.account_id)
    told.secrets.add("case token", await link_in_mail(quick, user.email))
    await told.dump()
    await desk.approve(approver, case)
    await quick.app.pool.execute("UPDATE cases SET approve_time = approve_time - interval '4 days'")
    code = (await desk.execute(opener, case)).support_code
    told.secrets.add("support code", code, code.replace("-", ""))
    await told.dump()
    owed = (await quick.sign_in(user)).enrollment_required
    told.secrets.add("owed", owed.owed_enrollment_token, owed.owed_enrollment_binding)
    enrollment = await quick.two_factor.BeginEnrollment(
        two_factor_pb2.BeginEnrollmentRequest(
            owed_enrollment_token=owed.owed_enrollment_token,
            owed_enrollment_binding=owed.owed_enrollment_binding,
            totp=two_factor_pb2.TotpEnrollment(),
            support_code=code,
        ),
        metadata=quick.metadata,
    )
    finished = await finish(quick, finish_request(quick, owed, enrollment))
    user.take(finished.signed_in)
    user.seed = seed_of(enrollment.totp.secret)
    told.know(user)
    other = support_pb2.CorrectEmail(email="the-new-one@secret.example")
    await desk.open(opener, user.account_id, correct_email=other)
    told.secrets.add("correction token", await link_in_mail(quick, other.email))
    told.secrets.add("new address", other.email)
    await told.fail(desk.open(opener, user.account_id, correct_email=other, request_id=other.email))
    await told.fail(desk.execute(opener, case))


async def _fail(told: Story) -> None:
    """Errors of each kind, with secrets in the requests, the server's own faults among them."""
    quick, user = told.quick, await told.quick.two_factor_user("failing@example.org")
    told.know(user)
    told.secrets.add("typed", "my other horse 13", "271828", "typed-by-mistake@secret.example")
    wrong = sign_in_pb2.SecondFactor(totp_code="271828")
    metadata = quick.with_session(user)

    def sign_in(address: str, password: str) -> Awaitable[object]:
        request = account_pb2.SignInRequest(email=address, password=password, second_factor=wrong, client=quick.client)
        return quick.accounts.SignIn(request, metadata=quick.metadata)

    for _ in range(6):
        await told.fail(sign_in(user.email, "my other horse 13"))
    await told.fail(sign_in("typed-by-mistake@secret.example", user.password))
    quick.standing.advance(31)
    await told.fail(sign_in(user.email, user.password))
    await told.fail(sign_in("my other horse 13", user.password))
    await told.fail(
        quick.accounts.GetAccount(account_pb2.GetAccountRequest(), metadata=bearer(user.tokens.refresh_token))
    )
    await told.fail(
        quick.accounts.GetAccount(
            account_pb2.GetAccountRequest(), metadata=(*quick.metadata, ("twofold-session", user.tokens.refresh_token))
        )
    )
    await told.fail(
        quick.two_factor.FinishEnrollment(
            two_factor_pb2.FinishEnrollmentRequest(
                enrollment_token=user.device_token,
                totp_code="x" + user.tokens.refresh_token,
                reauthentication=user.reauthentication,
                client=quick.client,
            ),
            metadata=metadata,
        )
    )
    db = await asyncpg.connect(told.database)
    for table in ("password_credentials", "sessions"):
        await db.execute(f"ALTER TABLE {table} RENAME TO away")
        await told.fail(sign_in(user.email, user.password))
        await told.fail(
            quick.sessions.RefreshSession(
                session_pb2.RefreshSessionRequest(refresh_token=user.tokens.refresh_token),
                metadata=quick.metadata,
            )
            if table == "sessions"
            else sign_in(user.email, "my other horse 13")
        )
        await db.execute(f"ALTER TABLE away RENAME TO {table}")
    # A check that quotes the row: a constraint that fails on what the server writes.
    await db.execute("ALTER TABLE tickets ADD CONSTRAINT never CHECK (purpose = 'never') NOT VALID")
    await told.fail(
        quick.accounts.SignUp(
            account_pb2.SignUpRequest(email="row@example.org", password="my other horse 13", client=quick.client),
            metadata=quick.metadata,
        )
    )
    await db.execute("ALTER TABLE tickets DROP CONSTRAINT never")
    await db.close()


async def test_no_secret_is_said_or_stored(story: Story, said: io.StringIO) -> None:
    """Raw, hexadecimal or base64: none is in a log line at DEBUG, error, counter or mail, nor in any dump."""
    heard = said.getvalue()
    assert heard.count("outcome") > 30
    assert "asyncio" in heard or "selector" in heard or len(heard) > 5000
    assert any("INTERNAL" in error for error in story.errors)
    assert len(story.secrets.kept) > 60
    assert story.secrets.betrayed_in(heard) == []
    assert story.secrets.betrayed_in("\n".join(story.errors)) == []
    assert story.secrets.betrayed_in(repr(story.quick.app.boundary.counters)) == []
    assert story.secrets.betrayed_in(repr(story.quick.app.settings)) == []
    for number, dump in enumerate(story.dumps):
        assert "INSERT INTO public.accounts" in dump or number < 2
        assert story.secrets.betrayed_in(dump) == [], number
    # The secrets that mails are there to carry; found in them, they show that what is looked for would be seen.
    mails = "\n".join(mail.as_string() for mail in await story.quick.mails())
    assert story.secrets.betrayed_in(mails) == [
        "activation token 0",
        "reset link 0",
        "recovery link 0",
        "cancel link 0",
        "case token 0",
        "correction token 0",
        "new address 0",
    ]


async def test_no_code_can_be_guessed_from_a_dump(story: Story) -> None:
    """No value equals a digest that anybody can compute of any six digits, of a backup code or of a password."""
    dump = "\n".join(story.dumps)
    digests = digests_in(dump)
    assert len(digests) > 30
    for number in range(10**6):
        code = b"%06d" % number
        assert hashlib.sha256(code).digest() not in digests, code
        assert hashlib.md5(code).digest() not in digests, code
    # With everything that stands in the database as salt or key, for the codes that did exist.
    for existing in story.secrets.codes:
        assert digests.isdisjoint(keyless(existing.encode(), [b"", *digests, *ids_in(dump)])), existing
    for name, secret in story.secrets.kept.items():
        if name.startswith(("backup code", "password", "seed", "typed")):
            raw = secret.encode() if isinstance(secret, str) else secret
            assert digests.isdisjoint(keyless(raw)), name
    # Hashes of passwords and codes are sealed, so that not even slow guessing works without the key.
    assert "$argon2" not in dump
    assert b"$argon2".hex() not in dump


async def test_a_mail_that_waits_is_sealed_and_one_that_was_sent_is_erased(
    database: str, tmp_path: Path, clock: Clock
) -> None:
    """Neither address nor link of a waiting mail can be read in its row, and after sending nothing of it is there."""
    async with quick_server(database, tmp_path, clock) as quick:
        for job in quick.app._jobs:
            job.cancel()
        await quick.sign_up("waiting@example.org")
        db = await asyncpg.connect(database)
        row = await db.fetchrow("SELECT state, payload, outbox::text AS whole FROM outbox")
        assert row is not None
        assert row["state"] == "waiting"
        assert len(row["payload"]) > 100
        assert "waiting@example.org" not in row["whole"]
        assert b"waiting@example.org" not in row["payload"]
        token = await quick.link_token("waiting@example.org")
        assert token.encode() not in row["payload"]
        assert await db.fetchval("SELECT payload FROM outbox") is None
        assert "waiting@example.org" not in str(
            await db.fetch("SELECT outbox::text, tickets::text FROM outbox, tickets")
        )
        await db.close()
