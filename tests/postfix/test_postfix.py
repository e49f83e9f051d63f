"""Mail through a real Postfix with STARTTLS: what it takes arrives, and what it answers is understood."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from uuid_utils.compat import uuid7

from tests.integration.test_smtp import Relay
from tests.postfix.postfix import Postfix
from tests.service import PASSWORD, settings_for, tokens_in
from twofold.v1 import account_pb2, account_pb2_grpc, sign_in_pb2
from twofold_server.app import build as build_app
from twofold_server.delivery.mail import Mail, PermanentFailure, TemporaryFailure, build
from twofold_server.delivery.smtp import SmtpSender, SmtpServer


def mail(to: str, text: str = "Hello\n") -> Mail:
    """A mail of its own id."""
    now = datetime.now(UTC)
    return build(
        outbox_id=uuid7(),
        template="activation",
        create_time=now,
        now=now,
        sender="no-reply@twofold.test",
        sender_name="Example",
        to=to,
        subject="A subject, žluťoučký",
        text=text,
        html=f"<p>{text}</p>",
    )


def server(postfix: Postfix) -> SmtpServer:
    """Postfix as a relay, by a name that its certificate is for."""
    return SmtpServer("localhost", postfix.port, "starttls", ca_file=postfix.ca_file, timeout_seconds=15)


async def arrived(relay: Relay, to: str) -> list[EmailMessage]:
    """What came out of Postfix for an address, as soon as there is something, within 15 s."""
    async with asyncio.timeout(15):
        while not any(to in envelope.rcpt_tos for envelope in relay.envelopes):
            await asyncio.sleep(0.05)
    found = []
    for envelope in relay.envelopes:
        if to in envelope.rcpt_tos:
            assert isinstance(envelope.content, bytes)
            message = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(message, EmailMessage)
            found.append(message)
    return found


async def test_a_mail_goes_through_encrypted_and_unchanged(postfix: Postfix, relay: Relay) -> None:
    """Postfix says that it came by TLS; headers, both texts and lines that begin with a full stop are as they were."""
    sent = mail("ada@example.org", "Grüße, ada\n.\nend\n" + "x" * 900 + "\n")
    await SmtpSender(server(postfix)).send(sent)
    (found,) = await arrived(relay, "ada@example.org")
    assert "with ESMTPS" in str(found["Received"])
    assert found["Message-ID"] == sent.message["Message-ID"]
    assert found["Subject"] == "A subject, žluťoučký"
    assert found["Auto-Submitted"] == "auto-generated"
    for kind in ("plain", "html"):
        was, came = sent.message.get_body((kind,)), found.get_body((kind,))
        assert was is not None and came is not None
        assert came.get_content().replace("\r\n", "\n") == was.get_content().replace("\r\n", "\n")


async def test_a_certificate_of_nobody_known_is_refused(postfix: Postfix, relay: Relay) -> None:
    """Without its authority, or by a name that it is not for: no mail leaves."""
    stranger = replace(server(postfix), ca_file=None)
    with pytest.raises(TemporaryFailure, match="certificate is not trusted"):
        await SmtpSender(stranger).send(mail("bob@example.org"))
    assert not [envelope for envelope in relay.envelopes if "bob@example.org" in envelope.rcpt_tos]


async def test_a_relay_that_demands_tls_is_a_setting_to_mend(postfix: Postfix) -> None:
    """530 says nothing of the mail: it waits until somebody has set `starttls`, and is not a dead letter."""
    plain = SmtpServer("127.0.0.1", postfix.port, "none", timeout_seconds=15)
    with pytest.raises(TemporaryFailure, match=r"530 5\.7\.0$") as caught:
        await SmtpSender(plain).send(mail("ada@example.org"))
    assert caught.value.down
    assert not caught.value.uncertain


async def test_what_postfix_says_of_a_recipient(postfix: Postfix) -> None:
    """Its greylisting passes, its unknown user does not; of its words the codes alone are kept."""
    with pytest.raises(TemporaryFailure, match=r"^smtp recipient refused: 450 4\.2\.0$") as grey:
        await SmtpSender(server(postfix)).send(mail("grey@example.org"))
    assert not grey.value.uncertain
    with pytest.raises(PermanentFailure, match=r"^smtp recipient refused: 550 5\.1\.1$"):
        await SmtpSender(server(postfix)).send(mail("nobody@example.org"))


async def test_a_hundred_mails_at_once_arrive_once_each(postfix: Postfix, relay: Relay) -> None:
    """Each over a connection of its own, eight at a time, as the worker sends."""
    sender, places = SmtpSender(server(postfix)), asyncio.Semaphore(8)

    async def send(number: int) -> None:
        async with places:
            await sender.send(mail(f"many{number}@example.org"))

    await asyncio.gather(*(send(number) for number in range(100)))
    for number in range(100):
        assert len(await arrived(relay, f"many{number}@example.org")) == 1


async def test_a_sign_up_by_a_link_that_postfix_carried(
    postfix: Postfix, relay: Relay, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server as an operator sets it up: the mail comes by STARTTLS, and its link makes the account."""
    monkeypatch.setenv("SSL_CERT_FILE", str(postfix.ca_file))
    settings = settings_for(
        database,
        tmp_path,
        mail_directory=None,
        smtp_host="localhost",
        smtp_port=postfix.port,
        mail_from="no-reply@twofold.test",
    )
    app = await build_app(settings, clock=lambda: datetime.now(UTC))
    client = sign_in_pb2.ClientContext(ip_address="192.0.2.7")
    async with app.serving(), grpc.aio.insecure_channel(f"127.0.0.1:{app.ports[0]}") as channel:
        stub: Any = account_pb2_grpc.AccountServiceStub(channel)
        claim = await stub.SignUp(account_pb2.SignUpRequest(email="new@example.org", password=PASSWORD, client=client))
        (token,) = tokens_in(await arrived(relay, "new@example.org"))
        activated = await stub.ActivateAccount(
            account_pb2.ActivateAccountRequest(
                activation_token=token, sign_up_binding=claim.sign_up_binding, client=client
            )
        )
    assert activated.account.email == "new@example.org"
