"""The SMTP sender: TLS always, save to this very machine."""

import asyncio
import contextlib
import ipaddress
import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import aiosmtplib
from aiosmtplib.typing import Default

from twofold_server.delivery.mail import Mail, PermanentFailure, TemporaryFailure
from twofold_server.domain.deliveries import Refusal

_QUIT_SECONDS: Final = 2.0
# Encryption or a login is demanded (RFC 3207, RFC 4954): a setting is wrong, which says nothing of the mail.
_NOT_OF_THE_MAIL: Final = frozenset({530, 532, 534, 535, 538})
_ENHANCED: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mails are handed over. `security`: `starttls` (RFC 3207), `tls` (RFC 8314), or `none`, to loopback alone.

    `timeout_seconds` bounds a whole delivery. `ca_file` (PEM) replaces the system's authorities. `local_hostname` is
    what is said in EHLO; empty: this machine's name.
    """

    host: str
    port: int = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password: str = field(default="", repr=False)
    ca_file: Path | None = None
    local_hostname: str = ""
    timeout_seconds: float = 30.0


class _Client(aiosmtplib.SMTP):
    """Knows whether the server may have taken the mail: from DATA on, until it says no."""

    handing_over = False

    async def data(
        self,
        message: str | bytes,
        /,
        *,
        timeout: float | Literal[Default.token] | None = Default.token,  # noqa: ASYNC109 - of the library's method
    ) -> aiosmtplib.SMTPResponse:
        self.handing_over = True
        return await super().data(message, timeout=timeout)


class SmtpSender:
    """Hands mails to an SMTP server (RFC 5321), each over a connection of its own; certificates are always verified."""

    __slots__ = ("_server", "_tls")

    def __init__(self, server: SmtpServer) -> None:
        """Raises ValueError for plaintext to anything but loopback, OSError for a `ca_file` that can't be read."""
        if server.security == "none" and not _is_loopback(server.host):
            raise ValueError("Mail in plaintext is for a server on loopback only: set starttls or tls.")
        self._server = server
        self._tls = ssl.create_default_context(cafile=str(server.ca_file) if server.ca_file else None)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2

    async def send(self, mail: Mail, /) -> None:
        """Hand the mail over. A 5xx to the mail itself is PermanentFailure; all else is TemporaryFailure.

        A refused login or certificate, or a demand for encryption or a login, is temporary: it says nothing of the
        mail, and an operator can mend it. Where the connection is lost after DATA the failure is uncertain: the server
        may keep the mail.
        """
        client = self._client()
        try:
            async with asyncio.timeout(self._server.timeout_seconds):
                await client.connect()
                await client.send_message(mail.message, sender=mail.sender, recipients=[mail.recipient])
        except aiosmtplib.SMTPNotSupported:
            if not mail.recipient.isascii():
                raise PermanentFailure(
                    "smtp: the server takes no such address (SMTPUTF8)", Refusal.ADDRESS_UNREACHABLE
                ) from None
            raise TemporaryFailure("smtp: the server lacks an extension that is needed", down=True) from None
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _failure("recipient", error.recipients[0]) from None
        except (aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPDataError) as error:
            raise _failure("message", error) from None
        except aiosmtplib.SMTPAuthenticationError as error:
            raise TemporaryFailure(f"smtp login refused: {error.code}", down=True) from None
        except aiosmtplib.SMTPResponseException as error:
            raise TemporaryFailure(f"smtp: {error.code}", down=True) from None
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            # The class alone: texts of libraries and servers quote addresses.
            lost = client.handing_over
            reason = f"smtp: {_cause(error)}{', no answer to the mail' if lost else ''}"
            raise TemporaryFailure(reason, uncertain=lost, down=not lost) from None
        else:
            # The mail is the server's by now: what happens to the connection is no failure of the mail.
            with contextlib.suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                async with asyncio.timeout(_QUIT_SECONDS):
                    await client.quit()
        finally:
            client.close()

    def _client(self) -> _Client:
        server = self._server
        return _Client(
            hostname=server.host,
            port=server.port,
            username=server.username or None,
            password=server.password or None,
            local_hostname=server.local_hostname or None,
            use_tls=server.security == "tls",
            # Never `None`, which takes TLS where it is offered, and so plaintext where somebody strips the offer.
            start_tls=server.security == "starttls",
            tls_context=self._tls,
            timeout=server.timeout_seconds,
        )


def _failure(what: str, error: aiosmtplib.SMTPResponseException) -> PermanentFailure | TemporaryFailure:
    found = _ENHANCED.match(error.message)
    reason = f"smtp {what} refused: {error.code}{' ' + found[0] if found else ''}"
    if not 500 <= error.code < 600:
        return TemporaryFailure(reason)
    if error.code in _NOT_OF_THE_MAIL:
        return TemporaryFailure(reason, down=True)
    refusal = Refusal.ADDRESS_UNREACHABLE if what == "recipient" else Refusal.PROVIDER_REFUSED
    return PermanentFailure(reason, refusal)


def _cause(error: BaseException) -> str:
    certificate = isinstance(error, ssl.SSLCertVerificationError) or isinstance(
        error.__cause__, ssl.SSLCertVerificationError
    )
    return "the server's certificate is not trusted" if certificate else type(error).__name__


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
