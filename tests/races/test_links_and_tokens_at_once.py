"""Links and refresh tokens used at once over two servers: one account, one successor, and nobody's link is lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial

from tests.races.gates import admitted, outcome, tally
from tests.service import PASSWORD, Service, seed_of, tokens_in
from twofold.v1 import account_pb2, session_pb2, two_factor_pb2
from twofold_server.crypto import otp

Services = tuple[Service, Service]


async def test_of_100_activations_of_one_link_one_makes_the_account(two_services: Services) -> None:
    """A link is good once (CVE-2022-23555)."""
    one, _ = two_services
    claim = await one.sign_up("ada@example.org")
    request = account_pb2.ActivateAccountRequest(
        activation_token=await one.link_token("ada@example.org"),
        sign_up_binding=claim.sign_up_binding,
        client=one.client,
    )
    came_to = await tally(partial(s.accounts.ActivateAccount, request) for s in two_services for _ in range(50))
    assert came_to == {"done": 1, "TICKET_NOT_FOUND": 99}
    assert await one.app.pool.fetchval("SELECT count(*) FROM accounts") == 1


async def test_competing_claims_activated_at_once_make_one_account(two_services: Services) -> None:
    """Three claims of one address, each with its own link: the first to commit has it, the others nothing."""
    one, other = two_services
    for number in range(4):
        address = f"ada{number}@example.org"
        requests, seen = [], set[str]()
        for n in range(3):
            claim = await one.sign_up(address, f"{PASSWORD} {n}")
            (link,) = set(tokens_in(await one.mails(address))) - seen
            seen.add(link)
            requests.append(
                account_pb2.ActivateAccountRequest(
                    activation_token=link, sign_up_binding=claim.sign_up_binding, client=one.client
                )
            )
        came_to = await asyncio.gather(
            *[outcome(s.accounts.ActivateAccount(r)) for s, r in zip((one, other, one), requests, strict=True)]
        )
        # None waits for another that waits for it: that would end as CHANGED_MEANWHILE, a second later.
        assert Counter(came_to) == {"done": 1, "TICKET_NOT_FOUND": 2}


async def test_many_sign_ups_of_one_address_at_once_are_answered_alike(two_services: Services) -> None:
    """None is told that others try: competing sign-ups stand side by side, three of them with a link."""
    came_to = Counter(
        await asyncio.gather(*[outcome(s.sign_up("ada@example.org")) for s in two_services for _ in range(5)])
    )
    # Five of one address at a time are hashed for: a sixth may find the queue closed.
    assert came_to == {"done": 10}
    assert len(set(tokens_in(await two_services[0].mails("ada@example.org")))) == 3


async def test_50_refreshes_of_one_token_on_two_servers_have_one_successor(two_services: Services) -> None:
    """Racing refreshes are all given the same refresh token, and it is the one that counts."""
    one, _ = two_services
    user = await one.signed_in_user()
    request = session_pb2.RefreshSessionRequest(refresh_token=user.tokens.refresh_token)
    responses = await asyncio.gather(*[s.sessions.RefreshSession(request) for s in two_services for _ in range(25)])
    assert len({r.tokens.refresh_token for r in responses}) == 1
    successor = session_pb2.RefreshSessionRequest(refresh_token=responses[0].tokens.refresh_token)
    assert (await one.sessions.RefreshSession(successor)).session.session_id == user.session.session_id


async def test_an_enrolment_finished_many_times_at_once_enrols_one_factor(two_services: Services) -> None:
    """One ticket, one factor, one set of backup codes."""
    one, _ = two_services
    user = await one.signed_in_user()
    begun = await one.two_factor.BeginEnrollment(
        two_factor_pb2.BeginEnrollmentRequest(totp=two_factor_pb2.TotpEnrollment()), metadata=user.metadata
    )
    seed = seed_of(begun.totp.secret)
    request = two_factor_pb2.FinishEnrollmentRequest(
        enrollment_token=begun.enrollment_token,
        totp_code=otp.totp_code(seed, otp.step_at(one.clock())),
        reauthentication=user.reauthentication,
        client=one.client,
    )
    came_to = await asyncio.gather(
        *[admitted(partial(s.two_factor.FinishEnrollment, request, metadata=user.metadata)) for s in two_services * 5]
    )
    assert Counter(came_to)["signed_in"] == 1
    assert set(came_to) == {"signed_in", "TICKET_NOT_FOUND"}
    assert await one.app.pool.fetchval("SELECT count(*) FROM factors") == 1
    assert await one.app.pool.fetchval("SELECT count(*) FROM backup_codes") == 10
