"""What a realm may set: each setting with unit, default, limits and where its default comes from."""

# ruff: noqa: RUF009 (the functions called for defaults return dataclasses.field)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from datetime import timedelta
from typing import Any, Final, Literal

from twofold_server.domain.setting_forms import (
    SettingRefused,
    Stored,
    Value,
    base_url,
    checked,
    count,
    country,
    domain,
    duration,
    parsed,
    show,
    site_key,
    words,
)
from twofold_server.domain.values import Audience, LanguageCode
from twofold_server.domain.web_origins import belongs, parse_origin, parse_rp_id

_DAY: Final = 86400
FACTOR_KINDS: Final = ("totp", "email", "sms", "passkey", "push")
RESTRICTED_KINDS: Final = frozenset({"sms"})
"""Kinds that must not be a user's only choice (NIST SP 800-63B-4, 3.1.3.3)."""


def _factor_kind(text: str) -> str:
    if text not in FACTOR_KINDS:
        raise ValueError(f"Of {', '.join(FACTOR_KINDS)}.")
    return text


def _audience(text: str) -> str:
    return Audience.parse(text or "an empty one is none").text


def _language(text: str) -> str:
    return LanguageCode.parse(text).text


@dataclass(frozen=True, slots=True)
class RealmSettings:
    """The settings of a realm. Made by `of`, which checks them."""

    password_minimum: int = count("Code points of a new password at least (ASVS 6.2.1; NIST: 15).", 8, 8, 64)
    activation_lifetime: timedelta = duration("Life of an activation link.", 2 * _DAY, 600, 14 * _DAY)
    reset_lifetime: timedelta = duration("Life of a link by which a password is reset.", 1800, 300, _DAY)
    recovery_link_lifetime: timedelta = duration("Life of a link that begins a two-factor recovery.", 300, 60, 3600)
    recovery_lifetime: timedelta = duration("Life of a two-factor recovery once its link was opened.", 600, 300, 3600)
    two_factor_recovery_wait: timedelta = duration(
        "Wait before a two-factor recovery takes effect, while it can be cancelled; 0: none.", 0, 0, 30 * _DAY
    )
    recoveries_per_network_per_hour: int = count("Recoveries that one network begins an hour.", 100, 1, 1_000_000)
    recoveries_per_caller_per_hour: int = count(
        "Recoveries an hour of a caller that may not state its client.", 10_000, 1, 1_000_000_000
    )
    email_change_lifetime: timedelta = duration(
        "Life of the link that confirms a new address (NIST SP 800-63A: 24 h).", _DAY, 600, 7 * _DAY
    )
    email_undo_lifetime: timedelta = duration(
        "How long the address before can take a change of address back.", 7 * _DAY, _DAY, 30 * _DAY
    )
    resend_wait: timedelta = duration("Wait before a message is sent again.", 60, 10, 3600)
    resend_limit: int = count("Times that a sign-up's link is sent again.", 5, 1, 20)
    device_trust_lifetime: timedelta = duration(
        "A device that its user trusts needs no second factor for; 0: none is trusted.", 7 * _DAY, 0, 90 * _DAY
    )
    challenge_lifetime: timedelta = duration("Life of a sign-in's pending second factor (NIST).", 600, 60, 3600)
    enrollment_lifetime: timedelta = duration("Life of a begun enrolment.", 600, 60, 3600)
    access_token_lifetime: timedelta = duration("Life of an access token (RFC 9068).", 300, 60, 900)
    session_idle: timedelta = duration("A session ends unless refreshed (NIST 2.1.3).", 30 * _DAY, 300, 90 * _DAY)
    session_absolute: timedelta = duration("A session's longest life (NIST 2.1.3).", 30 * _DAY, 300, 365 * _DAY)
    session_user_agent: Literal["end", "notify", "ignore"] = words(
        "What follows a change of a session's User-Agent: its end, a notice, nothing. Browsers change it at updates.",
        "ignore",
        choices=("end", "notify", "ignore"),
    )
    aal2_lifetime: timedelta = duration("AAL2 lasts since the factor's proof (NIST 2.2.3).", _DAY, 300, 30 * _DAY)
    aal2_idle: timedelta = duration("AAL2 ends unless refreshed within (NIST 2.2.3).", 3600, 300, 30 * _DAY)
    aal2_end: Literal["downgrade", "end"] = words(
        "What follows AAL2's end: the session goes on as AAL1, or ends.", "downgrade", choices=("downgrade", "end")
    )
    recent_proof: timedelta = duration("A proof counts as recent for (NIST).", 600, 60, 3600)
    totp_drift_steps: int = count("Steps of 30 s forgiven on either side (RFC 6238 5.2).", 1, 0, 2)
    totp_issuer: str = words("Issuer that authenticator apps show. Empty: the realm's name.", "")
    push_digits: int = count("Digits typed on the phone; under 6 an approval is AAL1 (NIST 3.1.3.2).", 6, 2, 6)
    push_lifetime: timedelta = duration("Life of a request for approval.", 60, 30, 300)
    push_limit: int = count("Requests within 10 min that go unapproved until no more are made (ASVS 6.6.4).", 3, 1, 20)
    unknown_ceiling: int = count("Failures that close an authenticator to unknown devices (NIST 3.2.2).", 80, 5, 100)
    known_ceiling: int = count("Failures that close it to known devices (NIST 3.2.2).", 20, 5, 100)
    free_failures: int = count("The failure that the first wait follows.", 5, 1, 20)
    first_wait: timedelta = duration("The first wait; each further one doubles (NIST 3.2.2).", 30, 1, 3600)
    longest_wait: timedelta = duration("The longest wait.", 3600, 1, _DAY)
    network_failures_per_hour: int = count("Failures an hour of one network of users.", 100, 5, 1_000_000)
    caller_failures_per_hour: int = count(
        "Failures an hour of a caller that may not state its client.", 10_000, 5, 1_000_000_000
    )
    sign_ups_per_network_per_hour: int = count("Sign-ups and resends an hour of one network.", 100, 1, 1_000_000)
    sign_ups_per_caller_per_hour: int = count(
        "Sign-ups and resends an hour of a caller that may not state its client.", 10_000, 1, 1_000_000_000
    )
    passkey_begins_per_network_per_hour: int = count(
        "Sign-ins by passkey that one network begins an hour.", 1_000, 1, 1_000_000
    )
    passkey_begins_per_caller_per_hour: int = count(
        "The same of a caller that may not state its client.", 100_000, 1, 1_000_000_000
    )
    captcha_provider: Literal["altcha", "hcaptcha", "turnstile", "recaptcha", "none"] = words(
        "Whose CAPTCHA is asked: altcha is built in; others take captcha_site_key and the server's secret for it.",
        "altcha",
        choices=("altcha", "hcaptcha", "turnstile", "recaptcha", "none"),
    )
    captcha_site_key: str = words("Site key at that provider; none for altcha.", "", check=site_key)
    captcha_lifetime: timedelta = duration("Life of a challenge of altcha.", 600, 60, 3600)
    captcha_cost: int = count("Iterations of altcha's PBKDF2; solving takes 256 times as many.", 5000, 100, 100_000)
    captcha_least_score: int = count("Least score of reCAPTCHA v3, in hundredths.", 50, 0, 100)
    captcha_when_down: Literal["closed", "open"] = words(
        "While the provider can't be asked, what needs a CAPTCHA is refused (closed) or passes without (open).",
        "closed",
        choices=("closed", "open"),
    )
    captcha_sign_in_after: int = count(
        "Failures of one network in the hour, or of a caller that may not state its client, from which on SignIn asks "
        "for a CAPTCHA. 0: never.",
        0,
        0,
        1_000_000_000,
    )
    captcha_sign_up_after: int = count(
        "Sign-ups and resends, counted likewise, from which on SignUp asks for one. 0: never.", 0, 0, 1_000_000_000
    )
    captcha_recovery_after: int = count(
        "Which recovery of one network in the hour is the first for whose RequestPasswordReset one is asked; 1: each, "
        "0: none. Without a provider none is.",
        10,
        0,
        1_000_000_000,
    )
    sign_in_hint: bool = field(
        default=False, metadata={"doc": "Whoever names a resource is told its owner's address, masked."}
    )
    hints_per_network_per_hour: int = count("Such hints an hour to one network.", 20, 1, 1_000_000)
    hints_per_caller_per_hour: int = count(
        "The same of a caller that may not state its client.", 2_000, 1, 1_000_000_000
    )
    mails_per_address_per_hour: int = count("Mails an hour that strangers can cause to one address.", 10, 1, 1000)
    sms_per_number_per_hour: int = count("Codes an hour to one number; more are refused.", 5, 1, 1000)
    sms_per_number_per_day: int = count("Codes a day (UTC) to one number.", 10, 1, 10_000)
    sms_notices_per_number_per_day: int = count(
        "Notices a day (UTC) to one number; mail tells the rest. Codes never use them up.", 10, 1, 10_000
    )
    sms_per_prefix_per_day: int = count(
        "Text messages a day (UTC) to numbers that differ in the last four digits alone.", 50, 1, 1_000_000
    )
    sms_per_country_per_day: int = count("Text messages a day (UTC) to one country.", 500, 1, 100_000_000)
    sms_per_day: int = count("Text messages a day (UTC) of the realm.", 1000, 1, 100_000_000)
    sms_countries: tuple[str, ...] = field(
        default=(),
        metadata={
            "doc": "ISO 3166 codes of the countries that text messages go to. Empty: all.",
            "entries": (0, 250),
            "check": country,
        },
    )
    sms_code_domain: str = words(
        "Domain of the line `@domain #code` that ends a code's message, by which phones fill it in. Empty: no line.",
        "",
        check=domain,
    )
    code_lifetime: timedelta = duration("Life of a code sent by mail or SMS (NIST: 10 min at most).", 300, 60, 600)
    global_addresses_only: bool = field(
        default=False, metadata={"doc": "Refuse loopback and private addresses as those of end users."}
    )
    audiences: tuple[str, ...] = field(
        default=("twofold",),
        metadata={"doc": "Audiences of access tokens (RFC 9068), the first by default.", "check": _audience},
    )
    link_base_url: str = words(
        "Where links in mails lead: the front end's https URL; http on loopback alone.",
        "http://localhost:3000",
        check=base_url,
    )
    mail_from_name: str = words("Sender's name in mails. Empty: the realm's name.", "")
    language_code: str = words("BCP 47 tag of messages where neither account nor caller says.", "en", check=_language)
    support_wait: timedelta = duration(
        "Wait between a support case's approval and its execution; 72 h at least where its user can't be told.",
        _DAY,
        3600,
        14 * _DAY,
    )
    support_case_lifetime: timedelta = duration(
        "A support case expires unless it is executed within; longer than support_wait.", 14 * _DAY, 4 * _DAY, 28 * _DAY
    )
    support_lookups_per_hour: int = count(
        "Look-ups an hour of one agent; that of the realm support counts.", 60, 1, 100_000
    )
    reenrollment_lifetime: timedelta = duration(
        "Life of the code that a support reset gives the user.", _DAY, 600, 7 * _DAY
    )
    max_factors_per_kind: int = count("Factors of one kind that an account may have.", 5, 1, 20)
    factor_kinds: tuple[str, ...] = field(
        default=FACTOR_KINDS,
        metadata={
            "doc": "Kinds of second factor that may be enrolled, never sms alone. Those enrolled before go on working.",
            "entries": (1, len(FACTOR_KINDS)),
            "check": _factor_kind,
        },
    )
    second_factor: Literal["optional", "asked", "demanded"] = words(
        "Whether users need one: at will, offered at each sign-in without one, or set up before a session begins.",
        "optional",
        choices=("optional", "asked", "demanded"),
    )
    second_factor_keep: bool = field(
        default=False, metadata={"doc": "Users who have a second factor may not turn two-factor off by themselves."}
    )
    factors_advised: int = count(
        "Factors that users are advised to have; backup codes are none. 0: no advice.", 2, 0, 10
    )
    passkey_rp_id: str = words(
        "Domain that passkeys are bound to (WebAuthn RP ID). Empty: no passkeys. Another one ends those made so far.",
        "",
        check=parse_rp_id,
    )
    passkey_origins: tuple[str, ...] = field(
        default=(),
        metadata={
            "doc": "Origins of pages that may use passkeys, at or below that domain. Empty: https:// and the domain.",
            "entries": (0, 50),
            "check": parse_origin,
        },
    )

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> RealmSettings:
        """The settings from what is stored: `preset`, and each that differs from it (durations in seconds).

        Raises SettingRefused.
        """
        overrides = dict(stored)
        preset = _preset(overrides.pop("preset", "default"))
        # A setting that a newer release wrote is left alone, so that an older one still runs on its rows.
        known = {f.name for f in fields(cls)}
        chosen = {**PRESETS[preset], **overrides}
        values = {name: checked(_field(name), value) for name, value in chosen.items() if name in known}
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


def parse(name: str, text: str) -> Stored:
    """A setting from text to what is stored. Raises SettingRefused."""
    if name == "preset":
        return _preset(text.strip())
    return parsed(_field(name), text.strip())


def _preset(name: str) -> str:
    if name not in PRESETS:
        raise SettingRefused(f"preset: one of {', '.join(PRESETS)}.")
    return name


def _field(name: str) -> Field[Value]:
    for known in fields(RealmSettings):
        if known.name == name:
            return known
    raise SettingRefused(f"{name}: no such setting; `realm show --settings` lists them.")
