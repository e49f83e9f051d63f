"""The door: what a request says, as typed values. Every bad field is collected by its path, and raised at the end."""

from __future__ import annotations

import ipaddress
import unicodedata
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Any, Final, Self, TypeVar, cast
from uuid import UUID

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from twofold_server.crypto import tokens
from twofold_server.domain import clients, paging, values, written_texts
from twofold_server.domain.attempts import Origin
from twofold_server.domain.errors import InvalidFields, SessionInvalid, Violation
from twofold_server.rpc.call import Call

T = TypeVar("T")

_MOST_PATHS: Final = 32


def reading(request: Message) -> Door:
    """Open the door for a request: `with reading(request) as door: ...` raises InvalidFields at the end of the block.

    Values of bad fields are None inside the block, so that reading goes on; they never get past it.
    """
    return Door(request)


class Door:
    """Reads fields by path, such as `client.ip_address`; one of a missing message reads as empty."""

    __slots__ = ("_bad", "_malformed_session", "_request")

    def __init__(self, request: Message) -> None:
        self._request = request
        self._bad: list[Violation] = []
        self._malformed_session: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            return
        if self._bad:
            raise InvalidFields(self._bad)
        if self._malformed_session is not None:
            raise SessionInvalid(field=self._malformed_session)

    def refuse(self, path: str, description: str) -> None:
        """Name a field as bad; the description repeats nothing that was sent."""
        self._bad.append(Violation(path, description))

    def parse(self, path: str, kind: Callable[[str], T]) -> T:
        """Any text field by a parser that raises ValueError."""
        try:
            return kind(self._text(path))
        except ValueError as error:
            self.refuse(path, str(error))
            return cast(T, None)

    def octets(self, path: str, kind: Callable[[bytes], T]) -> T:
        """Any field of bytes by a parser that raises ValueError."""
        try:
            return kind(cast(bytes, getattr(self._request, path)))
        except ValueError as error:
            self.refuse(path, str(error))
            return cast(T, None)

    def email(self, path: str = "email") -> values.EmailAddress:
        """An e-mail address. Required."""
        return self.parse(path, values.EmailAddress.parse)

    def phone_number(self, path: str = "phone_number") -> values.PhoneNumber:
        """A number that can receive text messages. Required."""
        return self.parse(path, values.PhoneNumber.parse)

    def short_code(self, path: str = "code") -> values.ShortCode:
        """A code that was sent. Required."""
        return self.parse(path, values.ShortCode.parse)

    def password(self, path: str = "password") -> values.Password:
        """A password that somebody claims. Required."""
        return self.parse(path, values.Password.parse)

    def new_password(self, path: str = "new_password", minimum: int = 8) -> values.NewPassword:
        """A password to be set, of `minimum` code points at least. Required."""
        return self.parse(path, lambda text: values.NewPassword.parse(text, minimum))

    def handle(self, path: str) -> values.Handle:
        """The token or second secret of a ticket. Required."""
        return self.parse(path, values.Handle.parse)

    def totp_code(self, path: str) -> values.TotpCode:
        """A code of an authenticator app. Required."""
        return self.parse(path, values.TotpCode.parse)

    def passkey_answer(self, path: str) -> values.PasskeyAnswer:
        """What a browser answered about a passkey. Required."""
        return self.parse(path, values.PasskeyAnswer.parse)

    def display_name(self, path: str) -> written_texts.DisplayName:
        """What somebody or something is called; may be empty."""
        return self.parse(path, written_texts.DisplayName.parse)

    def language_code(self, path: str) -> values.LanguageCode:
        """A BCP 47 tag; may be empty."""
        return self.parse(path, values.LanguageCode.parse)

    def audience(self, path: str = "audience", *, required: bool = False) -> values.Audience:
        """Who an access token is for; may be empty unless required."""
        return self.parse(path, _required(values.Audience.parse) if required else values.Audience.parse)

    def identifier(self, path: str) -> UUID:
        """An id as Twofold returned it. Required."""
        return self.parse(path, _required(values.parse_id))

    def refresh_token(self, path: str = "refresh_token") -> tokens.RefreshParts:
        """A refresh token. Required; a malformed one is SessionInvalid, as a forged one is."""
        text = self._text(path)
        found = tokens.parse_refresh_token(text)
        if not text:
            self.refuse(path, "Required.")
        elif found is None:
            self._malformed_session = path
        return cast(tokens.RefreshParts, found)

    def first_proof(self, path: str = "proof") -> values.FirstProof:
        """The code or answer that an enrolment is finished with. Required."""
        match self.one_of(path):
            case "email_code":
                return self.parse("email_code", values.EmailCode.parse)
            case "sms_code":
                return self.parse("sms_code", values.SmsCode.parse)
            case "passkey_credential":
                return self.passkey_answer("passkey_credential")
            case "push":
                return values.PushApproval()
            case _:
                return self.totp_code("totp_code")

    def second_factor(
        self, path: str = "second_factor", *, required: bool, challenged: bool = False
    ) -> values.SecondFactor | None:
        """A code of any kind; None where the message is missing and not required.

        What is sent answers a challenge alone: where there is none (not `challenged`), it is refused by name.
        """
        message = self._message(path)
        if message is None:
            if required:
                self.refuse(path, "Required.")
            return None
        match message.WhichOneof("factor"):
            case "totp_code":
                return self.totp_code(f"{path}.totp_code")
            case "backup_code":
                return self.parse(f"{path}.backup_code", values.BackupCode.parse)
            case "email_code" if challenged:
                return self.parse(f"{path}.email_code", values.EmailCode.parse)
            case "sms_code" if challenged:
                return self.parse(f"{path}.sms_code", values.SmsCode.parse)
            case "passkey_assertion" if challenged:
                return self.passkey_answer(f"{path}.passkey_assertion")
            case "push" if challenged:
                return values.PushApproval()
            case "email_code" | "sms_code" | "passkey_assertion" | "push" as arm:
                self.refuse(f"{path}.{arm}", "Answers a challenge alone: StartChallenge first.")
                return None
            case _:
                self.refuse(path, f"Required: exactly one of {', '.join(self._arms(path, 'factor'))}.")
                return None

    def one_of(self, path: str) -> str:
        """Which arm of a oneof was sent; empty, and named as bad, if none was. `path` may lead into a message."""
        parent, _, name = path.rpartition(".")
        message = self._message(parent) if parent else self._request
        chosen = message.WhichOneof(name) if message is not None else None
        if chosen is None:
            arms = self._arms(parent, name)
            self.refuse(path, f"Required: {'exactly one of ' if len(arms) > 1 else ''}{', '.join(arms)}.")
        return chosen or ""

    def update_mask(self, allowed: Collection[str], path: str = "update_mask") -> frozenset[str]:
        """The paths of an update mask, one of `allowed` at least."""
        mask = self._message(path)
        paths = list(cast(FieldMask, mask).paths[: _MOST_PATHS + 1]) if mask is not None else []
        if not paths:
            self.refuse(path, f"Required: any of {', '.join(sorted(allowed))}.")
        elif len(paths) > _MOST_PATHS or not set(paths) <= set(allowed):
            self.refuse(path, f"Names what can't be changed here; any of {', '.join(sorted(allowed))} can.")
        return frozenset(paths)

    def page(self, call: Call, pages: paging.Pages) -> paging.Page:
        """The page that `page_size` and `page_token` ask for, in the list of the call's method, realm and user."""
        size, after = paging.DEFAULT_SIZE, None
        try:
            size = paging.parse_size(cast(Any, self._request).page_size)
        except ValueError as error:
            self.refuse("page_size", str(error))
        try:
            after = pages.parse(call.scope, cast(Any, self._request).page_token)
        except ValueError as error:
            self.refuse("page_token", str(error))
        return paging.Page(size, after)

    def client(self, call: Call, path: str = "client") -> clients.Client:
        """The end user's side, as far as the caller is believed.

        A caller that may state its client must send an address with every credential. Of others the address is not
        looked at, and failures are counted under the caller.
        """
        rule = call.client_rule
        address, network = "", f"caller:{call.caller.caller_id}"
        if rule.stated and (rule.address_required or self._text(f"{path}.ip_address")):
            address = self.parse(f"{path}.ip_address", _required(clients.parse_ip_address)) or ""
            if address:
                network = clients.network_of(address)
                if rule.global_only and not ipaddress.ip_address(address).is_global:
                    self.refuse(f"{path}.ip_address", "Not a global address, which this realm demands.")
        return clients.Client(
            network=network,
            ip_address=address,
            user_agent=_plain(self._text(f"{path}.user_agent")),
            device=self._device(f"{path}.device_token"),
            language_code=(self.language_code(f"{path}.language_code") or values.LanguageCode("")).text,
            stated=rule.stated,
            captcha=self.parse(f"{path}.captcha", clients.parse_captcha) or "",
        )

    def origin(self, call: Call) -> Origin:
        """Where a call comes from: the caller, and what `client` states as far as that is believed."""
        return Origin(call.caller.name, self.client(call))

    def _device(self, path: str) -> tokens.DeviceParts | None:
        text = self._text(path)
        found = tokens.parse_device_token(text) if text else None
        if text and found is None:
            self.refuse(path, "Not a device token: send what the last sign-in returned.")
        return found

    def _message(self, path: str) -> Message | None:
        message: Message = self._request
        for name in path.split("."):
            if not message.HasField(name):
                return None
            message = getattr(message, name)
        return message

    def _text(self, path: str) -> str:
        parent, _, name = path.rpartition(".")
        message = self._message(parent) if parent else self._request
        return getattr(message, name) if message is not None else ""

    def _arms(self, parent: str, oneof: str) -> list[str]:
        descriptor: Any = self._request.DESCRIPTOR
        for name in parent.split(".") if parent else ():
            descriptor = descriptor.fields_by_name[name].message_type
        return [field.name for field in descriptor.oneofs_by_name[oneof].fields]


def _required(kind: Callable[[str], T]) -> Callable[[str], T]:
    def parse(text: str) -> T:
        if not text:
            raise ValueError("Required.")
        return kind(text)

    return parse


def _plain(text: str) -> str:
    # Shown in lists and mails: no control, bidi or line-break characters. Cut first, so that a long one costs nothing.
    cut = text[: clients.MAXIMUM_USER_AGENT]
    return cut if cut.isascii() and cut.isprintable() else "".join(c for c in cut if _is_plain(c))


def _is_plain(character: str) -> bool:
    return character == " " or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
