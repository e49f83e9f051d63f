import os
import subprocess
import sys
from pathlib import Path

import pytest

from twofold_server import settings as settings_module
from twofold_server.delivery.providers import mail_providers, push_hook, relay_of, sms_providers
from twofold_server.domain.clock import system_clock
from twofold_server.settings import Settings, SettingsError, load, split_address

URL = "postgresql://postgres@/twofold?host=/run/postgresql"
KEY = "0123456789abcdef" * 4


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The least that a development server needs."""
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("TWOFOLD_DEVELOPMENT", "true")
    return monkeypatch


@pytest.fixture
def production(environment: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """The least that a server outside development needs."""
    key = tmp_path / "key"
    key.write_text("-")
    key.chmod(0o600)
    environment.setenv("TWOFOLD_DEVELOPMENT", "false")
    environment.setenv("TWOFOLD_TLS_CERTIFICATE_FILE", str(key))
    environment.setenv("TWOFOLD_TLS_KEY_FILE", str(key))
    environment.setenv("TWOFOLD_MASTER_KEY", KEY)
    environment.setenv("TWOFOLD_MAIL_DIRECTORY", str(tmp_path))
    return environment


def test_development_needs_a_database_url_and_nothing_else(environment: pytest.MonkeyPatch) -> None:
    """In development DATABASE_URL suffices; mail goes to files, reflection is on, loopback is listened on."""
    settings = load()
    assert settings.listen == "127.0.0.1:50051"
    assert settings.mail_files == Path(".twofold/sent")
    assert settings.reflection_served
    assert settings.master_key_text() is None


def test_secrets_leave_the_environment_once_read(production: pytest.MonkeyPatch) -> None:
    """After loading, no secret is in the environment that a child process would inherit."""
    production.setenv("TWOFOLD_SMTP_PASSWORD", "hunter2hunter2")
    settings = load()
    assert settings.master_key_text() is not None
    assert not {"TWOFOLD_MASTER_KEY", "TWOFOLD_SMTP_PASSWORD", "DATABASE_URL"} & os.environ.keys()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_secrets_leave_what_the_kernel_shows_of_the_environment(environment: pytest.MonkeyPatch) -> None:
    """/proc/<pid>/environ, which is what a program was started with, does not keep the master key or the URL."""
    environment.setenv("TWOFOLD_MASTER_KEY", KEY)
    environment.setenv("TWOFOLD_LISTEN", "127.0.0.1:50055")
    program = "from twofold_server.settings import load; load(); print(open('/proc/self/environ').read())"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert "TWOFOLD_LISTEN=127.0.0.1:50055" in shown
    assert KEY not in shown
    assert URL not in shown


def test_secrets_leave_the_environment_even_if_the_settings_are_refused(production: pytest.MonkeyPatch) -> None:
    """A refused setting leaves no secret behind either."""
    production.setenv("TWOFOLD_SMTP_PORT", "none")
    with pytest.raises(SettingsError):
        load()
    assert "TWOFOLD_MASTER_KEY" not in os.environ


def test_secrets_are_in_no_text_of_the_settings(production: pytest.MonkeyPatch) -> None:
    """Neither repr nor a dump of the settings shows the master key or the database's password."""
    production.setenv("DATABASE_URL", "postgresql://twofold:s3cretpass@localhost/twofold")
    settings = load()
    for text in (repr(settings), str(settings), settings.model_dump_json(), repr(settings.model_dump())):
        assert KEY not in text
        assert "s3cretpass" not in text


@pytest.mark.parametrize("name", ["SMTP_PORT", "DATABASE_POOL_SIZE", "LISTEN", "LOG_LEVEL", "ISSUER"])
def test_a_refused_setting_is_named_and_its_value_is_not_shown(environment: pytest.MonkeyPatch, name: str) -> None:
    """The error names the variable to change, and never repeats what was in it."""
    environment.setenv(f"TWOFOLD_{name}", "s3cret!nonsense")
    with pytest.raises(SettingsError, match=f"TWOFOLD_{name}: ") as caught:
        load()
    assert "nonsense" not in str(caught.value)


def test_a_missing_database_url_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without DATABASE_URL the error names it."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with pytest.raises(SettingsError, match="DATABASE_URL"):
        load()


@pytest.mark.parametrize("listen", ["0.0.0.0:50051", "[::]:50051", "192.0.2.1:50051", "example.com:50051"])
def test_development_is_loopback_only(environment: pytest.MonkeyPatch, listen: str) -> None:
    """Development mode, which asks for no credential, refuses every address but loopback."""
    environment.setenv("TWOFOLD_LISTEN", listen)
    with pytest.raises(SettingsError, match="loopback only"):
        load()


@pytest.mark.parametrize(
    ("missing", "advice"),
    [
        ("TLS_KEY_FILE", "twofold-server certs dev"),
        ("MASTER_KEY", "twofold-server keys generate"),
        ("MAIL_DIRECTORY", "SMTP_HOST"),
    ],
)
def test_outside_development_what_is_missing_is_named_with_a_remedy(
    production: pytest.MonkeyPatch, missing: str, advice: str
) -> None:
    """TLS, a master key and mail are demanded outside development, and the error says how to make them."""
    assert load().reflection_served is False
    production.setenv("DATABASE_URL", URL)
    production.setenv("TWOFOLD_MASTER_KEY", KEY)
    production.delenv(f"TWOFOLD_{missing}")
    with pytest.raises(SettingsError, match=advice):
        load()


def test_a_master_key_file_that_others_may_read_is_refused(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A master key's file must have mode 0600."""
    file = tmp_path / "master.key"
    file.write_text(f"{KEY}\n")
    environment.setenv("TWOFOLD_MASTER_KEY_FILE", str(file))
    file.chmod(0o640)
    with pytest.raises(SettingsError, match="TWOFOLD_MASTER_KEY_FILE: may be read by others"):
        load()
    file.chmod(0o600)
    environment.setenv("DATABASE_URL", URL)
    key = load().master_key_text()
    assert key is not None
    assert key.get_secret_value() == KEY


def test_plain_smtp_is_for_loopback_only(environment: pytest.MonkeyPatch) -> None:
    """Mail leaves this machine encrypted or not at all."""
    environment.setenv("TWOFOLD_SMTP_HOST", "mail.example.com")
    environment.setenv("TWOFOLD_MAIL_FROM", "twofold@example.com")
    environment.setenv("TWOFOLD_SMTP_SECURITY", "none")
    with pytest.raises(SettingsError, match="loopback"):
        load()


def test_every_setting_says_what_it_is() -> None:
    """Each setting has a description, and no two share one."""
    descriptions = [field.description for field in Settings.model_fields.values()]
    assert all(descriptions)
    assert len(set(descriptions)) == len(descriptions)


def test_every_secret_is_removed_once_read() -> None:
    """Each setting of a secret type is in the list of variables that are removed."""
    secret = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    assert {f"TWOFOLD_{name.upper()}" for name in secret} <= set(settings_module._SECRETS)


@pytest.mark.parametrize("address", ["", "50051", "host", "host:", ":50051", "host:port", "::1:50051", "host:70000"])
def test_an_address_without_host_or_port_is_refused(address: str) -> None:
    """An address is host:port, with IPv6 in brackets."""
    with pytest.raises(ValueError, match="must be host:port"):
        split_address(address)


def test_an_address_is_split() -> None:
    """Names, IPv4 and bracketed IPv6 are understood."""
    assert split_address("localhost:0") == ("localhost", 0)
    assert split_address("[::1]:50051") == ("::1", 50051)


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        ({"SMS_PROVIDERS": '["gateway"]'}, "SMS_GATEWAY_URL"),
        ({"SMS_PROVIDERS": '["twilio"]'}, "TWILIO_ACCOUNT_SID"),
        ({"SMS_PROVIDERS": '["twilio", "twilio"]'}, "twice"),
        ({"PUSH_HOOK_URL": "https://push.example.com/wake"}, "PUSH_HOOK_KEY"),
        ({"PUSH_HOOK_KEY": "k" * 32}, "PUSH_HOOK_URL"),
        ({"SMTP_FALLBACK_URLS": '["smtp://relay"]'}, "SMTP_HOST"),
    ],
)
def test_providers_that_lack_something_are_refused(
    environment: pytest.MonkeyPatch, given: dict[str, str], advice: str
) -> None:
    """What a provider needs is named."""
    for name, value in given.items():
        environment.setenv(f"TWOFOLD_{name}", value)
    with pytest.raises(SettingsError, match=advice):
        load()


def test_secrets_of_providers_leave_the_environment_and_every_text(environment: pytest.MonkeyPatch) -> None:
    """Keys, tokens and the passwords in URLs of relays are in no repr, and no child process inherits them."""
    given = {
        "SMS_PROVIDERS": '["gateway", "twilio"]',
        "SMS_GATEWAY_URL": "https://gateway.example.com/send",
        "SMS_GATEWAY_KEY": "hunter2-" * 5,
        "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
        "TWILIO_AUTH_TOKEN": "hunter2-token",
        "TWILIO_SENDER": "+15005550006",
        "PUSH_HOOK_URL": "https://push.example.com/wake",
        "PUSH_HOOK_KEY": "hunter2-" * 5,
        "SMTP_HOST": "relay.example.com",
        "MAIL_FROM": "no-reply@example.com",
        "SMTP_FALLBACK_URLS": '["smtps://user:hunter2%40x@relay2.example.com"]',
    }
    for name, value in given.items():
        environment.setenv(f"TWOFOLD_{name}", value)
    settings = load()
    for text in (repr(settings), settings.model_dump_json(), *os.environ.values()):
        assert "hunter2" not in text
    assert settings.sms_providers == ("gateway", "twilio")
    relay = relay_of(settings.smtp_fallback_urls[0].get_secret_value())
    assert (relay.host, relay.port, relay.security, relay.username) == ("relay2.example.com", 465, "tls", "user")
    assert relay.password == "hunter2@x"
    assert mail_providers(settings, system_clock).configured
    assert sms_providers(settings, system_clock).configured
    assert push_hook(settings, system_clock).configured


def test_text_messages_are_files_where_mail_is(environment: pytest.MonkeyPatch) -> None:
    """Without a provider: files in development, and nothing where mail is really sent."""
    assert sms_providers(load(), system_clock).configured
    environment.setenv("DATABASE_URL", URL)
    environment.setenv("TWOFOLD_SMTP_HOST", "relay.example.com")
    environment.setenv("TWOFOLD_MAIL_FROM", "no-reply@example.com")
    assert not sms_providers(load(), system_clock).configured


@pytest.mark.parametrize(
    ("where", "when_down", "named"),
    [
        ("https://lists.example.com/range", "", "TWOFOLD_BREACHED_PASSWORDS_WHEN_DOWN: open or closed"),
        ("on", "open", "must be off, file:/path or an https URL"),
        ("ftp://lists.example.com", "open", "must be off, file:/path or an https URL"),
    ],
)
def test_a_list_of_breached_passwords_says_what_holds_without_it(
    production: pytest.MonkeyPatch, where: str, when_down: str, named: str
) -> None:
    """Neither open nor closed is taken for granted, and what is no list is refused."""
    production.setenv("TWOFOLD_BREACHED_PASSWORDS", where)
    if when_down:
        production.setenv("TWOFOLD_BREACHED_PASSWORDS_WHEN_DOWN", when_down)
    with pytest.raises(SettingsError, match=named):
        load()
