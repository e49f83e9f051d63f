"""What comes in by the door: typed values that are right by construction. What people write is in `written_texts`, and
the end user's side of a call in `clients`.

Each `parse` takes what was sent and returns the value or raises ValueError with a text for the caller, which never
repeats what was sent. Past the door nothing is checked for shape again.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import ClassVar, NewType, Self
from uuid import UUID

import email_validator
import phonenumbers
from phonenumbers import PhoneNumberType

from twofold_server.crypto import backup_codes, pairing_codes, passkeys, tokens

RealmId = NewType("RealmId", str)
AccountId = NewType("AccountId", UUID)
SessionId = NewType("SessionId", UUID)
FactorId = NewType("FactorId", UUID)
DeviceId = NewType("DeviceId", UUID)
TicketId = NewType("TicketId", UUID)

MAXIMUM_EMAIL = 254
MAXIMUM_PASSWORD = 256
MAXIMUM_PHONE_TEXT = 32
MAXIMUM_PASSKEY_ANSWER = passkeys.MAX_CREDENTIAL_CHARACTERS

_REALM = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")
_E164 = re.compile(r"\+[1-9][0-9]{3,14}", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def parse_realm_id(text: str) -> RealmId:
    """A realm's name: 1 to 63 lower-case letters, digits and inner hyphens."""
    if not _REALM.fullmatch(text):
        raise ValueError("Not a realm id: 1 to 63 lower-case letters, digits and inner hyphens.")
    return RealmId(text)


def parse_id(text: str) -> UUID:
    """An id as Twofold shows it: a UUID in lower case with hyphens."""
    if not _UUID.fullmatch(text):
        raise ValueError("Not an id: 36 characters, as Twofold returned it.")
    return UUID(text)


@dataclass(frozen=True, slots=True)
class EmailAddress:
    """An e-mail address: `text` as it was written, `key` by which it is unique.

    At most 254 characters, RFC 5321. Every spelling of one address has one key, so that counts and uniqueness
    can't be slipped past by case or look-alike forms (CVE-2025-24806): the local part by NFKC and casefold, the domain
    by its IDNA A-label, as casefold would join domains that have different owners.
    """

    text: str
    key: str

    @classmethod
    def parse(cls, text: str) -> Self:
        if not text:
            raise ValueError("Required.")
        if len(text) > MAXIMUM_EMAIL:
            raise ValueError(f"Longer than {MAXIMUM_EMAIL} characters.")
        try:
            found = email_validator.validate_email(text, check_deliverability=False, strict=True)
        except email_validator.EmailNotValidError:
            # The library's text quotes what was sent.
            raise ValueError("Not an e-mail address.") from None
        local = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", found.local_part).casefold())
        key = f"{local}@{found.ascii_domain.lower()}"
        if len(key) > MAXIMUM_EMAIL or key.count("@") != 1 or any(c.isspace() for c in key):
            raise ValueError("Not an e-mail address.")
        return cls(found.normalized, key)


_NO_SMS = {
    PhoneNumberType.FIXED_LINE: "A landline, which takes no text messages.",
    PhoneNumberType.PREMIUM_RATE: "A premium-rate number.",
    PhoneNumberType.SHARED_COST: "A shared-cost number.",
    PhoneNumberType.TOLL_FREE: "A toll-free number, which takes no text messages.",
    PhoneNumberType.VOIP: "A number of internet telephony, which anybody can have in bulk.",
    PhoneNumberType.PERSONAL_NUMBER: "A personal number, whose calls are charged by where they lead.",
    PhoneNumberType.PAGER: "A pager.",
    PhoneNumberType.UAN: "A company's number, which takes no text messages.",
    PhoneNumberType.VOICEMAIL: "A voice mailbox.",
}
_PHONE_CLEANED = str.maketrans(dict.fromkeys(" -.()/\u00a0"))


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """A number that can receive text messages: `text` in E.164, `country` by ISO 3166 (`001`: of no country).

    It must exist in the numbering plan as libphonenumber knows it, and be of a mobile, or of a kind that can't be told
    from one (North America). `prefix` is what its neighbours share: all but the last four digits, the size of the
    ranges that are handed out, and rented for fraud.
    """

    text: str = field(repr=False)
    country: str
    prefix: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        if not text:
            raise ValueError("Required.")
        if len(text) > MAXIMUM_PHONE_TEXT:
            raise ValueError(f"Longer than {MAXIMUM_PHONE_TEXT} characters.")
        digits = text.translate(_PHONE_CLEANED)
        # The library would take letters, extensions and digits of other scripts as well.
        if not _E164.fullmatch(digits):
            raise ValueError("Not a phone number in international form, such as +420777123456.")
        try:
            number = phonenumbers.parse(digits, None)
        except phonenumbers.NumberParseException:
            raise ValueError("No country has such a number.") from None
        if not phonenumbers.is_possible_number(number):
            raise ValueError("Too short or too long for its country.")
        if not phonenumbers.is_valid_number(number):
            raise ValueError("No such number can exist in its country.")
        kind = phonenumbers.number_type(number)
        if kind not in (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE):
            raise ValueError(_NO_SMS.get(kind, "Not known to be a mobile number."))
        canonical = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        country = phonenumbers.region_code_for_number(number) or "001"
        return cls(canonical, country, canonical[:-4])

    @property
    def calling_code(self) -> str:
        """The country's part of it, such as `+420`."""
        return f"+{phonenumbers.parse(self.text, None).country_code}"


@dataclass(frozen=True, slots=True)
class ShortCode:
    """The six digits of a code that was sent; spaces are forgiven."""

    digits: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(TotpCode.parse(text).digits)


@dataclass(frozen=True, slots=True)
class Password:
    """A password that somebody claims: any text of 1 to 256 code points, NFC (NIST SP 800-63B-4, 3.1.1.2)."""

    text: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        if not text:
            raise ValueError("Required.")
        if len(text) > MAXIMUM_PASSWORD:
            raise ValueError(f"Longer than {MAXIMUM_PASSWORD} code points.")
        return cls(unicodedata.normalize("NFC", text))


@dataclass(frozen=True, slots=True)
class NewPassword:
    """A password to be set: 8 to 256 code points, NFC.

    The realm's minimum and the blocklist are judged by the rules.
    """

    text: str = field(repr=False)

    @classmethod
    def parse(cls, text: str, minimum: int = 8) -> Self:
        if not text:
            raise ValueError("Required.")
        # Before the normalisation: what is composed of a million marks would cost time first.
        if len(text) > MAXIMUM_PASSWORD:
            raise ValueError(f"Longer than {MAXIMUM_PASSWORD} code points.")
        if "\x00" in text:
            raise ValueError("A password can't hold a NUL character.")
        text = unicodedata.normalize("NFC", text)
        if len(text) < minimum:
            raise ValueError(f"Shorter than {minimum} characters.")
        return cls(text)


@dataclass(frozen=True, slots=True)
class Handle:
    """The token of a ticket, link or step as it is searched for: SHA-256 of 256 random bits.

    The second secret alike.
    """

    hash: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        if not text:
            raise ValueError("Required.")
        found = tokens.token_hash(text)
        if found is None:
            raise ValueError("Not a token: 43 characters, as Twofold returned it.")
        return cls(found)


@dataclass(frozen=True, slots=True)
class TotpCode:
    """Six digits of an app; spaces are forgiven, as apps show codes in two groups."""

    digits: str = field(repr=False)

    kind: ClassVar[str] = "totp"

    @property
    def text(self) -> str:
        return self.digits

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(_six_digits(text))


@dataclass(frozen=True, slots=True)
class EmailCode:
    """Six digits that were mailed."""

    digits: str = field(repr=False)

    kind: ClassVar[str] = "email"

    @property
    def text(self) -> str:
        return self.digits

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(_six_digits(text))


@dataclass(frozen=True, slots=True)
class SmsCode:
    """Six digits that came by SMS."""

    digits: str = field(repr=False)

    kind: ClassVar[str] = "sms"

    @property
    def text(self) -> str:
        return self.digits

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(_six_digits(text))


def _six_digits(text: str) -> str:
    if len(text) > 32:
        raise ValueError("A code has 6 digits.")
    digits = "".join(text.split())
    if not digits:
        raise ValueError("Required.")
    # isdigit alone takes Arabic-Indic and other digits, which int() would read as well.
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError("A code has digits only.")
    if len(digits) != 6:
        raise ValueError("A code has 6 digits.")
    return digits


@dataclass(frozen=True, slots=True)
class BackupCode:
    """A backup code: its slot and its 80 bits in canonical text."""

    slot: str
    text: str = field(repr=False)

    kind: ClassVar[str] = "backup_code"

    @classmethod
    def parse(cls, text: str) -> Self:
        if not text:
            raise ValueError("Required.")
        found = backup_codes.normalize(text) if len(text) <= 64 else None
        if found is None:
            raise ValueError("Not a backup code: a letter and 16 characters, such as C-7Q2M-XK4T-9ZRA-B1DE.")
        return cls(found.slot, found.text)


@dataclass(frozen=True, slots=True)
class PasskeyAnswer:
    """What a browser answered about a passkey: the JSON of `PublicKeyCredential.toJSON()`, at most 16 KiB.

    Its shape is judged with its truth: a wrong one counts as a wrong code does.
    """

    text: str = field(repr=False)

    kind: ClassVar[str] = "passkey"

    @classmethod
    def parse(cls, text: str) -> Self:
        if not text:
            raise ValueError("Required.")
        if len(text) > MAXIMUM_PASSKEY_ANSWER:
            raise ValueError(f"Longer than {MAXIMUM_PASSKEY_ANSWER} characters.")
        return cls(text)


@dataclass(frozen=True, slots=True)
class PushApproval:
    """The claim that a phone has approved: it holds nothing, as the request itself tells."""

    text: str = ""

    kind: ClassVar[str] = "push"


SentCode = EmailCode | SmsCode
"""What answers a message; it comes through a challenge alone, since that is what the message was sent for."""

FirstProof = TotpCode | SentCode | PasskeyAnswer | PushApproval
"""What an enrolment is finished with."""

SecondFactor = TotpCode | BackupCode | SentCode | PasskeyAnswer | PushApproval


@dataclass(frozen=True, slots=True)
class PairingCode:
    """A pairing code in its one spelling."""

    text: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        if not text:
            raise ValueError("Required.")
        found = pairing_codes.normalize(text)
        if found is None:
            raise ValueError("Not a pairing code: 28 characters in groups of four.")
        return cls(found)


@dataclass(frozen=True, slots=True)
class SupportCode:
    """A code that support has handed over, in its one spelling."""

    text: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        found = pairing_codes.normalize(text)
        if found is None:
            raise ValueError("Not a code of support's: 28 characters in groups of four.")
        return cls(found)


@dataclass(frozen=True, slots=True)
class ApprovalNumber:
    """The number of a waiting screen, as it was typed on a phone: 2 to 6 digits, spaces forgiven; may be empty."""

    digits: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        digits = "".join(text.split()) if len(text) <= 32 else "-"
        if digits and not (digits.isascii() and digits.isdigit() and 2 <= len(digits) <= 6):
            raise ValueError("Not the number of a request: 2 to 6 digits.")
        return cls(digits)


@dataclass(frozen=True, slots=True)
class WakeUpToken:
    """What the operator's push service knows a phone by: at most 512 printable ASCII characters; empty for none."""

    text: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        if len(text) > 512 or not all("!" <= c <= "~" for c in text):
            raise ValueError("At most 512 printable ASCII characters without spaces.")
        return cls(text)


@dataclass(frozen=True, slots=True)
class LanguageCode:
    """A BCP 47 tag of at most 35 characters; empty for none."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        if text and (len(text) > 35 or not _LANGUAGE.fullmatch(text)):
            raise ValueError("Not a language tag such as en or pt-BR.")
        return cls(text)


@dataclass(frozen=True, slots=True)
class Audience:
    """Who an access token is for, printable ASCII of at most 255 characters; empty for the default."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        if len(text) > 255 or not all("!" <= c <= "~" for c in text):
            raise ValueError("Not an audience: at most 255 printable ASCII characters.")
        return cls(text)
