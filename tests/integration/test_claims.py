"""Claims of an address: who proves the mailbox has it, and what strangers claimed is worth nothing."""

from __future__ import annotations

import re
from typing import Any

from tests.integration.budgets import outcome
from tests.service import PASSWORD, Service, User, refused, tokens_in
from twofold.v1 import account_pb2, sign_in_pb2

ADDRESS = "ada@example.org"
STRANGERS_PASSWORD = "strangers own password 5"


async def new_link(service: Service, seen: set[str]) -> str:
    """The one link that came since the last look."""
    (link,) = set(tokens_in(await service.mails(ADDRESS))) - seen
    seen.add(link)
    return link


async def activate(service: Service, link: str, **proof: str) -> account_pb2.ActivateAccountResponse:
    """Activate with a link and one proof."""
    given: dict[str, Any] = dict(proof)
    return await service.accounts.ActivateAccount(
        account_pb2.ActivateAccountRequest(activation_token=link, client=service.client, **given)
    )


async def test_the_first_registrant_keeps_nothing_once_the_owner_has_verified(service: Service) -> None:
    """With a password of their own the owner throws away what was claimed: password, name, binding (supabase#29347)."""
    stranger = await service.sign_up(ADDRESS, STRANGERS_PASSWORD, display_name="Mallory", language_code="de")
    link = await service.link_token(ADDRESS)
    activated = await activate(service, link, new_password=PASSWORD)
    assert activated.account.display_name == ""
    assert activated.account.language_code == ""
    assert await outcome(service.sign_in(User(ADDRESS, STRANGERS_PASSWORD))) == "INVALID_CREDENTIALS"
    with refused("TICKET_NOT_FOUND", "activation_token"):
        await activate(service, link, sign_up_binding=stranger.sign_up_binding)
    assert await outcome(service.sign_in(User(ADDRESS))) == "signed_in"


async def test_the_link_of_somebody_elses_claim_never_takes_over_that_claims_password(service: Service) -> None:
    """The owner who signed up too and opens the stranger's link gets nothing by their own binding or password."""
    seen: set[str] = set()
    await service.sign_up(ADDRESS, STRANGERS_PASSWORD)
    strangers_link = await new_link(service, seen)
    own = await service.sign_up(ADDRESS)
    own_link = await new_link(service, seen)
    with refused("TICKET_NOT_FOUND", "activation_token"):
        await activate(service, strangers_link, sign_up_binding=own.sign_up_binding)
    with refused("INVALID_CREDENTIALS"):
        await activate(service, strangers_link, password=PASSWORD)
    await activate(service, own_link, sign_up_binding=own.sign_up_binding)
    # The other claims ended with it.
    for proof in ({"password": STRANGERS_PASSWORD}, {"new_password": STRANGERS_PASSWORD}):
        with refused("TICKET_NOT_FOUND", "activation_token"):
            await activate(service, strangers_link, **proof)
    assert await outcome(service.sign_in(User(ADDRESS, STRANGERS_PASSWORD))) == "INVALID_CREDENTIALS"
    assert await outcome(service.sign_in(User(ADDRESS))) == "signed_in"


async def test_a_link_opened_on_another_device_spends_nothing(service: Service) -> None:
    """A mail scanner or another browser without the binding leaves it good for the device that asked."""
    claim = await service.sign_up(ADDRESS)
    link = await service.link_token(ADDRESS)
    other = await service.sign_up("other@example.org")
    for _ in range(7):
        with refused("TICKET_NOT_FOUND", "activation_token"):
            await activate(service, link, sign_up_binding=other.sign_up_binding)
    with refused("INVALID_FIELDS", "new_password"):
        await activate(service, link, new_password="password1")
    assert (await activate(service, link, sign_up_binding=claim.sign_up_binding)).account.email == ADDRESS


async def test_a_link_takes_five_wrong_passwords(service: Service) -> None:
    """Then it is no link any more, also for the right password; the owner signs up again."""
    await service.sign_up(ADDRESS)
    link = await service.link_token(ADDRESS)
    for _ in range(5):
        with refused("INVALID_CREDENTIALS"):
            await activate(service, link, password=STRANGERS_PASSWORD)
    with refused("TICKET_NOT_FOUND", "activation_token"):
        await activate(service, link, password=PASSWORD)


async def test_the_owners_link_works_however_often_a_stranger_signs_up(service: Service) -> None:
    """Claims stand side by side; the fourth and further ones get the same answer, and no mail."""
    seen: set[str] = set()
    own = await service.sign_up(ADDRESS)
    own_link = await new_link(service, seen)
    for _ in range(12):
        answer = await service.sign_up(ADDRESS, STRANGERS_PASSWORD)
        assert len(answer.sign_up_binding) == len(own.sign_up_binding)
        assert answer.resend_time == own.resend_time
    assert len(set(tokens_in(await service.mails(ADDRESS)))) == 3
    await activate(service, own_link, sign_up_binding=own.sign_up_binding)
    assert await outcome(service.sign_in(User(ADDRESS))) == "signed_in"


async def test_the_owner_has_the_address_also_where_strangers_hold_every_claim(service: Service) -> None:
    """Three claims of strangers leave no place for a fourth, but the mailbox is proof enough for a new password."""
    for _ in range(5):
        await service.sign_up(ADDRESS, STRANGERS_PASSWORD)
    await service.sign_up(ADDRESS)
    link = tokens_in(await service.mails(ADDRESS))[-1]
    await activate(service, link, new_password=PASSWORD)
    assert await outcome(service.sign_in(User(ADDRESS))) == "signed_in"


async def test_an_address_that_has_an_account_is_not_taken_over_by_a_claim(service: Service) -> None:
    """A claim of it is answered alike and mailed without a link; one of before it existed is ended."""
    seen: set[str] = set()
    await service.sign_up(ADDRESS, STRANGERS_PASSWORD)
    old_link = await new_link(service, seen)
    own = await service.sign_up(ADDRESS)
    await activate(service, await new_link(service, seen), sign_up_binding=own.sign_up_binding)
    with refused("TICKET_NOT_FOUND", "activation_token"):
        await activate(service, old_link, password=STRANGERS_PASSWORD)
    await service.sign_up(ADDRESS, STRANGERS_PASSWORD)
    assert set(tokens_in(await service.mails(ADDRESS))) == seen
    assert await outcome(service.sign_in(User(ADDRESS))) == "signed_in"


async def test_a_claim_ends_after_two_days(service: Service) -> None:
    """To the second, and its place is free for another."""
    claim = await service.sign_up(ADDRESS)
    link = await service.link_token(ADDRESS)
    service.clock.advance(2 * 86400)
    with refused("TICKET_NOT_FOUND", "activation_token"):
        await activate(service, link, sign_up_binding=claim.sign_up_binding)
    seen = {link}
    again = await service.sign_up(ADDRESS)
    await activate(service, await new_link(service, seen), sign_up_binding=again.sign_up_binding)


async def test_links_lead_to_the_realms_front_end_whatever_host_a_caller_sends(service: Service) -> None:
    """Host, forwarded host, origin and authority of a request stand in no mail (CVE-2023-49097)."""
    evil = "evil.example"
    await service.accounts.SignUp(
        account_pb2.SignUpRequest(
            email=ADDRESS,
            password=PASSWORD,
            client=sign_in_pb2.ClientContext(ip_address="192.0.2.7", user_agent=f"https://{evil}/"),
        ),
        metadata=(
            ("x-forwarded-host", evil),
            ("x-forwarded-proto", "http"),
            ("forwarded", f"host={evil}"),
            ("origin", f"https://{evil}"),
            ("referer", f"https://{evil}/"),
            ("host", evil),
        ),
    )
    (mail,) = await service.mails(ADDRESS)
    text = "".join(part.get_content() for part in mail.walk() if part.get_content_maintype() == "text")
    assert evil not in text
    links = re.findall(r"https?://[^\s\"'<>]+", text)
    assert links
    assert all(link.startswith("http://localhost:3000/") for link in links)
