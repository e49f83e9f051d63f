"""The providers that the settings name, in the order in which they are tried."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from twofold_server.delivery.failover import FailOver, Provider
from twofold_server.delivery.files import FileSender, SmsFileSender
from twofold_server.delivery.mail import Mail
from twofold_server.delivery.sms import Gateway, GatewaySender, Sms, Twilio, TwilioSender
from twofold_server.delivery.smtp import SmtpSender, SmtpServer
from twofold_server.delivery.wake_ups import PushHook, PushHookSender, WakeUp
from twofold_server.domain.clock import Clock
from twofold_server.egress.http import Http, Origin
from twofold_server.settings import Settings

# All relays have their turn within the worker's 45 s for one message.
_SECONDS: Final = 40.0


def mail_providers(settings: Settings, clock: Clock) -> FailOver[Mail]:
    """Where mail goes. Raises ValueError for settings that make no sender."""
    if settings.smtp_host is None:
        directory = settings.mail_files
        if directory is None:
            raise ValueError("no mail relay, and no folder for mail")
        return FailOver([Provider("file", FileSender(directory))], clock)
    first = SmtpServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        security=settings.smtp_security,
        username=settings.smtp_username or "",
        password=_text(settings.smtp_password),
    )
    servers = [first, *(relay_of(url.get_secret_value()) for url in settings.smtp_fallback_urls)]
    seconds = min(settings.smtp_timeout, _SECONDS / len(servers))
    names = [f"{server.host}:{server.port}" for server in servers]
    if len(set(names)) != len(names):
        raise ValueError("a mail relay stands twice in the settings")
    return FailOver(
        [
            Provider(name, SmtpSender(replace(server, timeout_seconds=seconds)))
            for name, server in zip(names, servers, strict=True)
        ],
        clock,
    )


def relay_of(url: str) -> SmtpServer:
    """A relay from `smtp://user:password@host:587` or `smtps://...`. Raises ValueError, which repeats nothing of it."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("a fallback relay is no URL") from None
    if parts.scheme not in ("smtp", "smtps") or not host or parts.path not in ("", "/") or parts.query:
        raise ValueError("a fallback relay is smtp:// or smtps://, user, password, host and port")
    return SmtpServer(
        host=host,
        port=port or (465 if parts.scheme == "smtps" else 587),
        security="tls" if parts.scheme == "smtps" else "starttls",
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )


def sms_providers(settings: Settings, clock: Clock) -> FailOver[Sms]:
    """Where text messages go; nowhere, if no provider is set and mail is really sent. Raises ValueError."""
    if not settings.sms_providers:
        directory: Path | None = settings.mail_files
        return FailOver([Provider("file", SmsFileSender(directory))] if directory is not None else [], clock)
    http = _http(settings)
    found: list[Provider[Sms]] = []
    for name in settings.sms_providers:
        if name == "gateway":
            gateway = Gateway(
                settings.sms_gateway_url or "", _text(settings.sms_gateway_key), settings.sms_gateway_sender
            )
            found.append(Provider(name, GatewaySender(http, gateway, clock)))
        else:
            account = Twilio(
                settings.twilio_account_sid or "", _text(settings.twilio_auth_token), settings.twilio_sender or ""
            )
            found.append(Provider(name, TwilioSender(http, account)))
    return FailOver(found, clock)


def push_hook(settings: Settings, clock: Clock) -> FailOver[WakeUp]:
    """Where wake-ups of phones go; nowhere, if no push service is set. Raises ValueError."""
    if settings.push_hook_url is None:
        return FailOver([], clock)
    hook = PushHook(settings.push_hook_url, _text(settings.push_hook_key))
    return FailOver([Provider("push_hook", PushHookSender(_http(settings), hook, clock))], clock)


def _http(settings: Settings) -> Http:
    return Http([Origin.parse(origin) for origin in settings.http_allowed], ca_file=settings.http_ca_file)


def _text(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret is not None else ""
