"""Every setting of the server: name, unit, default, and where the default comes from."""

import ctypes
import ipaddress
import os
import tempfile
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX: Final = "TWOFOLD_"
FILE_SCHEME: Final = "file:"

_MAKE_KEY: Final = (
    "set TWOFOLD_MASTER_KEY_FILE to a file of mode 0600 that holds what `twofold-server keys generate` prints"
)
_MAKE_CERTIFICATE: Final = (
    "set TWOFOLD_TLS_CERTIFICATE_FILE and TWOFOLD_TLS_KEY_FILE to a PEM chain and its key, from your certificate "
    "authority or, to try it, as `twofold-server certs dev --directory DIRECTORY` makes and prints them"
)


class SettingsError(Exception):
    """The settings do not make a server; the text names each variable and what it lacks, and holds no value."""


def _hash_slots_directory() -> Path:
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return Path(runtime) / "twofold-slots" if runtime else Path(tempfile.gettempdir()) / f"twofold-slots-{os.getuid()}"


class Settings(BaseSettings):
    """The server's settings: TWOFOLD_<NAME> in the environment, or arguments by name in code.

    Raises pydantic's ValidationError when made; `load` gives the plain text of it.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        # TWOFOLD_SMTP_HOST= means: not set.
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
        validate_default=True,
    )

    # Database
    database_url: Annotated[
        SecretStr,
        Field(
            validation_alias=AliasChoices("TWOFOLD_DATABASE_URL", "DATABASE_URL"),
            description="PostgreSQL 15 to 18: postgresql://user:password@host/database?sslmode=verify-full. "
            "Outside loopback and UNIX sockets sslmode=verify-full is demanded.",
        ),
    ]
    database_pool_size: Annotated[
        int, Field(ge=1, le=1000, description="Connections at most. Default 20: two cores keep fewer busy (measured).")
    ] = 20

    # Where it listens
    listen: Annotated[
        str, Field(description="host:port of the bearer-credential listener. Default: loopback alone, port 50051.")
    ] = "127.0.0.1:50051"
    development: Annotated[
        bool,
        Field(
            description="Loopback only, no TLS; a call without a credential is the caller `development`. Default: off."
        ),
    ] = False
    tls_certificate_file: Annotated[Path | None, Field(description="PEM chain. Demanded outside development.")] = None
    tls_key_file: Annotated[Path | None, Field(description="PEM key of the chain, mode 0600.")] = None
    mtls_listen: Annotated[
        str | None,
        Field(description="host:port of a second listener, whose callers are named by certificate. Default: none."),
    ] = None
    tls_client_ca_file: Annotated[
        Path | None, Field(description="PEM certificates that sign the callers' ones. Demanded with mtls_listen.")
    ] = None
    tls_client_name_prefixes: Annotated[
        tuple[str, ...],
        Field(description="A caller's name is its one URI or DNS name with such a prefix. JSON list. Default: none."),
    ] = ()
    reflection: Annotated[
        bool | None, Field(description="Serve gRPC reflection. Default: in development only (OWASP: hide the surface).")
    ] = None
    issuer: Annotated[
        str,
        Field(description="Base of `iss` in access tokens, before `/<realm>`: an https URL (RFC 9068 section 2.2)."),
    ] = "https://twofold.localhost"

    # Keys
    master_key: Annotated[
        SecretStr | None,
        Field(description="32 bytes as 64 hex digits or base64, or `1:<key>,2*:<key>` to rotate. Removed once read."),
    ] = None
    master_key_file: Annotated[
        Path | None, Field(description="File of mode 0600 with the same text. One of the two outside development.")
    ] = None

    # Mail
    mail_directory: Annotated[
        Path | None, Field(description="Write mail as files here and send none. Default in development: .twofold/sent.")
    ] = None
    mail_from: Annotated[str, Field(description="Sender's address. Demanded with smtp_host.")] = "twofold@localhost"
    mail_templates_directory: Annotated[
        Path | None, Field(description="An operator's own templates, before those that ship. Default: none.")
    ] = None
    smtp_host: Annotated[str | None, Field(description="Mail relay (RFC 6409). This or mail_directory.")] = None
    smtp_port: Annotated[int, Field(ge=1, le=65535, description="Default 587: submission, RFC 6409.")] = 587
    smtp_security: Annotated[
        Literal["starttls", "tls", "none"],
        Field(description="STARTTLS demanded, TLS from the start (port 465, RFC 8314), or none on loopback only."),
    ] = "starttls"
    smtp_username: Annotated[str | None, Field(description="For SMTP AUTH. Default: none.")] = None
    smtp_password: Annotated[SecretStr | None, Field(description="Removed from the environment once read.")] = None
    smtp_timeout: Annotated[float, Field(gt=0, le=300, description="Seconds for each step with the relay.")] = 30.0

    smtp_fallback_urls: Annotated[
        tuple[SecretStr, ...],
        Field(
            description="Relays to try in turn where smtp_host is down: smtp://user:password@host:587 (STARTTLS) or "
            "smtps://user:password@host:465, percent-encoded. JSON list, removed once read. Default: none."
        ),
    ] = ()

    # Text messages
    sms_providers: Annotated[
        tuple[Literal["gateway", "twilio"], ...],
        Field(
            description="Who sends text messages, in the order of trying: `gateway`, `twilio`. JSON list. Default: "
            "none, and files beside the mails where mail is written as files."
        ),
    ] = ()
    sms_gateway_url: Annotated[
        str | None, Field(description="Where docs/delivery.md's signed JSON is posted: https, or see http_allowed.")
    ] = None
    sms_gateway_key: Annotated[
        SecretStr | None, Field(description="Signs it: 32 characters at least. Removed once read.")
    ] = None
    sms_gateway_sender: Annotated[str, Field(max_length=32, description="`from` of that JSON. Default: empty.")] = ""
    twilio_account_sid: Annotated[str | None, Field(description="AC and 32 hex digits. Demanded with twilio.")] = None
    twilio_auth_token: Annotated[SecretStr | None, Field(description="Of that account. Removed once read.")] = None
    twilio_sender: Annotated[
        str | None, Field(description="Number in E.164, name, or a messaging service's SID. Demanded with twilio.")
    ] = None

    # Waking phones
    push_hook_url: Annotated[
        str | None,
        Field(
            description="Where wake-ups of phones are posted, signed, as docs/delivery.md has it: https, or see "
            "http_allowed. Default: none, phones are not woken."
        ),
    ] = None
    push_hook_key: Annotated[
        SecretStr | None, Field(description="Signs them: 32 characters at least. Removed once read.")
    ] = None

    # Calls to others
    http_allowed: Annotated[
        tuple[str, ...],
        Field(
            description="Origins that may be called though they are not https or not at a global address: scheme, "
            "host and port, such as http://127.0.0.1:8080. JSON list. Default: none (OWASP SSRF)."
        ),
    ] = ()
    http_ca_file: Annotated[
        Path | None, Field(description="PEM certificates that vouch for the called, in place of the system's.")
    ] = None

    # CAPTCHAs and breached passwords
    captcha_secrets: Annotated[
        dict[str, SecretStr],
        Field(
            description="Secrets for the realms' captcha_site_key, as JSON: {site key: secret}. Removed once read. "
            "Default: none, as the built-in CAPTCHA needs none."
        ),
    ] = {}
    captcha_endpoints: Annotated[
        dict[Literal["hcaptcha", "turnstile", "recaptcha"], str],
        Field(description="Other URLs of siteverify, as JSON: {provider: URL}. Default: the providers' own."),
    ] = {}
    breached_passwords: Annotated[
        str,
        Field(
            description="Where new passwords are looked up: `off`, `file:/path` (sorted lines HASH:COUNT, SHA-1 hex) "
            "or a URL that speaks the range protocol, such as https://api.pwnedpasswords.com/range. Default: off."
        ),
    ] = "off"
    breached_passwords_when_down: Annotated[
        Literal["open", "closed"] | None,
        Field(description="While that list can't be asked: open takes new passwords, closed none. Demanded with it."),
    ] = None

    # Hashing
    argon2_memory_kib: Annotated[
        int, Field(ge=8, le=65536, description="KiB for one hash. Default 19456 (OWASP); ceiling 64 MiB.")
    ] = 19456
    argon2_time_cost: Annotated[int, Field(ge=1, le=10, description="Passes. Default 2 (OWASP).")] = 2
    argon2_parallelism: Annotated[int, Field(ge=1, le=4, description="Lanes. Default 1 (OWASP).")] = 1
    hash_slots_directory: Annotated[
        Path,
        Field(
            default_factory=_hash_slots_directory,
            description="Lock files by which all workers of the machine share its cores. Local, this user's own. "
            "Default: in XDG_RUNTIME_DIR or the temporary folder.",
        ),
    ]
    hash_queue_limit: Annotated[
        int, Field(ge=1, le=10000, description="Hashes that wait in a worker. Default 64: about a second on two cores.")
    ] = 64

    # Calls
    message_size_limit: Annotated[
        int,
        Field(
            ge=1024, le=262144, description="Bytes of a request; more is refused. Default 64 KiB (the largest is 8)."
        ),
    ] = 65536
    concurrent_calls_limit: Annotated[
        int, Field(ge=1, le=100000, description="Unary calls at a time; more are refused with RetryInfo.")
    ] = 500
    per_caller_calls_limit: Annotated[
        int, Field(ge=1, le=100000, description="Unary calls at a time of one caller, so that one starves no other.")
    ] = 250
    default_deadline: Annotated[
        float, Field(gt=0, le=300, description="Seconds for a call that states no deadline. Default 10.")
    ] = 10.0
    least_deadline: Annotated[
        float, Field(ge=0, le=10, description="Seconds; a call that hashes and has less left is refused. Default 0.05.")
    ] = 0.05
    max_connection_age: Annotated[
        float, Field(ge=0, description="Seconds until a client must reconnect, to spread load; 0: never. Default 600.")
    ] = 600.0
    workers: Annotated[
        int, Field(ge=1, le=256, description="Processes that serve on one port. Default 1, with no parent process.")
    ] = 1
    reuse_port: Annotated[
        bool, Field(description="Let several workers listen on one port (SO_REUSEPORT). Default: no.")
    ] = False
    drain_seconds: Annotated[
        float,
        Field(ge=0, le=300, description="Seconds for calls to finish after SIGTERM. Default 10: default_deadline."),
    ] = 10.0

    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Field(description="Lines of this level and above. Default info.")
    ] = "info"

    @field_validator("listen", "mtls_listen")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is not None:
            split_address(value)
        return value

    @field_validator("issuer")
    @classmethod
    def _is_https(cls, value: str) -> str:
        if not value.startswith("https://") or value.endswith("/") or "?" in value or "#" in value:
            raise ValueError("must be an https URL without a final slash, query or fragment")
        return value

    @field_validator("breached_passwords")
    @classmethod
    def _is_list(cls, value: str) -> str:
        if value != "off" and not value.startswith((FILE_SCHEME, "https://", "http://")):
            raise ValueError("must be off, file:/path or an https URL")
        return value

    @field_validator("master_key_file", "tls_key_file")
    @classmethod
    def _is_private(cls, value: Path | None) -> Path | None:
        if value is None:
            return None
        try:
            status = value.stat()
        except OSError as error:
            raise ValueError(f"cannot be read: {error.strerror}") from None
        if status.st_mode & 0o077:
            raise ValueError("may be read by others: chmod 600 it")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.development:
            self._demand_loopback()
        else:
            self._demand_production()
        if (self.tls_certificate_file is None) != (self.tls_key_file is None):
            raise ValueError("TWOFOLD_TLS_CERTIFICATE_FILE and TWOFOLD_TLS_KEY_FILE go together")
        if self.mtls_listen is not None and not (self.tls_key_file and self.tls_client_ca_file):
            raise ValueError("TWOFOLD_MTLS_LISTEN needs TWOFOLD_TLS_CLIENT_CA_FILE, and a certificate of its own")
        if self.mtls_listen is not None and not self.tls_client_name_prefixes:
            raise ValueError("TWOFOLD_MTLS_LISTEN needs TWOFOLD_TLS_CLIENT_NAME_PREFIXES")
        if self.master_key is not None and self.master_key_file is not None:
            raise ValueError("set one of TWOFOLD_MASTER_KEY and TWOFOLD_MASTER_KEY_FILE")
        if self.smtp_host is not None and self.smtp_security == "none" and not is_loopback(self.smtp_host):
            raise ValueError("TWOFOLD_SMTP_SECURITY=none is for a relay on loopback only")
        if self.smtp_host is not None and self.mail_directory is not None:
            raise ValueError("set one of TWOFOLD_SMTP_HOST and TWOFOLD_MAIL_DIRECTORY")
        if self.smtp_host is not None and "mail_from" not in self.model_fields_set:
            raise ValueError("TWOFOLD_SMTP_HOST needs TWOFOLD_MAIL_FROM")
        if self.smtp_fallback_urls and self.smtp_host is None:
            raise ValueError("TWOFOLD_SMTP_FALLBACK_URLS needs TWOFOLD_SMTP_HOST")
        if self.breached_passwords != "off" and self.breached_passwords_when_down is None:
            raise ValueError("TWOFOLD_BREACHED_PASSWORDS needs TWOFOLD_BREACHED_PASSWORDS_WHEN_DOWN: open or closed")
        self._demand_sms_providers()
        if (self.push_hook_url is None) != (self.push_hook_key is None):
            raise ValueError("TWOFOLD_PUSH_HOOK_URL and TWOFOLD_PUSH_HOOK_KEY go together")
        return self

    def _demand_sms_providers(self) -> None:
        if len(set(self.sms_providers)) != len(self.sms_providers):
            raise ValueError("TWOFOLD_SMS_PROVIDERS names one twice")
        if "gateway" in self.sms_providers and not (self.sms_gateway_url and self.sms_gateway_key):
            raise ValueError("the gateway of TWOFOLD_SMS_PROVIDERS needs TWOFOLD_SMS_GATEWAY_URL and _KEY")
        if "twilio" in self.sms_providers and not (
            self.twilio_account_sid and self.twilio_auth_token and self.twilio_sender
        ):
            raise ValueError(
                "twilio in TWOFOLD_SMS_PROVIDERS needs TWOFOLD_TWILIO_ACCOUNT_SID, _AUTH_TOKEN and _SENDER"
            )

    def _demand_loopback(self) -> None:
        for address in (self.listen, self.mtls_listen):
            if address is not None and not is_loopback(split_address(address)[0]):
                raise ValueError("TWOFOLD_DEVELOPMENT is for loopback only: it asks callers for no credential")

    def _demand_production(self) -> None:
        if self.tls_key_file is None:
            raise ValueError(f"outside development TLS is required: {_MAKE_CERTIFICATE}")
        if self.master_key is None and self.master_key_file is None:
            raise ValueError(f"outside development a master key is required: {_MAKE_KEY}")
        if self.smtp_host is None and self.mail_directory is None:
            raise ValueError("set TWOFOLD_SMTP_HOST, or TWOFOLD_MAIL_DIRECTORY to write mail as files")

    @property
    def reflection_served(self) -> bool:
        """Whether reflection is served: as set, otherwise in development only."""
        return self.development if self.reflection is None else self.reflection

    @property
    def mail_files(self) -> Path | None:
        """The folder that mail is written to; None: it goes to the relay."""
        return None if self.smtp_host is not None else self.mail_directory or Path(".twofold") / "sent"

    def master_key_text(self) -> SecretStr | None:
        """The master key as written down; None in development where none is set. Raises SettingsError."""
        if self.master_key_file is None:
            return self.master_key
        try:
            return SecretStr(self.master_key_file.read_text(encoding="ascii").strip())
        except (OSError, UnicodeDecodeError):
            raise SettingsError("TWOFOLD_MASTER_KEY_FILE cannot be read as text") from None


def split_address(address: str) -> tuple[str, int]:
    """Host and port of `host:port` or `[v6]:port`. Raises ValueError."""
    host, colon, port = address.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError("must be host:port, with an IPv6 host in brackets")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError("must be host:port")
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine alone, by its spelling: nothing is resolved."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


_SECRETS: Final = (
    "TWOFOLD_MASTER_KEY",
    "TWOFOLD_SMTP_PASSWORD",
    "TWOFOLD_SMTP_FALLBACK_URLS",
    "TWOFOLD_SMS_GATEWAY_KEY",
    "TWOFOLD_TWILIO_AUTH_TOKEN",
    "TWOFOLD_PUSH_HOOK_KEY",
    "TWOFOLD_CAPTCHA_SECRETS",
    "TWOFOLD_DATABASE_URL",
    "DATABASE_URL",
)


def load() -> Settings:
    """Read the settings from the environment and take the secrets out of it, so that no child process inherits them.

    Raises SettingsError.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("\n".join(_line(fault["loc"], fault["msg"]) for fault in error.errors())) from None
    finally:
        for name in _SECRETS:
            _erase(name)
            os.environ.pop(name, None)


def _erase(name: str) -> None:
    # What the kernel shows as /proc/<pid>/environ is the text this program was started with, wherever unset.
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_void_p
    if (place := getenv(name.encode())) is not None:
        ctypes.memset(place, 0, len(ctypes.string_at(place)))


def _line(location: tuple[int | str, ...], message: str) -> str:
    message = message.removeprefix("Value error, ")
    if not location:
        return message
    # The database is named as the world names it.
    name = str(location[0]).upper().replace("TWOFOLD_DATABASE_URL", "DATABASE_URL")
    return f"{name if name in _SECRETS else PREFIX + name}: {message}"
