"""A recent proof that stands for a code, while the account gets a stronger factor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.integration.test_sent_codes import WAYS, enrolled, started
from tests.races.gates import held_after_hash, outcome
from tests.service import Service, User
from twofold.v1 import account_pb2, two_factor_pb2

MAIL = WAYS[0]


def disable(service: Service, user: User) -> Awaitable[Any]:
    """Turn two-factor off by the password and what the session has just proven."""
    return service.two_factor.DisableTwoFactor(
        two_factor_pb2.DisableTwoFactorRequest(reauthentication=user.reauthentication, client=service.client),
        metadata=service.with_session(user),
    )


def delete(service: Service, user: User) -> Awaitable[Any]:
    """Delete the account by the same."""
    return service.accounts.DeleteAccount(
        account_pb2.DeleteAccountRequest(reauthentication=user.reauthentication, client=service.client),
        metadata=service.with_session(user),
    )


@pytest.mark.parametrize("call", [disable, delete])
async def test_a_weak_proof_takes_away_no_factor_that_came_during_the_hash(
    service: Service, call: Callable[[Service, User], Awaitable[Any]]
) -> None:
    """Whoever has the password and the mailbox races the owner who enrols an app, and loses."""
    owner = await enrolled(service, MAIL)
    service.clock.advance(61)
    intruder = User(owner.email, owner.password)
    challenge, code = await started(service, intruder, MAIL)
    await service.finish_challenge(intruder, challenge, MAIL.factor(code))
    async with held_after_hash(service, lambda: outcome(call(service, intruder))) as attempt:
        await service.enrol(owner)
    assert await attempt == "CHANGED_MEANWHILE"
    assert await outcome(call(service, intruder)) == "SECOND_FACTOR_REQUIRED"
    assert await service.is_live(owner)
