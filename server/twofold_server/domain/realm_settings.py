"""What a realm may set: each setting with unit, default, limits and where its default comes from."""

# ruff: noqa: RUF009 (the functions called for defaults return dataclasses.field)

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from datetime import timedelta
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import phonenumbers

from twofold_server.domain.values import Audience, LanguageCode
from twofold_server.domain.web_origins import belongs, parse_origin, parse_rp_id
from twofold_server.domain.written_texts import DisplayName

Stored = int | bool | str | list[str]
Value = int | bool | str | timedelta | tuple[str, ...]

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION: Final = re.compile(r"([0-9]{1,9})([smhd]?)", re.ASCII)
_TRUE: Final = frozenset({"true", "yes", "on"})
_FALSE: Final = frozenset({"false", "no", "off"})


class SettingRefused(ValueError):
    """A realm's setting is unknown, malformed or out of its limits; the text names it and what it takes."""


def _duration(doc: str, default: int, minimum: int, maximum: int) -> timedelta:
    """A duration, in seconds."""
    limits = {"doc": doc, "minimum": timedelta(seconds=minimum), "maximum": timedelta(seconds=maximum)}
    found: timedelta = field(default=timedelta(seconds=default), metadata=limits)
    return found


def _count(doc: str, default: int, minimum: int, maximum: int) -> int:
    found: int = field(default=default, metadata={"doc": doc, "minimum": minimum, "maximum": maximum})
    return found


def _text(doc: str, default: str, *, choices: tuple[str, ...] = ()) -> Any:  # noqa: ANN401
    return field(default=default, metadata={"doc": doc, "choices": choices})


_DAY: Final = 86400
FACTOR_KINDS: Final = ("totp", "email", "sms", "passkey", "push")
RESTRICTED_KINDS: Final = frozenset({"sms"})
"""Kinds that must not be a user's only choice (NIST SP 800-63B-4, 3.1.3.3)."""


@dataclass(frozen=True, slots=True)
class RealmSettings:
    """The settings of a realm. Made by `of`, which checks them."""

    password_minimum: int = _count("Code points of a new password at least (ASVS 6.2.1; NIST: 15).", 8, 8, 64)
    activation_lifetime: timedelta = _duration("Life of an activation link.", 2 * _DAY, 600, 14 * _DAY)
    reset_lifetime: timedelta = _duration("Life of a link by which a password is reset.", 1800, 300, _DAY)
    recovery_link_lifetime: timedelta = _duration("Life of a link that begins a two-factor recovery.", 300, 60, 3600)
    recovery_lifetime: timedelta = _duration("Life of a two-factor recovery once its link was opened.", 600, 300, 3600)
    two_factor_recovery_wait: timedelta = _duration(
        "Wait before a two-factor recovery takes effect, while it can be cancelled; 0: none.", 0, 0, 30 * _DAY
    )
    recoveries_per_network_per_hour: int = _count("Recoveries that one network begins an hour.", 100, 1, 1_000_000)
    recoveries_per_caller_per_hour: int = _count(
        "Recoveries an hour of a caller that may not state its client.", 10_000, 1, 1_000_000_000
    )
    email_change_lifetime: timedelta = _duration(
        "Life of the link that confirms a new address (NIST SP 800-63A: 24 h).", _DAY, 600, 7 * _DAY
    )
    email_undo_lifetime: timedelta = _duration(
        "How long the address before can take a change of address back.", 7 * _DAY, _DAY, 30 * _DAY
    )
    resend_wait: timedelta = _duration("Wait before a message is sent again.", 60, 10, 3600)
    resend_limit: int = _count("Times that a sign-up's link is sent again.", 5, 1, 20)
    device_trust_lifetime: timedelta = _duration(
        "A device that its user trusts needs no second factor for; 0: none is trusted.", 7 * _DAY, 0, 90 * _DAY
    )
    challenge_lifetime: timedelta = _duration("Life of a sign-in's pending second factor (NIST).", 600, 60, 3600)
    enrollment_lifetime: timedelta = _duration("Life of a begun enrolment.", 600, 60, 3600)
    access_token_lifetime: timedelta = _duration("Life of an access token (RFC 9068).", 300, 60, 900)
    session_idle: timedelta = _duration("A session ends unless refreshed (NIST 2.1.3).", 30 * _DAY, 300, 90 * _DAY)
    session_absolute: timedelta = _duration("A session's longest life (NIST 2.1.3).", 30 * _DAY, 300, 365 * _DAY)
    session_user_agent: Literal["end", "notify", "ignore"] = _text(
        "What follows a change of a session's User-Agent: its end, a notice, nothing. Browsers change it at updates.",
        "ignore",
        choices=("end", "notify", "ignore"),
    )
    aal2_lifetime: timedelta = _duration("AAL2 lasts since the factor's proof (NIST 2.2.3).", _DAY, 300, 30 * _DAY)
    aal2_idle: timedelta = _duration("AAL2 ends unless refreshed within (NIST 2.2.3).", 3600, 300, 30 * _DAY)
    aal2_end: Literal["downgrade", "end"] = _text(
        "What follows AAL2's end: the session goes on as AAL1, or ends.", "downgrade", choices=("downgrade", "end")
    )
    recent_proof: timedelta = _duration("A proof counts as recent for (NIST).", 600, 60, 3600)
    totp_drift_steps: int = _count("Steps of 30 s forgiven on either side (RFC 6238 5.2).", 1, 0, 2)
    totp_issuer: str = _text("Issuer that authenticator apps show. Empty: the realm's name.", "")
    push_digits: int = _count("Digits typed on the phone; under 6 an approval is AAL1 (NIST 3.1.3.2).", 6, 2, 6)
    push_lifetime: timedelta = _duration("Life of a request for approval.", 60, 30, 300)
    push_limit: int = _count("Requests within 10 min that go unapproved until no more are made (ASVS 6.6.4).", 3, 1, 20)
    unknown_ceiling: int = _count("Failures that close an authenticator to unknown devices (NIST 3.2.2).", 80, 5, 100)
    known_ceiling: int = _count("Failures that close it to known devices (NIST 3.2.2).", 20, 5, 100)
    free_failures: int = _count("The failure that the first wait follows.", 5, 1, 20)
    first_wait: timedelta = _duration("The first wait; each further one doubles (NIST 3.2.2).", 30, 1, 3600)
    longest_wait: timedelta = _duration("The longest wait.", 3600, 1, _DAY)
    network_failures_per_hour: int = _count("Failures an hour of one network of users.", 100, 5, 1_000_000)
    caller_failures_per_hour: int = _count(
        "Failures an hour of a caller that may not state its client.", 10_000, 5, 1_000_000_000
    )
    sign_ups_per_network_per_hour: int = _count("Sign-ups and resends an hour of one network.", 100, 1, 1_000_000)
    sign_ups_per_caller_per_hour: int = _count(
        "Sign-ups and resends an hour of a caller that may not state its client.", 10_000, 1, 1_000_000_000
    )
    passkey_begins_per_network_per_hour: int = _count(
        "Sign-ins by passkey that one network begins an hour.", 1_000, 1, 1_000_000
    )
    passkey_begins_per_caller_per_hour: int = _count(
        "The same of a caller that may not state its client.", 100_000, 1, 1_000_000_000
    )
    captcha_provider: Literal["altcha", "hcaptcha", "turnstile", "recaptcha", "none"] = _text(
        "Whose CAPTCHA is asked: altcha is built in; others take captcha_site_key and the server's secret for it.",
        "altcha",
        choices=("altcha", "hcaptcha", "turnstile", "recaptcha", "none"),
    )
    captcha_site_key: str = _text("Site key at that provider; none for altcha.", "")
    captcha_lifetime: timedelta = _duration("Life of a challenge of altcha.", 600, 60, 3600)
    captcha_cost: int = _count("Iterations of altcha's PBKDF2; solving takes 256 times as many.", 5000, 100, 100_000)
    captcha_least_score: int = _count("Least score of reCAPTCHA v3, in hundredths.", 50, 0, 100)
    captcha_when_down: Literal["closed", "open"] = _text(
        "While the provider can't be asked, what needs a CAPTCHA is refused (closed) or passes without (open).",
        "closed",
        choices=("closed", "open"),
    )
    captcha_sign_in_after: int = _count(
        "Failures of one network in the hour, or of a caller that may not state its client, from which on SignIn asks "
        "for a CAPTCHA. 0: never.",
        0,
        0,
        1_000_000_000,
    )
    captcha_sign_up_after: int = _count(
        "Sign-ups and resends, counted likewise, from which on SignUp asks for one. 0: never.", 0, 0, 1_000_000_000
    )
    captcha_recovery_after: int = _count(
        "Which recovery of one network in the hour is the first for whose RequestPasswordReset one is asked; 1: each, "
        "0: none. Without a provider none is.",
        10,
        0,
        1_000_000_000,
    )
    sign_in_hint: bool = field(
        default=False, metadata={"doc": "Whoever names a resource is told its owner's address, masked."}
    )
    hints_per_network_per_hour: int = _count("Such hints an hour to one network.", 20, 1, 1_000_000)
    hints_per_caller_per_hour: int = _count(
        "The same of a caller that may not state its client.", 2_000, 1, 1_000_000_000
    )
    mails_per_address_per_hour: int = _count("Mails an hour that strangers can cause to one address.", 10, 1, 1000)
    sms_per_number_per_hour: int = _count("Codes an hour to one number; more are refused.", 5, 1, 1000)
    sms_per_number_per_day: int = _count("Codes a day (UTC) to one number.", 10, 1, 10_000)
    sms_notices_per_number_per_day: int = _count(
        "Notices a day (UTC) to one number; mail tells the rest. Codes never use them up.", 10, 1, 10_000
    )
    sms_per_prefix_per_day: int = _count(
        "Text messages a day (UTC) to numbers that differ in the last four digits alone.", 50, 1, 1_000_000
    )
    sms_per_country_per_day: int = _count("Text messages a day (UTC) to one country.", 500, 1, 100_000_000)
    sms_per_day: int = _count("Text messages a day (UTC) of the realm.", 1000, 1, 100_000_000)
    sms_countries: tuple[str, ...] = field(
        default=(),
        metadata={
            "doc": "ISO 3166 codes of the countries that text messages go to. Empty: all.",
            "entries": (0, 250),
        },
    )
    sms_code_domain: str = _text(
        "Domain of the line `@domain #code` that ends a code's message, by which phones fill it in. Empty: no line.", ""
    )
    code_lifetime: timedelta = _duration("Life of a code sent by mail or SMS (NIST: 10 min at most).", 300, 60, 600)
    global_addresses_only: bool = field(
        default=False, metadata={"doc": "Refuse loopback and private addresses as those of end users."}
    )
    audiences: tuple[str, ...] = field(
        default=("twofold",), metadata={"doc": "Audiences of access tokens (RFC 9068), the first by default."}
    )
    link_base_url: str = _text(
        "Where links in mails lead: the front end's https URL; http on loopback alone.", "http://localhost:3000"
    )
    mail_from_name: str = _text("Sender's name in mails. Empty: the realm's name.", "")
    language_code: str = _text("BCP 47 tag of messages where neither account nor caller says.", "en")
    support_wait: timedelta = _duration(
        "Wait between a support case's approval and its execution; 72 h at least where its user can't be told.",
        _DAY,
        3600,
        14 * _DAY,
    )
    support_case_lifetime: timedelta = _duration(
        "A support case expires unless it is executed within; longer than support_wait.", 14 * _DAY, 4 * _DAY, 28 * _DAY
    )
    support_lookups_per_hour: int = _count(
        "Look-ups an hour of one agent; that of the realm support counts.", 60, 1, 100_000
    )
    reenrollment_lifetime: timedelta = _duration(
        "Life of the code that a support reset gives the user.", _DAY, 600, 7 * _DAY
    )
    max_factors_per_kind: int = _count("Factors of one kind that an account may have.", 5, 1, 20)
    factor_kinds: tuple[str, ...] = field(
        default=FACTOR_KINDS,
        metadata={
            "doc": "Kinds of second factor that may be enrolled, never sms alone. Those enrolled before go on working.",
            "entries": (1, len(FACTOR_KINDS)),
        },
    )
    second_factor: Literal["optional", "asked", "demanded"] = _text(
        "Whether users need one: at will, offered at each sign-in without one, or set up before a session begins.",
        "optional",
        choices=("optional", "asked", "demanded"),
    )
    second_factor_keep: bool = field(
        default=False, metadata={"doc": "Users who have a second factor may not turn two-factor off by themselves."}
    )
    factors_advised: int = _count(
        "Factors that users are advised to have; backup codes are none. 0: no advice.", 2, 0, 10
    )
    passkey_rp_id: str = _text(
        "Domain that passkeys are bound to (WebAuthn RP ID). Empty: no passkeys. Another one ends those made so far.",
        "",
    )
    passkey_origins: tuple[str, ...] = field(
        default=(),
        metadata={
            "doc": "Origins of pages that may use passkeys, at or below that domain. Empty: https:// and the domain.",
            "entries": (0, 50),
        },
    )

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> RealmSettings:
        """The settings from what is stored: `preset`, and each that differs from it (durations in seconds).

        Raises SettingRefused.
        """
        overrides = dict(stored)
        preset = overrides.pop("preset", "default")
        if preset not in PRESETS:
            raise SettingRefused(f"preset: one of {', '.join(PRESETS)}.")
        # A setting that a newer release wrote is left alone, so that an older one still runs on its rows.
        known = {f.name for f in fields(cls)}
        chosen = {**PRESETS[preset], **overrides}
        values = {name: _checked(name, value) for name, value in chosen.items() if name in known}
        # Each value was checked against the type of the field of its name.
        settings = cls(**values)  # type: ignore[arg-type]
        settings._check_together()
        return settings

    def _check_together(self) -> None:
        if self.session_idle > self.session_absolute:
            raise SettingRefused("session_idle: at most session_absolute.")
        if self.support_wait >= self.support_case_lifetime:
            raise SettingRefused("support_case_lifetime: longer than support_wait.")
        if self.first_wait > self.longest_wait:
            raise SettingRefused("first_wait: at most longest_wait.")
        if self.free_failures > min(self.known_ceiling, self.unknown_ceiling):
            raise SettingRefused("free_failures: at most known_ceiling and unknown_ceiling.")
        if self.passkey_rp_id and not all(belongs(origin, self.passkey_rp_id) for origin in self.passkey_origins):
            raise SettingRefused("passkey_origins: each at passkey_rp_id or below it.")
        if self.captcha_provider not in ("altcha", "none") and not self.captcha_site_key:
            raise SettingRefused("captcha_site_key: required for this captcha_provider.")
        if self.captcha_provider == "none" and (
            self.sign_in_hint or self.captcha_sign_in_after or self.captcha_sign_up_after
        ):
            raise SettingRefused("captcha_provider: one is needed for what asks for a CAPTCHA.")
        # A kind that nobody can enrol leaves users no choice: passkeys without a domain do not count.
        if not set(self.offered_kinds) - RESTRICTED_KINDS:
            raise SettingRefused("factor_kinds: one beside sms at least, and passkey is one only with passkey_rp_id.")

    @property
    def keeps_second_factor(self) -> bool:
        """Whether users may not go back to none by themselves."""
        return self.second_factor_keep or self.second_factor == "demanded"

    @property
    def offered_kinds(self) -> tuple[str, ...]:
        """The kinds of second factor that may be enrolled, in the operator's order: passkeys only with a domain."""
        return tuple(kind for kind in self.factor_kinds if kind != "passkey" or self.passkey_rp_id)

    @property
    def waits(self) -> tuple[timedelta, ...]:
        """How long to wait after the first, second, ... failure; the last holds for all that follow."""
        waits = [timedelta(0)] * (self.free_failures - 1)
        wait = self.first_wait
        while wait < self.longest_wait:
            waits.append(wait)
            wait *= 2
        return (*waits, self.longest_wait)


PRESETS: Final[Mapping[str, Mapping[str, Any]]] = {
    "default": {},
    # NIST SP 800-63B-4: 15 characters where the password may stand alone, links of 24 h, the current step alone.
    # No codes by e-mail (3.1.3.1).
    "nist": {
        "password_minimum": 15,
        "activation_lifetime": _DAY,
        "totp_drift_steps": 0,
        "device_trust_lifetime": 0,
        "factor_kinds": [kind for kind in FACTOR_KINDS if kind != "email"],
    },
}


def docs() -> list[tuple[str, str, str]]:
    """(name, default as text, one line of documentation) of every setting."""
    return [(f.name, show(f.default), str(f.metadata["doc"])) for f in fields(RealmSettings)]


def show(value: object) -> str:
    """A setting's value as `parse` reads it."""
    match value:
        case timedelta():
            seconds = int(value.total_seconds())
            unit = next(u for u in "dhms" if seconds % _UNITS[u] == 0)
            return f"{seconds // _UNITS[unit]}{unit}"
        case tuple():
            return ",".join(str(part) for part in value)
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)


def parse(name: str, text: str) -> Stored:
    """A setting from text to what is stored: durations as `90s`, `10m`, `24h`, `2d` or seconds, lists by commas.

    Raises SettingRefused.
    """
    text = text.strip()
    if name == "preset":
        if text not in PRESETS:
            raise SettingRefused(f"preset: one of {', '.join(PRESETS)}.")
        return text
    default = _field(name).default
    match default:
        case bool():
            if text.casefold() not in _TRUE | _FALSE:
                raise SettingRefused(f"{name}: true or false.")
            stored: Stored = text.casefold() in _TRUE
        case int():
            if not (text.isascii() and text.isdigit() and len(text) <= 10):
                raise SettingRefused(f"{name}: a whole number.")
            stored = int(text)
        case timedelta():
            found = _DURATION.fullmatch(text)
            if found is None:
                raise SettingRefused(f"{name}: a duration such as 90s, 10m, 24h or 2d.")
            stored = int(found[1]) * _UNITS[found[2] or "s"]
        case tuple():
            stored = [part.strip() for part in text.split(",")] if text else []
        case _:
            stored = text
    _checked(name, stored)
    return stored


def _field(name: str) -> Field[Value]:
    for known in fields(RealmSettings):
        if known.name == name:
            return known
    raise SettingRefused(f"{name}: no such setting; `realm show --settings` lists them.")


def _checked(name: str, stored: object) -> Value:
    known = _field(name)
    default, limits = known.default, known.metadata
    match default:
        case bool():
            if not isinstance(stored, bool):
                raise SettingRefused(f"{name}: true or false.")
            return stored
        case int() | timedelta():
            if not isinstance(stored, int) or isinstance(stored, bool) or abs(stored) > 10**10:
                raise SettingRefused(f"{name}: a whole number.")
            value = timedelta(seconds=stored) if isinstance(default, timedelta) else stored
            if not limits["minimum"] <= value <= limits["maximum"]:
                raise SettingRefused(f"{name}: from {show(limits['minimum'])} to {show(limits['maximum'])}.")
            return value
        case tuple():
            least, most = limits.get("entries", (1, 50))
            if not isinstance(stored, list) or not least <= len(stored) <= most:
                raise SettingRefused(f"{name}: {least} to {most} different ones.")
            parts = tuple(_checked_text(name, part) for part in stored)
            if len(set(parts)) != len(parts):
                raise SettingRefused(f"{name}: {least} to {most} different ones.")
            return parts
        case _:
            text = _checked_text(name, stored)
            if limits.get("choices") and text not in limits["choices"]:
                raise SettingRefused(f"{name}: one of {', '.join(limits['choices'])}.")
            return text


def _checked_text(name: str, stored: object) -> str:
    if not isinstance(stored, str):
        raise SettingRefused(f"{name}: text.")
    try:
        match name:
            case "audiences":
                return Audience.parse(stored or "an empty one is none").text
            case "language_code":
                return LanguageCode.parse(stored).text
            case "link_base_url":
                return _base_url(stored)
            case "factor_kinds":
                return _factor_kind(stored)
            case "sms_countries":
                return _country(stored)
            case "sms_code_domain":
                return _domain(stored)
            case "captcha_site_key":
                return _site_key(stored)
            case "passkey_rp_id":
                return parse_rp_id(stored)
            case "passkey_origins":
                return parse_origin(stored)
            case _:
                return DisplayName.parse(stored).text
    except ValueError as error:
        raise SettingRefused(f"{name}: {error}") from None


def _factor_kind(text: str) -> str:
    if text not in FACTOR_KINDS:
        raise ValueError(f"Of {', '.join(FACTOR_KINDS)}.")
    return text


def _country(text: str) -> str:
    if not re.fullmatch(r"[A-Z]{2}|001", text, re.ASCII) or text not in phonenumbers.SUPPORTED_REGIONS | {"001"}:
        raise ValueError("A country by its two letters of ISO 3166, such as CZ.")
    return text


def _domain(text: str) -> str:
    if text and not re.fullmatch(r"(?=.{1,63}\Z)([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*", text, re.ASCII):
        raise ValueError("A domain in lower case, such as example.com.")
    return text


def _site_key(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{0,100}", text, re.ASCII):
        raise ValueError("At most 100 letters, digits, hyphens and underscores, as the provider shows it.")
    return text


def _base_url(text: str) -> str:
    # Only this URL ever stands in a mail: what a caller sends as host is never looked at (CVE-2023-49097).
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("Not a URL.") from None
    plain = text.isascii() and text.isprintable() and " " not in text and len(text) <= 512
    if not plain or not host or parts.query or parts.fragment or parts.username is not None or "?" in text:
        raise ValueError("An https URL of at most 512 ASCII characters, without user, query and fragment.")
    if parts.scheme != "https" and not (parts.scheme == "http" and host in {"localhost", "127.0.0.1", "::1"}):
        raise ValueError("An https URL; http on loopback alone.")
    return text.rstrip("/")
