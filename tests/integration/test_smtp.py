"""Handing mails to an SMTP server, over a real socket."""

import asyncio
import contextlib
import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from twofold_server.delivery.failover import FailOver, Provider
from twofold_server.delivery.mail import Mail, PermanentFailure, TemporaryFailure, build
from twofold_server.delivery.smtp import SmtpSender, SmtpServer

NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)
ID = UUID("01890000-0000-7000-8000-000000000001")


def mail(to: str = "ada@example.org", text: str = "Hello\n") -> Mail:
    """A small mail."""
    return build(
        outbox_id=ID,
        template="activation",
        create_time=NOW,
        now=NOW,
        sender="no-reply@twofold.test",
        sender_name="Example",
        to=to,
        subject="A subject",
        text=text,
        html=f"<p>{text}</p>",
    )


class Relay:
    """What a test's server was handed, and what it is to answer."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.encrypted: list[bool] = []
        self.logins: list[str] = []
        self.answers: dict[str, str] = {}

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take the recipient, or answer as told."""
        if answer := self.answers.get("RCPT"):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_MAIL(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take the sender, or answer as told."""
        if answer := self.answers.get("MAIL"):
            return answer
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:
        """Take the mail, or answer as told."""
        if answer := self.answers.get("DATA"):
            return answer
        self.envelopes.append(envelope)
        self.encrypted.append(session.ssl is not None)
        return "250 OK"

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: LoginPassword
    ) -> AuthResult:
        """Know one user."""
        self.logins.append(data.login.decode())
        return AuthResult(success=(data.login, data.password) == (b"twofold", b"right"), handled=False)


@contextlib.asynccontextmanager
async def listening(factory: Callable[[], asyncio.Protocol], tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve on a free port of loopback."""
    server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


def smtp(relay: Relay, **options: Any) -> Callable[[], asyncio.Protocol]:
    """A server's protocol with these options."""

    def protocol() -> asyncio.Protocol:
        with warnings.catch_warnings():
            # aiosmtpd warns of what a test of plaintext on loopback is about.
            warnings.simplefilter("ignore")
            return SMTP(relay, hostname="relay.test", loop=asyncio.get_running_loop(), **options)

    return protocol


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-made certificate for 127.0.0.1, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(hours=1))
        .not_valid_after(datetime.now(UTC) + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "relay.pem"
    file.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return file


@pytest.fixture
def context(certificate: Path) -> ssl.SSLContext:
    """The server's side of TLS."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate)
    return made


def server(port: int) -> SmtpServer:
    """Where the test's server listens, spoken to in plaintext."""
    return SmtpServer("127.0.0.1", port, "none", local_hostname="twofold.test", timeout_seconds=5)


async def test_a_mail_arrives_as_it_was_built() -> None:
    """Envelope, headers and both texts reach the server; the same message twice is byte for byte the same."""
    relay = Relay()
    async with listening(smtp(relay)) as port:
        for _ in range(2):
            await SmtpSender(server(port)).send(mail(text="Grüße, ada\n.\nend\n"))
    first, second = relay.envelopes
    assert (first.mail_from, first.rcpt_tos) == ("no-reply@twofold.test", ["ada@example.org"])
    assert first.content == second.content
    assert isinstance(first.content, bytes)
    found = message_from_bytes(first.content, policy=policy.default)
    assert found["Message-ID"] == f"<{ID}@twofold.test>"
    body = found.get_body(("plain",))
    assert body is not None
    assert body.get_content().replace("\r\n", "\n") == "Grüße, ada\n.\nend\n"


async def test_starttls_with_login(context: ssl.SSLContext, certificate: Path) -> None:
    """With STARTTLS the mail and the login go encrypted, to a server whose certificate was verified."""
    relay = Relay()
    factory = smtp(
        relay, tls_context=context, require_starttls=True, authenticator=relay.authenticate, auth_required=True
    )
    async with listening(factory) as port:
        sender = SmtpSender(
            replace(server(port), security="starttls", ca_file=certificate, username="twofold", password="right")
        )
        await sender.send(mail())
    assert relay.encrypted == [True]
    assert relay.logins == ["twofold"]


async def test_tls_from_the_first_byte(context: ssl.SSLContext, certificate: Path) -> None:
    """With implicit TLS the mail arrives encrypted."""
    relay = Relay()
    async with listening(smtp(relay), context) as port:
        await SmtpSender(replace(server(port), security="tls", ca_file=certificate)).send(mail())
    assert len(relay.envelopes) == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_certificate_that_nobody_vouches_for_is_refused(
    context: ssl.SSLContext, security: Literal["starttls", "tls"]
) -> None:
    """No mail goes to a server that can't prove its name; the reason says so, and it may be mended."""
    relay = Relay()
    tls = context if security == "tls" else None
    async with listening(smtp(relay, tls_context=None if tls else context), tls) as port:
        with pytest.raises(TemporaryFailure, match="certificate is not trusted"):
            await SmtpSender(replace(server(port), security=security)).send(mail())
    assert relay.envelopes == []


async def test_a_stripped_starttls_ends_the_delivery() -> None:
    """Where the offer of STARTTLS is missing, as behind an attacker on the line, neither mail nor password is sent."""
    relay = Relay()
    factory = smtp(relay, authenticator=relay.authenticate, auth_require_tls=False)
    async with listening(factory) as port:
        with pytest.raises(TemporaryFailure):
            await SmtpSender(replace(server(port), security="starttls", username="twofold", password="right")).send(
                mail()
            )
    assert (relay.envelopes, relay.logins) == ([], [])


async def test_a_refused_login_is_no_fault_of_the_mail(context: ssl.SSLContext, certificate: Path) -> None:
    """A wrong password at the relay keeps the mail waiting, and the reason holds neither name nor password."""
    relay = Relay()
    factory = smtp(relay, tls_context=context, authenticator=relay.authenticate, auth_required=True)
    async with listening(factory) as port:
        wrong = replace(
            server(port), security="starttls", ca_file=certificate, username="twofold", password="wrong-one"
        )
        with pytest.raises(TemporaryFailure, match=r"^smtp login refused: 535$"):
            await SmtpSender(wrong).send(mail())
    assert relay.envelopes == []


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(
    ("answer", "failure", "told"),
    [
        ("550 5.1.1 <ada@example.org> is unknown here", PermanentFailure, "550 5.1.1"),
        ("554 spam: Hello", PermanentFailure, "554"),
        ("451 4.7.1 <ada@example.org> greylisted", TemporaryFailure, "451 4.7.1"),
        ("452 too much mail", TemporaryFailure, "452"),
        ("530 5.7.0 Must issue a STARTTLS command first", TemporaryFailure, "530 5.7.0"),
        ("535 5.7.8 who are you", TemporaryFailure, "535 5.7.8"),
    ],
)
async def test_what_the_server_answers(step: str, answer: str, failure: type[Exception], told: str) -> None:
    """A 5xx to the mail is for good, a 4xx or a demand to log in is not; of the server's text only the codes stay."""
    relay = Relay()
    relay.answers = {step: answer}
    async with listening(smtp(relay)) as port:
        with pytest.raises(failure) as caught:
            await SmtpSender(server(port)).send(mail())
    assert str(caught.value).endswith(f"refused: {told}")
    assert "ada" not in repr(caught.value)
    assert caught.value.__suppress_context__


async def test_nobody_there_and_silence() -> None:
    """A port that is closed and a server that says nothing are temporary, and bounded by the timeout."""
    async with listening(asyncio.Protocol) as port:
        started = asyncio.get_running_loop().time()
        with pytest.raises(TemporaryFailure, match=r"^smtp: \w*Timeout\w*$"):
            await SmtpSender(replace(server(port), timeout_seconds=0.3)).send(mail())
        assert asyncio.get_running_loop().time() - started < 2
    with pytest.raises(TemporaryFailure, match=r"^smtp: \w+$"):
        await SmtpSender(server(port)).send(mail())


async def test_a_connection_that_breaks_after_the_yes_is_a_mail_sent() -> None:
    """Once the server has taken the mail, no trouble with QUIT makes it be sent again."""
    relay = Relay()

    class Hangs(SMTP):
        async def smtp_QUIT(self, _arg: str) -> None:
            assert isinstance(self.transport, asyncio.Transport)
            self.transport.abort()

    def protocol() -> asyncio.Protocol:
        return Hangs(relay, hostname="relay.test", loop=asyncio.get_running_loop())

    async with listening(protocol) as port:
        await SmtpSender(server(port)).send(mail())
    assert len(relay.envelopes) == 1


async def test_international_addresses() -> None:
    """A domain goes in its ASCII form; a local part that has none needs SMTPUTF8, and ends without it."""
    relay = Relay()
    async with listening(smtp(relay)) as port:
        await SmtpSender(server(port)).send(mail("ada@bücher.example.org"))
        with pytest.raises(PermanentFailure, match="SMTPUTF8"):
            await SmtpSender(server(port)).send(mail("grüße@example.org"))
    async with listening(smtp(relay, enable_SMTPUTF8=True)) as port:
        await SmtpSender(server(port)).send(mail("grüße@example.org"))
    assert [envelope.rcpt_tos for envelope in relay.envelopes] == [
        ["ada@xn--bcher-kva.example.org"],
        ["grüße@example.org"],
    ]


@pytest.mark.parametrize(
    "host", ["relay.example.org", "10.0.0.1", "0.0.0.0", "localhost.example.org", "127.0.0.1.example.org"]
)
def test_plaintext_is_for_loopback_alone(host: str) -> None:
    """A relay elsewhere is never spoken to in plaintext."""
    with pytest.raises(ValueError, match="plaintext"):
        SmtpSender(SmtpServer(host, 25, "none"))
    SmtpSender(SmtpServer("::1", 25, "none"))


def test_the_password_is_in_no_repr() -> None:
    """The relay's settings can be shown."""
    assert "hunter2" not in repr(SmtpServer("localhost", password="hunter2"))


async def test_a_connection_that_breaks_before_the_answer_leaves_it_open() -> None:
    """Whoever had all of the mail may keep it: no other relay is tried, and the next attempt goes to the same one."""
    relay = Relay()

    class Breaks(Relay):
        broken = False

        async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
            if not self.broken:
                self.broken = True
                assert isinstance(server.transport, asyncio.Transport)
                server.transport.abort()
            return await super().handle_DATA(server, session, envelope)

    breaking = Breaks()
    async with listening(smtp(breaking)) as first, listening(smtp(relay)) as second:
        senders = [Provider("one", SmtpSender(server(first))), Provider("two", SmtpSender(server(second)))]
        both = FailOver(senders, lambda: NOW)
        with pytest.raises(TemporaryFailure, match="no answer to the mail") as caught:
            await both.send(mail())
        assert (caught.value.uncertain, caught.value.provider, relay.envelopes) == (True, "one", [])
        assert await both.send(mail(), "one") == "one"
    assert relay.envelopes == []
    # What came twice is known as the same mail.
    assert len({message_from_bytes(e.content or b"")["Message-ID"] for e in breaking.envelopes}) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
async def test_the_next_relay_takes_what_the_first_puts_off(step: str) -> None:
    """A greylisting (RFC 6647) or a full disk is a no: the next relay is asked."""
    grey, relay = Relay(), Relay()
    grey.answers = {step: "451 4.7.1 greylisted"}
    async with listening(smtp(grey)) as first, listening(smtp(relay)) as second:
        senders = [Provider("one", SmtpSender(server(first))), Provider("two", SmtpSender(server(second)))]
        assert await FailOver(senders, lambda: NOW).send(mail()) == "two"
    assert (grey.envelopes, len(relay.envelopes)) == ([], 1)


async def test_a_relay_that_is_down_or_silent_rests() -> None:
    """It costs its wait once, and is asked again half a minute later."""
    now = [NOW]
    relay = Relay()
    async with listening(asyncio.Protocol) as silent, listening(smtp(relay)) as second:
        slow = SmtpSender(replace(server(silent), timeout_seconds=0.3))
        both = FailOver([Provider("one", slow), Provider("two", SmtpSender(server(second)))], lambda: now[0])
        loop = asyncio.get_running_loop()
        for waits in (True, False, False):
            started = loop.time()
            assert await both.send(mail()) == "two"
            assert (loop.time() - started > 0.25) is waits
        now[0] += timedelta(seconds=31)
        started = loop.time()
        assert await both.send(mail()) == "two"
        assert loop.time() - started > 0.25
