"""What is put into each field of a request, and which answers are right: `OK` or reasons of error_reason.proto."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.quick import Quick
from tests.integration.request_parts import begun, challenged
from twofold.v1 import account_pb2, session_pb2, two_factor_pb2

LONG = "x" * 10_000
NUL = "ab\x00cd\x00ef"
LOOKALIKE = "раураl аdmin"  # Cyrillic letters among Latin ones
BIDI = "abc\u202etxt.exe\u2066"
SQL = "x'; DROP TABLE accounts; --"
TEMPLATE = "{{7*7}}${jndi:x}{% raw %}"
LINES = "abc\r\nBcc: victim@example.org"
NOT_UTF8 = b"\xc3\x28\xff\xfe\xed\xa0\x80\xc0"
"""Among them a lone surrogate and an overlong NUL, as no text can hold them."""

NO_CLIENTS = (
    "0.0.0.0", "255.255.255.255", "224.0.0.1", "::", "ff02::1", "fe80::1%eth0", "127.1", "1", "010.1.2.3", "1.2.3.4 "
)  # fmt: skip

COMMON = {
    "empty": "", "long": LONG, "nul": NUL, "lookalike": LOOKALIKE, "bidi": BIDI, "sql": SQL, "template": TEMPLATE,
    "lines": LINES,
}  # fmt: skip

BAD = frozenset({"INVALID_FIELDS"})
FINE = frozenset({"OK"})
NOT_FOR_CALLERS = frozenset(
    {"INTERNAL", "OVERLOADED", "DATABASE_UNAVAILABLE", "SERVER_DRAINING", "CALL_CUT_OFF", "DEADLINE_TOO_SHORT"}
)

_TAKEN = frozenset({"account.display_name", "account.language_code", "factor.factor_id", "factor.name"})
"""Of Account and Factor in an update: the rest of their fields is output only, and passed over."""

Bag = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Hostile:
    """One value for a field, and what may come of it."""

    label: str
    value: str | int
    allowed: frozenset[str]


async def tokens_of_every_kind(service: Quick) -> dict[str, str]:
    """A live token of each purpose, none of which belongs to the request under test."""
    user, challenge = await challenged(service)
    address = f"claimed.{user.email}"
    claim = await service.sign_up(address)
    enrolling = await service.signed_in_user()
    enrollment = await begun(service, enrolling)
    stepped = await service.sessions.StepUp(
        session_pb2.StepUpRequest(second_factor=session_pb2.SecondFactorStepUp(), client=service.client),
        metadata=service.with_session(user),
    )
    await service.sign_in(enrolling)
    pages: dict[str, Any] = {
        "sessions_page": await service.sessions.ListSessions(
            session_pb2.ListSessionsRequest(page_size=1), metadata=service.with_session(enrolling)
        ),
        "sign_ins_page": await service.accounts.ListSignIns(
            account_pb2.ListSignInsRequest(page_size=1), metadata=service.with_session(enrolling)
        ),
    }
    await service.enrol(user)
    pages["factors_page"] = await service.two_factor.ListFactors(
        two_factor_pb2.ListFactorsRequest(page_size=1), metadata=service.with_session(user)
    )
    return {
        "activation_token": await service.link_token(address),
        "sign_up_binding": claim.sign_up_binding,
        "challenge_token": challenge.challenge_token,
        "challenge_binding": challenge.challenge_binding,
        "step_up_token": stepped.challenge.challenge_token,
        "step_up_binding": stepped.challenge.challenge_binding,
        "enrollment_token": enrollment.enrollment_token,
        "refresh_token": enrolling.tokens.refresh_token,
        "device_token": enrolling.device_token,
        "access_token": enrolling.tokens.access_token,
        "credential": service.credential,
        "backup_code": user.backup_codes[0],
        **{name: page.next_page_token for name, page in pages.items()},
    }


def _common(allowed: frozenset[str], **others: frozenset[str]) -> list[Hostile]:
    return [Hostile(label, value, others.get(label, allowed)) for label, value in COMMON.items()]


def _handles(bag: Bag, own: str, foreign: frozenset[str]) -> list[Hostile]:
    """For a ticket's token or binding: whatever has its form is foreign, and what has not is malformed."""
    return [
        *_common(BAD),
        Hostile("truncated", own[:-1], BAD),
        Hostile("one more", own + "A", BAD),
        Hostile("another's case", own.swapcase(), BAD | foreign),
        *(Hostile(name, token, foreign if len(token) == 43 else BAD) for name, token in bag.items()),
    ]


def for_text(path: str, method: str, own: str, bag: Bag) -> list[Hostile]:
    """The values for a text field by its path; `own` is what stands there."""
    name = path.rpartition(".")[2]
    if path.startswith(("account.", "factor.")) and path not in _TAKEN:
        return _common(FINE)
    match name:
        case "realm_id":
            return _common(frozenset({"REALM_NOT_FOUND"}), empty=FINE)
        case "email" | "new_email":
            right = frozenset({"INVALID_CREDENTIALS"}) if method.endswith("SignIn") else FINE
            if method.endswith("ReviveActivation"):
                # Or it has just signed up, in another of these tests.
                right = frozenset({"SIGN_UP_NOT_FOUND"}) | FINE
            if method.endswith("BeginEnrollment"):
                # A code has just gone to the one before.
                right |= {"RESEND_TOO_SOON"}
            return [
                *_common(BAD),
                Hostile("template in the local part", "{{7*7}}${x}@example.org", right),
                Hostile("look-alike", "аdа@example.org", right | BAD),
                Hostile("long local part", "x" * 9_980 + "@example.org", BAD),
                Hostile("two", "ada@example.org,eve@example.org", BAD),
                Hostile("named", '"Ada" <ada@example.org>', BAD),
                Hostile("line break", "ada@example.org\r\nBcc: eve@example.org", BAD),
                Hostile("literal", "ada@[127.0.0.1]", BAD),
            ]
        case "password" if method.endswith("SignUp"):
            return [*_common(FINE, empty=BAD, long=BAD, nul=BAD), Hostile("common", "password1", BAD)]
        case "new_password":
            foreign = FINE
            return [*_common(foreign, empty=BAD, long=BAD, nul=BAD), Hostile("common", "password1", BAD)]
        case "password" if method.endswith("BeginTwoFactorRecovery"):
            # Wrong, and answered as the right one is.
            return _common(FINE, empty=BAD, long=BAD)
        case "password":
            return _common(frozenset({"INVALID_CREDENTIALS"}), empty=BAD, long=BAD)
        case "email_code" | "sms_code" if not path.startswith("second_factor") or method.endswith("FinishChallenge"):
            wrong = frozenset({"INVALID_SECOND_FACTOR", "TICKET_NOT_FOUND"})
            return [
                *_common(BAD), Hostile("letters", "12a456", BAD), Hostile("seven", "1234567", BAD),
                Hostile("never sent", "123456", BAD | wrong),
            ]  # fmt: skip
        case "email_code" | "sms_code":
            return [*_common(BAD), Hostile("where nothing was sent", "123456", BAD)]
        case "totp_code":
            wrong = frozenset({"INVALID_SECOND_FACTOR"})
            return [
                *_common(BAD),
                Hostile("letters", "12a456", BAD), Hostile("Arabic-Indic", "١٢٣٤٥٦", BAD),
                Hostile("signed", "-12345", BAD), Hostile("seven", "1234567", BAD), Hostile("dots", "12.456", BAD),
                Hostile("backup code", bag["backup_code"], BAD),
                Hostile("another's", "000000" if own != "000000" else "000001", wrong),
            ]  # fmt: skip
        case "code":
            # The wrong ones of these count, so they are few: the fifth ends the step.
            wrong = frozenset({"INVALID_CODE"})
            return [
                *_common(BAD),
                Hostile("letters", "12a456", BAD), Hostile("Arabic-Indic", "١٢٣٤٥٦", BAD),
                Hostile("seven", "1234567", BAD),
                Hostile("another's", "000000" if own != "000000" else "000001", wrong),
            ]  # fmt: skip
        case "phone_number":
            return [
                *_common(BAD),
                Hostile("national", "605987654", BAD), Hostile("landline", "+420222123456", BAD),
                Hostile("premium", "+420900123456", BAD), Hostile("extension", f"{own};ext=1", BAD),
                Hostile("Arabic-Indic", "+٤٢٠605987654", BAD), Hostile("nowhere", "+9991234567", BAD),
            ]  # fmt: skip
        case "backup_code":
            wrong = frozenset({"INVALID_SECOND_FACTOR", "TWO_FACTOR_NOT_ENROLLED"})
            return [*_common(BAD), Hostile("digits", "123456", BAD), Hostile("another's", bag["backup_code"], wrong)]
        case "passkey_credential" | "passkey_assertion" | "credential_json":
            wrong = frozenset({"INVALID_CREDENTIALS", "INVALID_SECOND_FACTOR", "TICKET_NOT_FOUND"})
            return [
                *_common(BAD | wrong, empty=BAD),
                Hostile("too long", "x" * 16385, BAD), Hostile("no object", "[]", BAD | wrong),
                Hostile("deep", "[" * 16000, BAD | wrong), Hostile("empty object", "{}", BAD | wrong),
            ]  # fmt: skip
        case "refresh_token":
            bad = frozenset({"SESSION_INVALID"})
            none = FINE if method.endswith("SignOut") else BAD
            foreign = FINE if method.endswith(("SignOut", "RefreshSession")) else bad
            return [
                *_common(bad, empty=none),
                Hostile("truncated", own[:-1] or "r1.", bad),
                *(Hostile(label, token, foreign if label == "refresh_token" else bad) for label, token in bag.items()),
            ]
        case "device_token":
            return [
                *_common(BAD, empty=FINE), Hostile("truncated", own[:-1] or "d1.", BAD),
                *(Hostile(n, token, FINE if n == "device_token" else BAD) for n, token in bag.items()),
            ]  # fmt: skip
        case "ip_address":
            addresses = (
                "0.0.0.0",
                "255.255.255.255",
                "224.0.0.1",
                "::",
                "ff02::1",
                "fe80::1%eth0",
                "127.1",
                "1",
                "010.1.2.3",
            )
            # A refresh takes no credential that could be guessed: nothing is counted there by address.
            empty = FINE if method.endswith("RefreshSession") else BAD
            return [*_common(BAD, empty=empty), *(Hostile(address, address, BAD) for address in addresses)]
        case "user_agent" if method.endswith("SignIn"):
            return _common(FINE)
        case "user_agent":
            # One reader for all: elsewhere the worst two, as each success needs a new request.
            return [hostile for hostile in _common(FINE) if hostile.label in {"long", "nul"}]
        case "captcha" if method.endswith(("RequestSignInHint", "BeginTwoFactorRecovery")):
            wrong = frozenset({"CAPTCHA_INVALID"})
            return [
                *_common(BAD, empty=frozenset({"CAPTCHA_REQUIRED"})),
                Hostile("truncated", own[:-8], wrong), Hostile("no object", "W10=", wrong),
                Hostile("deep", "W1tb" * 2000, wrong), Hostile("too long", "x" * 8193, BAD),
                *(Hostile(label, token, wrong) for label, token in bag.items()),
            ]  # fmt: skip
        case "captcha":
            # Looked at nowhere else: as each success needs a new request, one stands for all that is of its form.
            return [*_common(BAD, empty=FINE), Hostile("too long", "x" * 8193, BAD)]
        case "resource_name":
            return [
                *_common(FINE, empty=BAD, long=BAD, nul=BAD, bidi=BAD, lines=BAD),
                Hostile("link", "see https://evil.example", BAD), Hostile("65 letters", "é" * 65, BAD),
            ]  # fmt: skip
        case "language_code":
            return _common(BAD, empty=FINE)
        case "display_name" | "name":
            return [
                *_common(FINE, long=BAD, nul=BAD, bidi=BAD, lines=BAD),
                Hostile("link", "see https://evil.example", BAD), Hostile("65 letters", "é" * 65, BAD),
            ]  # fmt: skip
        case "audience" if method.endswith("CheckSession"):
            return [*_common(BAD), Hostile("another", "billing", frozenset({"SESSION_INVALID"}))]
        case "audience":
            return [*_common(BAD, empty=FINE), Hostile("another", "billing", BAD)]
        case "factor_id" if method.endswith("StartChallenge"):
            return _common(BAD | {"TWO_FACTOR_NOT_ENROLLED"}, empty=frozenset({"TWO_FACTOR_NOT_ENROLLED"}))
        case "account_id" if method.endswith(("FindAccounts", "ListCases", "ListDeliveries")):
            none = FINE if method.endswith("ListCases") else BAD
            unknown = Hostile("unknown", "01890a5d-ac96-774b-bcce-b302099a8057", FINE)
            return [*_common(BAD, empty=none), unknown, Hostile("in braces", "{" + own + "}", BAD)]
        case "factor_id" | "session_id" | "device_id" | "account_id" | "case_id":
            missing = frozenset({f"{name.removesuffix('_id').upper()}_NOT_FOUND"})
            return [
                *_common(BAD),
                Hostile("unknown", "01890a5d-ac96-774b-bcce-b302099a8057", missing),
                Hostile("upper case", own.upper(), BAD), Hostile("in braces", "{" + own + "}", BAD),
                Hostile("truncated", own[:-1], BAD),
            ]  # fmt: skip
        case "request_id" if method.endswith("OpenCase"):
            another = Hostile("another", "01890a5d-ac96-774b-bcce-b302099a8057", FINE)
            return [
                *_common(BAD),
                another,
                Hostile("upper case", own.upper(), BAD),
                Hostile("truncated", own[:-1], BAD),
            ]
        case "reason" | "evidence":
            return _common(FINE, empty=BAD, long=BAD, nul=BAD, bidi=BAD, lines=BAD)
        case "case_token":
            # In place of an agent's session.
            foreign = frozenset({"TICKET_NOT_FOUND"})
            others = [Hostile(n, token, foreign if len(token) == 43 else BAD) for n, token in bag.items()]
            return [*_common(BAD, empty=FINE), *others]
        case "support_code":
            # Looked at where it is required alone.
            others = [Hostile(n, token, BAD) for n, token in bag.items()]
            return [*_common(BAD, empty=FINE), *others]
        case "request_id" | "number":
            # The signature is over both: what stands there in another's place is not what the phone signed.
            unsigned = frozenset({"APPROVER_INVALID"})
            other = "01890a5d-ac96-774b-bcce-b302099a8057" if name == "request_id" else "000000"
            return [*_common(BAD), Hostile("another", other, unsigned), Hostile("truncated", own[:-1], BAD | unsigned)]
        case "pairing_code":
            unsigned = frozenset({"APPROVER_INVALID"})
            return [
                *_common(BAD), Hostile("truncated", own[:-1], BAD), Hostile("another", own[::-1], unsigned),
                *(Hostile(n, token, BAD) for n, token in bag.items()),
            ]  # fmt: skip
        case "owed_enrollment_token":
            # In place of the session, and never without its binding.
            return [*_common(BAD, empty=FINE), *(Hostile(n, token, BAD) for n, token in bag.items())]
        case "owed_enrollment_binding":
            return _common(FINE)
        case "wake_up_token":
            return _common(BAD, empty=FINE)
        case "place":
            right = frozenset({"TWO_FACTOR_NOT_ENROLLED"})
            return _common(right, empty=right | FINE, long=BAD, nul=BAD, bidi=BAD, lines=BAD)
        case "page_token":
            others = [Hostile(n, token, BAD) for n, token in bag.items()]
            return [*_common(BAD, empty=FINE), Hostile("truncated", own[:-1], BAD), *others]
        case "resume_token":
            return _common(FINE, long=BAD)
        case "paths":
            return [*_common(BAD), Hostile("a field that is not the caller's", "email", BAD)]
        case "sign_up_binding" if method.endswith("ResendActivation"):
            return _handles(bag, own, FINE)
    if name in {"passkey_token", "passkey_binding"}:
        return _handles(bag, own, BAD | {"TICKET_NOT_FOUND"})
    if name.endswith(("_token", "_binding")):
        return _handles(bag, own, frozenset({"TICKET_NOT_FOUND"}))
    raise AssertionError(f"no hostile values for {path} of {method}: add them")


def for_number(path: str) -> Iterator[Hostile]:
    """The values for a number by its path: out of the contract's limits, as far as the wire can hold them."""
    for value in (-1, 101, 2**31 - 1, -(2**31)):
        yield Hostile(str(value), value, BAD if path == "page_size" else FINE)
    yield Hostile("0", 0, FINE)


def documented_reasons() -> dict[str, frozenset[str]]:
    """Which reasons the comments of the contract name for each RPC, its service's included: by `Service.Method`."""
    known = set(codes_of_reasons())
    found: dict[str, frozenset[str]] = {}
    for file in sorted(Path("protos/twofold/v1").glob("*.proto")):
        comment: list[str] = []
        service, general = "", frozenset[str]()
        for line in file.read_text(encoding="utf-8").splitlines():
            text = line.strip()
            if text.startswith("//"):
                comment.append(text)
                continue
            named = frozenset(re.findall(r"\b[A-Z][A-Z_]{5,}\b", " ".join(comment))) & known
            if match := re.match(r"service (\w+)", text):
                service, general = match[1], named
            elif match := re.match(r"rpc (\w+)", text):
                found[f"{service}.{match[1]}"] = named | general
            comment = []
    return found


def codes_of_reasons() -> dict[str, str]:
    """The status code that each reason comes with, as its comment says."""
    text = Path("protos/twofold/v1/error_reason.proto").read_text(encoding="utf-8")
    found: dict[str, str] = {}
    for comment, name in re.findall(r"((?:  //.*\n)+)  ERROR_REASON_(\w+) =", text):
        found[name] = comment.split("//", 1)[1].strip().partition(".")[0]
    return found
