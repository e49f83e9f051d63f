"""Phones that watch while workers are renewed or killed: what was asked is shown again, answered, and signs in."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tests.e2e.conftest import Launch
from tests.e2e.program import Program
from tests.e2e.workers import all_serve, beforehand, serving_workers, settings_of, until
from tests.integration.phones import gateway, pair
from tests.service import User
from twofold import Approver, ApproverIdentity, Client, Unavailable
from twofold.v1 import account_pb2, sign_in_pb2, two_factor_pb2

_SECONDS = 30
_HERE = sign_in_pb2.ClientContext(ip_address="192.0.2.7", user_agent="Firefox/130.0")


async def asked(client: Client, user: User) -> tuple[sign_in_pb2.SecondFactorChallenge, str]:
    """A sign-in that waits for the phone, and the number that its screen shows."""
    request = account_pb2.SignInRequest(email=user.email, password=user.password, client=_HERE)
    challenge = (await client.accounts.SignIn(request)).challenge
    started = await client.two_factor.StartChallenge(
        two_factor_pb2.StartChallengeRequest(
            challenge_token=challenge.challenge_token,
            challenge_binding=challenge.challenge_binding,
            push=two_factor_pb2.PushChallenge(place="Brno, Czechia"),
        )
    )
    return challenge, started.push.number


async def asked_until_it_works(client: Client, user: User) -> tuple[sign_in_pb2.SecondFactorChallenge, str]:
    """The same of a user who tries again while nobody serves: sign-ins are not repeated by the client itself."""
    while True:
        try:
            return await asked(client, user)
        except Unavailable:
            await asyncio.sleep(0.1)


class Watching:
    """A phone that comes back whenever its stream breaks, and what it was shown."""

    def __init__(self, phone: Approver) -> None:
        self.phone = phone
        self.streams = 0
        self.broken = 0
        self.open: set[str] = set()

    async def run(self) -> None:
        """Watch until cancelled. What is open comes first on each stream."""
        while True:
            first = True
            try:
                async for message in self.phone.watch():
                    shown = {request.request_id for request in message.opened}
                    self.open = shown if first else (self.open | shown) - {end.request_id for end in message.ended}
                    self.streams, first = self.streams + first, False
            except Unavailable:
                self.broken += 1
                await asyncio.sleep(0.05)


async def waited(client: Client, challenge: sign_in_pb2.SecondFactorChallenge) -> int:
    """How the request of a challenge ends, as the screen that waits is told it, whoever tells it."""
    request = two_factor_pb2.WatchChallengeRequest(
        challenge_token=challenge.challenge_token, challenge_binding=challenge.challenge_binding
    )
    while True:
        try:
            async for message in client.two_factor.WatchChallenge(request):
                if message.state != two_factor_pb2.APPROVAL_STATE_OPEN:
                    return int(message.state)
        except Unavailable:
            await asyncio.sleep(0.05)


async def restarted(program: Program, how: str) -> None:
    """Put new workers in the place of all that serve."""
    before = serving_workers(program)
    if how == "renewed":
        program.tell(signal.SIGHUP)
    else:
        for worker in before:
            os.kill(worker, signal.SIGKILL)
    await until(lambda: len(serving_workers(program) - before) == len(before), "all workers are new ones", _SECONDS)


@pytest.mark.parametrize("how", ["renewed", "killed"])
async def test_a_restart_of_every_worker_loses_no_request(
    launch: Launch, database: str, tmp_path: Path, how: str
) -> None:
    """Asked before and during the restart: the phone is shown both on its next stream, the screens that wait are told,
    and both sign-ins are finished.
    """
    async with beforehand(database, tmp_path) as service, gateway(service) as client:
        user = await service.signed_in_user()
        identity: ApproverIdentity = (await pair(service, client, user)).identity
    program = await launch(settings_of(database, tmp_path, 2))
    await all_serve(program, 2)
    async with Client(program.address, retries=5) as front, Client(program.address, retries=5) as carrier:
        watching = Watching(Approver(carrier, identity))
        task = asyncio.create_task(watching.run())
        await until(lambda: watching.streams == 1, "the phone watches", _SECONDS)
        first, first_number = await asked(front, user)
        screens = [asyncio.create_task(waited(front, first))]
        await until(lambda: len(watching.open) == 1, "the phone is shown the first", _SECONDS)
        (first_id,) = watching.open

        restart = asyncio.create_task(restarted(program, how))
        await until(lambda: watching.broken > 0, "the phone's stream has ended", _SECONDS)
        second, second_number = await asked_until_it_works(front, user)
        screens.append(asyncio.create_task(waited(front, second)))
        await restart
        await until(lambda: len(watching.open) == 2, "the phone is shown both", _SECONDS)

        for request_id in sorted(watching.open):
            number = first_number if request_id == first_id else second_number
            await watching.phone.approve(request_id, number)
        async with asyncio.timeout(_SECONDS):
            assert await asyncio.gather(*screens) == [two_factor_pb2.APPROVAL_STATE_APPROVED] * 2
        for challenge in (first, second):
            finished = await front.two_factor.FinishChallenge(
                two_factor_pb2.FinishChallengeRequest(
                    challenge_token=challenge.challenge_token,
                    challenge_binding=challenge.challenge_binding,
                    second_factor=sign_in_pb2.SecondFactor(push=sign_in_pb2.PushProof()),
                    client=_HERE,
                )
            )
            assert finished.signed_in.session.aal == 2
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
