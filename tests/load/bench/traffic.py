"""What the rounds send, one account, session or challenge a call, and what must come of it."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from tests.load.bench import seeding
from tests.load.bench.loadgen import Calls
from tests.load.bench.seeding import CLIENT, PASSWORD, REALM, Live, User, World
from twofold.v1 import account_pb2, session_pb2, sign_in_pb2, two_factor_pb2
from twofold_server.crypto import otp, tokens
from twofold_server.domain.challenges import challenge_place

CHECK: Final = "twofold.v1.SessionService/CheckSession"
REFRESH: Final = "twofold.v1.SessionService/RefreshSession"
FINISH: Final = "twofold.v1.TwoFactorService/FinishChallenge"
SIGN_IN: Final = "twofold.v1.AccountService/SignIn"

WRONG_EVERY: Final = 10
STRANGE_EVERY: Final = 10
"""One call in ten has a wrong secret; of the sign-ins one in ten comes from a device that is new, and told by mail."""

_CHECK_REQUEST: Final = session_pb2.CheckSessionRequest(audience="twofold").SerializeToString()
_USUAL_ADDRESS: Final = "198.51.100.7"
_CLOSED_AFTER: Final = 4


@dataclass(slots=True)
class Expected:
    """What a round must come to, to the row: answers by code, events by account and kind, codes spent, generations."""

    codes: Counter[str] = field(default_factory=Counter)
    events: Counter[tuple[UUID, str]] = field(default_factory=Counter)
    steps: dict[UUID, int] = field(default_factory=dict)
    """By account: the time step that its authenticator app's row must hold."""
    rotations: int = 0


class Traffic:
    """Makes the calls of each round from what was seeded, and keeps what each row then has."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._addresses = (f"198.18.{n // 250 % 256}.{n % 250 + 1}" for n in itertools.count())
        self._plain = itertools.cycle(world.plain)
        self._guarded = itertools.cycle(world.guarded)
        self._sessions = itertools.cycle(world.sessions)

    def empty(self, count: int) -> Calls:
        """Calls of an empty method: the same as those of CheckSession, of a token that nobody looks at."""
        return Calls(CHECK, [_CHECK_REQUEST] * count, ["x" * 700] * count)

    def check(self, access_tokens: list[str]) -> tuple[Calls, Expected]:
        """CheckSession with these tokens."""
        count = len(access_tokens)
        return Calls(CHECK, [_CHECK_REQUEST] * count, access_tokens), Expected(Counter(OK=count))

    def refresh(self, count: int) -> tuple[Calls, Expected]:
        """RefreshSession, each call another session; the same comes again 10,000 calls later, with its next token."""
        requests = []
        for session in itertools.islice(self._sessions, count):
            request = session_pb2.RefreshSessionRequest(refresh_token=self._world.refresh_token(session))
            requests.append(request.SerializeToString())
            session.generation += 1
        return Calls(REFRESH, requests), Expected(Counter(OK=count), rotations=count)

    async def finish(self, count: int) -> tuple[Calls, Expected]:
        """FinishChallenge on known devices, each call a challenge of its own, written now; one in ten has a wrong code.

        Fewer where the accounts' codes of this half minute are used up.
        """
        expected, requests, tickets = Expected(), [], []
        step = otp.step_at(datetime.now(UTC))
        # Twice round at most: an account's code of this step, and that of the next.
        for number, user in enumerate(itertools.islice(self._guarded, min(count, 2 * len(self._world.guarded)))):
            code = self._code(user, step, wrong=number % WRONG_EVERY == 0, expected=expected)
            if code is None:
                continue
            token, token_hash = tokens.new_secret_token()
            binding, binding_hash = tokens.new_secret_token()
            tickets.append(self._ticket(user, token_hash, binding_hash))
            if number % WRONG_EVERY:
                user.generation += 1
            client = self._client(None, wrong=number % WRONG_EVERY == 0)
            request = two_factor_pb2.FinishChallengeRequest(
                challenge_token=token,
                challenge_binding=binding,
                second_factor=sign_in_pb2.SecondFactor(totp_code=code),
                client=client,
            )
            requests.append(request.SerializeToString())
        columns = (
            "ticket_id realm_id purpose subject handle_hash binding_hash account_id epoch device_id client_id payload "
            "create_time expire_time"
        )
        async with self._world.pool.acquire() as connection:
            await seeding.copy(connection, "tickets", columns, tickets)  # type: ignore[arg-type]
            # As autovacuum would in a service, whose tickets do not come by the thousand in a moment: on a table that
            # it believes to be empty, PostgreSQL may look through all that has not expired.
            await connection.execute("ANALYZE tickets")
        return Calls(FINISH, requests), expected

    def sign_in(self, count: int) -> tuple[Calls, Expected]:
        """SignIn with a password; one in ten wrong, one in ten from an unknown device."""
        expected, requests = Expected(), []
        for number, user in enumerate(self._open(self._plain, count)):
            wrong = number % WRONG_EVERY == 0
            client = self._client(user if number % STRANGE_EVERY != 5 else None, wrong=wrong)
            requests.append(self._sign_in(user, client, wrong=wrong))
            self._note(user, expected, "wrong_password" if wrong else "signed_in", known=bool(client.device_token))
        return Calls(SIGN_IN, requests), expected

    def sign_in_with_code(self, count: int) -> tuple[Calls, Expected]:
        """SignIn with password and code in one call; one in twenty a wrong password, one in twenty a wrong code."""
        expected, requests = Expected(), []
        step = otp.step_at(datetime.now(UTC))
        for number, user in enumerate(self._open(self._guarded, count)):
            wrong_code, wrong_password = number % (2 * WRONG_EVERY) == 0, number % (2 * WRONG_EVERY) == WRONG_EVERY
            client = self._client(user if number % STRANGE_EVERY != 5 else None, wrong=wrong_code or wrong_password)
            if wrong_password:
                requests.append(self._sign_in(user, client, wrong=True, code="000000"))
                self._note(user, expected, "wrong_password", known=bool(client.device_token))
                continue
            code = self._code(user, step, wrong=wrong_code, expected=expected)
            if code is None:
                continue
            requests.append(self._sign_in(user, client, wrong=False, code=code))
            if not wrong_code and client.device_token:
                user.generation += 1
        return Calls(SIGN_IN, requests), expected

    def _open(self, users: Iterator[User], count: int) -> Iterator[User]:
        """Accounts in turn, without those that have failed so often that one more failure would close them."""
        return itertools.islice((user for user in users if user.wrong < _CLOSED_AFTER), count)

    def _sign_in(self, user: User, client: sign_in_pb2.ClientContext, *, wrong: bool, code: str = "") -> bytes:
        return account_pb2.SignInRequest(
            email=user.email,
            password=PASSWORD + "?" if wrong else PASSWORD,
            second_factor=sign_in_pb2.SecondFactor(totp_code=code) if code else None,
            client=client,
        ).SerializeToString()

    def _client(self, user: User | None, *, wrong: bool) -> sign_in_pb2.ClientContext:
        # Failures of one network are counted: each wrong secret comes from another.
        return sign_in_pb2.ClientContext(
            ip_address=next(self._addresses) if wrong else _USUAL_ADDRESS,
            user_agent="Bench/1.0",
            device_token=self._world.device_token(user) if user is not None else "",
        )

    def _note(self, user: User, expected: Expected, kind: str, *, known: bool) -> None:
        right = kind == "signed_in"
        expected.events[user.account_id, kind] += 1
        expected.codes["OK" if right else "Unauthenticated"] += 1
        if not right:
            user.wrong += 1
        elif known:
            user.generation += 1

    def _code(self, user: User, step: int, *, wrong: bool, expected: Expected) -> str | None:
        """A code that is wrong, or the next one that is right and unused; None where there is no such code now."""
        if wrong:
            if user.wrong >= _CLOSED_AFTER:
                return None
            near = {otp.totp_code(user.seed, step + n) for n in range(-3, 5)}
            user.wrong += 1
            expected.events[user.account_id, "wrong_code"] += 1
            expected.codes["Unauthenticated"] += 1
            return next(code for code in (f"{n:06}" for n in range(100)) if code not in near)
        chosen = max(step, user.step + 1)
        if chosen > step + 1:
            return None
        user.step = expected.steps[user.account_id] = chosen
        expected.events[user.account_id, "signed_in"] += 1
        expected.codes["OK"] += 1
        return otp.totp_code(user.seed, chosen)

    def _ticket(self, user: User, token_hash: bytes, binding_hash: bytes) -> seeding.Row:
        now, ticket_id = datetime.now(UTC), uuid7()
        payload = {
            "audience": "twofold",
            "auth_time": now.isoformat(),
            "generation": user.generation,
            "ip_address": _USUAL_ADDRESS,
            "user_agent": "Bench/1.0",
        }
        place = challenge_place(REALM, user.account_id, ticket_id)
        return (
            ticket_id, REALM, "challenge", str(user.account_id), token_hash, binding_hash, user.account_id, 1,
            user.device_id, CLIENT, self._world.keyring.seal(json.dumps(payload).encode(), place),
            now, now + timedelta(minutes=10),
        )  # fmt: skip

    def some_sessions(self, count: int) -> list[Live]:
        """So many sessions, each once as long as there are enough."""
        found = self._world.sessions
        return [found[number % len(found)] for number in range(count)]
