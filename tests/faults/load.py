"""Sign-ups and sign-ins under way while something is killed, and a record of what was acknowledged."""

from __future__ import annotations

import asyncio
import email
import email.policy
import itertools
import random
from collections import Counter
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path

from tests.service import PASSWORD, User, tokens_in
from twofold import Client, TwofoldError, Unavailable
from twofold.v1 import account_pb2, sign_in_pb2

_numbers = itertools.count(1)
_MAIL_SECONDS = 5.0
_DEADLINE = 5.0


@dataclass
class Acknowledged:
    """What callers were told has been done, and what they were told that no fault explains."""

    accounts: list[str] = field(default_factory=list)
    sign_ups: list[str] = field(default_factory=list)
    sessions: dict[str, str] = field(default_factory=dict)
    """Access tokens by session."""
    codes: Counter[str] = field(default_factory=Counter)
    """How often each backup code was accepted."""
    wrong: list[str] = field(default_factory=list)
    interrupted: int = 0
    """Calls that ended with UNAVAILABLE: done or not, nobody knows."""

    @property
    def count(self) -> int:
        return len(self.sessions) + len(self.accounts)


class Load:
    """Runs until told to stop. Users with backup codes sign in with one after the other, those without all the time."""

    def __init__(self, address: str, sent: Path, done: Acknowledged) -> None:
        self._address = address
        self._sent = sent
        self.done = done
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """End it after the calls under way."""
        self._stopped.set()

    async def run(self, users: list[User], sign_ups: int) -> None:
        """Sign users in, and so many new ones up at a time."""
        async with Client(self._address, retries=0) as client, asyncio.TaskGroup() as group:
            for number, user in enumerate(users):
                group.create_task(self._sign_in_all_the_time(client, user, f"192.0.2.{number + 1}"))
            for number in range(sign_ups):
                group.create_task(self._sign_up_all_the_time(client, f"198.51.100.{number + 1}"))

    async def _sign_in_all_the_time(self, client: Client, user: User, address: str) -> None:
        if not user.backup_codes:
            while not self._stopped.is_set():
                await self._sign_in(client, user, address, "")
                await asyncio.sleep(0.1)
        for code in user.backup_codes:
            if self._stopped.is_set():
                return
            if await self._sign_in(client, user, address, code):
                # What a person does; it must not work twice, and may have worked once.
                await self._sign_in(client, user, address, code, may_be_spent=True)
            await asyncio.sleep(random.uniform(0.5, 3.0))

    async def _sign_in(
        self, client: Client, user: User, address: str, code: str, *, may_be_spent: bool = False
    ) -> bool:
        """Sign in, with a backup code where one is given; whether it is unknown if it was done."""
        request = account_pb2.SignInRequest(
            email=user.email,
            password=user.password,
            second_factor=sign_in_pb2.SecondFactor(backup_code=code) if code else None,
            client=sign_in_pb2.ClientContext(ip_address=address),
        )
        try:
            answer = await client.accounts.SignIn(request, timeout=_DEADLINE)
        except Unavailable:
            self.done.interrupted += 1
            await asyncio.sleep(0.1)
            return True
        except TwofoldError as error:
            if not (may_be_spent and error.reason == "INVALID_SECOND_FACTOR"):
                self.done.wrong.append(f"SignIn: {error!r}")
            return False
        if code:
            self.done.codes[f"{user.email} {code}"] += 1
        self.done.sessions[answer.signed_in.session.session_id] = answer.signed_in.tokens.access_token
        return False

    async def _sign_up_all_the_time(self, client: Client, address: str) -> None:
        context = sign_in_pb2.ClientContext(ip_address=address)
        while not self._stopped.is_set():
            name = f"loaded{next(_numbers)}@example.org"
            try:
                claim = await client.accounts.SignUp(
                    account_pb2.SignUpRequest(email=name, password=PASSWORD, client=context), timeout=_DEADLINE
                )
                self.done.sign_ups.append(name)
                if token := await self._link_of(name):
                    await client.accounts.ActivateAccount(
                        account_pb2.ActivateAccountRequest(
                            activation_token=token, sign_up_binding=claim.sign_up_binding, client=context
                        ),
                        timeout=_DEADLINE,
                    )
                    self.done.accounts.append(name)
            except Unavailable:
                self.done.interrupted += 1
                await asyncio.sleep(0.1)
            except TwofoldError as error:
                self.done.wrong.append(f"sign-up: {error!r}")

    async def _link_of(self, name: str) -> str:
        """The token of the link that an address was mailed; empty where it takes long: its sender was killed."""
        ends = asyncio.get_running_loop().time() + _MAIL_SECONDS
        while asyncio.get_running_loop().time() < ends and not self._stopped.is_set():
            for path in self._sent.glob("*.eml"):
                content = path.read_bytes()
                if f"To: {name}".encode() in content:
                    message = email.message_from_bytes(content, policy=email.policy.default)
                    assert isinstance(message, EmailMessage)
                    return tokens_in([message])[-1]
            await asyncio.sleep(0.1)
        return ""
