"""What the rules raise: the docstring is the message that a caller reads, `reason` the contract, `status` the gRPC
code's name.

Only the boundary turns these into gRPC statuses. No message holds anything that the caller sent or that is secret.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Violation:
    """A field and what is wrong with it, or a precondition's (type, subject) and what to do."""

    field: str
    description: str


class TwofoldError(Exception):
    """The call failed."""

    reason: ClassVar[str] = "INTERNAL"
    status: ClassVar[str] = "INTERNAL"
    field: ClassVar[str] = ""
    precondition: ClassVar[tuple[str, str] | None] = None
    """(type, subject) of the state that forbids the call, if it is one."""

    def __init__(
        self, *, field: str = "", retry_after: float | None = None, metadata: dict[str, str] | None = None
    ) -> None:
        super().__init__(self.message)
        self.named_field = field or self.field
        self.retry_after = retry_after
        self.metadata = metadata or {}

    @property
    def message(self) -> str:
        return " ".join(inspect.cleandoc(type(self).__doc__ or "").split())

    @property
    def violations(self) -> Sequence[Violation]:
        """The bad fields; at most 20 reach the caller."""
        return (Violation(self.named_field, self.message),) if self.named_field else ()

    @property
    def preconditions(self) -> Sequence[tuple[str, str, str]]:
        """(type, subject, description) of each state that forbids the call."""
        return ((*self.precondition, self.message),) if self.precondition is not None else ()


class InvalidFields(TwofoldError):
    """The request has invalid fields."""

    reason = "INVALID_FIELDS"
    status = "INVALID_ARGUMENT"

    def __init__(self, bad: Sequence[Violation]) -> None:
        super().__init__()
        self.bad = tuple(bad)

    @property
    def violations(self) -> Sequence[Violation]:
        return self.bad


class MessageTooLong(TwofoldError):
    """The message is longer than this server takes."""

    reason = "MESSAGE_TOO_LONG"
    status = "INVALID_ARGUMENT"


class InvalidCredentials(TwofoldError):
    """The e-mail address or the password is wrong."""

    reason = "INVALID_CREDENTIALS"
    status = "UNAUTHENTICATED"


class InvalidSecondFactor(TwofoldError):
    """The code is wrong, expired or already used. Ask for a new one; if that fails too, check that the clock of the
    device is set automatically (30 seconds either way are forgiven)."""

    reason = "INVALID_SECOND_FACTOR"
    status = "UNAUTHENTICATED"


class InvalidCode(TwofoldError):
    """The code is wrong. After five wrong ones, ask for another."""

    reason = "INVALID_CODE"
    status = "UNAUTHENTICATED"


class SecondFactorRequired(TwofoldError):
    """A second factor is enrolled: send a code with this call."""

    reason = "SECOND_FACTOR_REQUIRED"
    status = "FAILED_PRECONDITION"
    precondition = ("SECOND_FACTOR", "account")


class TooManyAttempts(TwofoldError):
    """Too many wrong attempts. Wait before the next one; until then the right secret is refused as well."""

    reason = "TOO_MANY_ATTEMPTS"
    status = "RESOURCE_EXHAUSTED"


class AccountLocked(TwofoldError):
    """The account is locked. Support can unlock it."""

    reason = "ACCOUNT_LOCKED"
    status = "PERMISSION_DENIED"


class SessionRequired(TwofoldError):
    """The user's access token is missing: send it in the metadata `twofold-session`."""

    reason = "SESSION_REQUIRED"
    status = "UNAUTHENTICATED"


class SessionInvalid(TwofoldError):
    """The token is not one that this caller may use here. Sign in again."""

    reason = "SESSION_INVALID"
    status = "UNAUTHENTICATED"


class SessionExpired(TwofoldError):
    """The access token has expired. Refresh the session and call again."""

    reason = "SESSION_EXPIRED"
    status = "UNAUTHENTICATED"


class SessionEnded(TwofoldError):
    """The session is over. Sign in again."""

    reason = "SESSION_ENDED"
    status = "UNAUTHENTICATED"


class SessionReused(TwofoldError):
    """An old refresh token was presented: somebody else may hold a copy, so the session has been ended."""

    reason = "SESSION_REUSED"
    status = "UNAUTHENTICATED"


class SessionUserAgentChanged(TwofoldError):
    """The session was used by another browser or program than the one that signed in, so it has been ended. Sign in
    again."""

    reason = "SESSION_USER_AGENT_CHANGED"
    status = "UNAUTHENTICATED"


class RecentPasswordRequired(TwofoldError):
    """The password must have been proven in this session within the last 10 minutes: StepUp with the password."""

    reason = "RECENT_PASSWORD_REQUIRED"
    status = "PERMISSION_DENIED"


class RecentTwoFactorRequired(TwofoldError):
    """A second factor must have been proven in this session within the last 10 minutes: StepUp and FinishChallenge."""

    reason = "RECENT_TWO_FACTOR_REQUIRED"
    status = "PERMISSION_DENIED"


class ApproverInvalid(TwofoldError):
    """Not a fresh proof of a paired phone: make a new one, by a clock that is right, or pair the phone again."""

    reason = "APPROVER_INVALID"
    status = "UNAUTHENTICATED"


class CallerUnknown(TwofoldError):
    """The calling service is not known: send its credential in the metadata `authorization: Bearer ...`."""

    reason = "CALLER_UNKNOWN"
    status = "UNAUTHENTICATED"


class CallerNotPermitted(TwofoldError):
    """The calling service has no grant for this method here."""

    reason = "CALLER_NOT_PERMITTED"
    status = "PERMISSION_DENIED"


class RealmNotFound(TwofoldError):
    """No such realm for this caller. A caller with grants in several realms must name one."""

    reason = "REALM_NOT_FOUND"
    status = "NOT_FOUND"
    field = "realm_id"


class TicketNotFound(TwofoldError):
    """The token is unknown, expired, already used, made for something else, or bound to another device. Begin the step
    again."""

    reason = "TICKET_NOT_FOUND"
    status = "NOT_FOUND"


class FactorNotFound(TwofoldError):
    """The account has no such factor."""

    reason = "FACTOR_NOT_FOUND"
    status = "NOT_FOUND"
    field = "factor_id"


class DeviceNotFound(TwofoldError):
    """The account has no such device."""

    reason = "DEVICE_NOT_FOUND"
    status = "NOT_FOUND"
    field = "device_id"


class SessionNotFound(TwofoldError):
    """The account has no such session."""

    reason = "SESSION_NOT_FOUND"
    status = "NOT_FOUND"
    field = "session_id"


class ApprovalNotFound(TwofoldError):
    """No such request for approval is open here: it is unknown, expired, answered or taken back."""

    reason = "APPROVAL_NOT_FOUND"
    status = "NOT_FOUND"
    field = "request_id"


class ApprovalPending(TwofoldError):
    """No phone has approved yet: WatchChallenge tells when one has."""

    reason = "APPROVAL_PENDING"
    status = "FAILED_PRECONDITION"

    @property
    def preconditions(self) -> Sequence[tuple[str, str, str]]:
        return [("APPROVAL", "challenge", "Not answered yet.")]


class ApproverNotPaired(TwofoldError):
    """No phone has used the pairing code yet: scan it, then call again."""

    reason = "APPROVER_NOT_PAIRED"
    status = "FAILED_PRECONDITION"
    precondition = ("APPROVER", "enrollment")


class TwoFactorNotEnrolled(TwofoldError):
    """The account has no such second factor: enrol one first."""

    reason = "TWO_FACTOR_NOT_ENROLLED"
    status = "FAILED_PRECONDITION"
    precondition = ("SECOND_FACTOR", "account")


class LastFactor(TwofoldError):
    """This is the account's last factor: to turn two-factor off, use DisableTwoFactor."""

    reason = "LAST_FACTOR"
    status = "FAILED_PRECONDITION"
    precondition = ("LAST_FACTOR", "account")


class SecondFactorKept(TwofoldError):
    """The realm does not let users turn two-factor off: add or remove factors, or ask whoever runs the service."""

    reason = "SECOND_FACTOR_KEPT"
    status = "FAILED_PRECONDITION"
    precondition = ("SECOND_FACTOR_KEPT", "realm")


class FactorLimitReached(TwofoldError):
    """The account has as many factors of this kind as it may have: remove one first."""

    reason = "FACTOR_LIMIT_REACHED"
    status = "FAILED_PRECONDITION"
    precondition = ("FACTOR_LIMIT", "account")


class ChannelNotDistinct(TwofoldError):
    """The password was last set through this mailbox, so it can't be the second factor too: choose another one."""

    reason = "CHANNEL_NOT_DISTINCT"
    status = "FAILED_PRECONDITION"
    precondition = ("CHANNEL", "account")


class RecoveryNeedsSupport(TwofoldError):
    """All that is left to prove would come through one mailbox or phone, or support's code was not used in time: the
    support desk can help."""

    reason = "RECOVERY_NEEDS_SUPPORT"
    status = "FAILED_PRECONDITION"
    precondition = ("CHANNEL", "account")


class FactorKindUnavailable(TwofoldError):
    """The realm does not offer this kind of second factor: choose another one."""

    reason = "FACTOR_KIND_UNAVAILABLE"
    status = "FAILED_PRECONDITION"
    precondition = ("FACTOR_KIND", "realm")


class ChangesFrozen(TwofoldError):
    """A change of the e-mail address was taken back, so nothing of the account's security can be changed for now."""

    reason = "CHANGES_FROZEN"
    status = "FAILED_PRECONDITION"
    precondition = ("CHANGES_FROZEN", "account")


class EmailInUse(TwofoldError):
    """The address that was to come back has an account of its own meanwhile."""

    reason = "EMAIL_IN_USE"
    status = "FAILED_PRECONDITION"
    precondition = ("EMAIL_IN_USE", "account")


class SignInHintUnavailable(TwofoldError):
    """The realm gives no hints of the addresses that its users sign in with."""

    reason = "SIGN_IN_HINT_UNAVAILABLE"
    status = "FAILED_PRECONDITION"
    precondition = ("SIGN_IN_HINT", "realm")


class CaptchaRequired(TwofoldError):
    """A CAPTCHA must be solved first: CreateCaptcha tells which, and the answer goes into `client.captcha`."""

    reason = "CAPTCHA_REQUIRED"
    status = "FAILED_PRECONDITION"
    precondition = ("CAPTCHA", "client")


class CaptchaInvalid(TwofoldError):
    """Not a solved CAPTCHA of this realm, or one that has expired or was used before. Have another one solved."""

    reason = "CAPTCHA_INVALID"
    status = "INVALID_ARGUMENT"
    field = "client.captcha"


class CaptchaUnavailable(TwofoldError):
    """Whoever checks CAPTCHAs for this realm cannot be asked at the moment. Nothing was done; come again shortly."""

    reason = "CAPTCHA_UNAVAILABLE"
    status = "UNAVAILABLE"


class PasswordCheckUnavailable(TwofoldError):
    """Whether the new password is known from a data breach cannot be told at the moment. Nothing was done; come again
    shortly."""

    reason = "PASSWORD_CHECK_UNAVAILABLE"
    status = "UNAVAILABLE"


class AccountNotFound(TwofoldError):
    """The realm has no such account."""

    reason = "ACCOUNT_NOT_FOUND"
    status = "NOT_FOUND"
    field = "account_id"


class CaseNotFound(TwofoldError):
    """The realm has no such case."""

    reason = "CASE_NOT_FOUND"
    status = "NOT_FOUND"
    field = "case_id"


class CaseAlreadyOpen(TwofoldError):
    """The account has a case that is not over yet: work that one, or cancel it."""

    reason = "CASE_ALREADY_OPEN"
    status = "FAILED_PRECONDITION"
    precondition = ("CASE", "account")


class CaseNotOpen(TwofoldError):
    """The case is past this step: somebody has decided it, or it has expired."""

    reason = "CASE_NOT_OPEN"
    status = "FAILED_PRECONDITION"
    precondition = ("CASE", "case")


class CaseNotReady(TwofoldError):
    """The case can't be executed yet."""

    reason = "CASE_NOT_READY"
    status = "FAILED_PRECONDITION"

    def __init__(
        self,
        lacking: Sequence[tuple[str, str]] = (),
        *,
        retry_after: float | None = None,
        metadata: dict[str, str] | None = None,
    ) -> None:
        """`lacking`: type and description of each thing that is missing."""
        super().__init__(retry_after=retry_after, metadata=metadata)
        self._lacking = lacking or (("CASE", self.message),)

    @property
    def preconditions(self) -> Sequence[tuple[str, str, str]]:
        return tuple((kind, "case", text) for kind, text in self._lacking)


class AgentNotEligible(TwofoldError):
    """This agent may not take this step: it takes one who neither opened the case nor is its subject, and who has been
    an agent for 24 hours."""

    reason = "AGENT_NOT_ELIGIBLE"
    status = "PERMISSION_DENIED"


class AddressTaken(TwofoldError):
    """Another account of the realm has that address."""

    reason = "ADDRESS_TAKEN"
    status = "FAILED_PRECONDITION"
    precondition = ("ADDRESS", "realm")


class SupportLimitReached(TwofoldError):
    """As many look-ups as one agent may make within the hour. Wait before the next one."""

    reason = "SUPPORT_LIMIT_REACHED"
    status = "RESOURCE_EXHAUSTED"


class SignUpNotFound(TwofoldError):
    """The address has no sign-up that can be revived."""

    reason = "SIGN_UP_NOT_FOUND"
    status = "NOT_FOUND"
    field = "email"


class SignUpClosed(TwofoldError):
    """Nobody signs up in this realm by themselves: whoever runs the service makes its accounts."""

    reason = "SIGN_UP_CLOSED"
    status = "FAILED_PRECONDITION"
    precondition = ("SIGN_UP", "realm")


class ChangedMeanwhile(TwofoldError):
    """The account changed while the call was under way. Nothing was done; call again."""

    reason = "CHANGED_MEANWHILE"
    status = "ABORTED"


class ResendTooSoon(TwofoldError):
    """A message was sent a moment ago. Check the spam folder, and wait before asking again."""

    reason = "RESEND_TOO_SOON"
    status = "RESOURCE_EXHAUSTED"


class Overloaded(TwofoldError):
    """The server has as much work as it can do. Nothing was counted; come again shortly."""

    reason = "OVERLOADED"
    status = "RESOURCE_EXHAUSTED"


class ApprovalLimitReached(TwofoldError):
    """Several requests for approval were not approved, so no phone is asked for now: use another factor, or wait."""

    reason = "APPROVAL_LIMIT_REACHED"
    status = "RESOURCE_EXHAUSTED"


class DeadlineTooShort(TwofoldError):
    """The deadline leaves less time than the work needs, so it was not begun."""

    reason = "DEADLINE_TOO_SHORT"
    status = "DEADLINE_EXCEEDED"


class DeadlinePassed(TwofoldError):
    """The call took longer than the server's default deadline. It may have been done: look before you call again."""

    reason = "DEADLINE_PASSED"
    status = "DEADLINE_EXCEEDED"


class DatabaseUnavailable(TwofoldError):
    """The database cannot be reached at the moment."""

    reason = "DATABASE_UNAVAILABLE"
    status = "UNAVAILABLE"


class ServerDraining(TwofoldError):
    """This server is stopping and did not begin the call: connect again."""

    reason = "SERVER_DRAINING"
    status = "UNAVAILABLE"


class CallCutOff(TwofoldError):
    """This server stopped before the call had ended; it may have been done."""

    reason = "CALL_CUT_OFF"
    status = "UNAVAILABLE"
